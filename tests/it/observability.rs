//! What the server tells of itself: metrics, readiness, nodes, traces.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use engram::{
    cli::ServerArgs,
    config::{Environment, Settings},
    telemetry,
};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::server;

#[tokio::test]
async fn metrics_are_shown_without_ids() {
    server::with(|s| async move {
        let agent = s.agent(json!({})).await;
        s.say(&agent, "hello").await;
        s.get(&format!("/v1/agents/{agent}")).await;
        let (status, text) = s.send(Method::GET, "/metrics", None).await;
        let text = text.as_str().unwrap().to_owned();
        assert_eq!(status, StatusCode::OK);
        let lines = [
            "engram_http_requests_total{route=\"/v1/agents/{agent_id}\",method=\"GET\",status=\"200\"}",
            "engram_http_request_seconds_bucket{route=\"/v1/agents/{agent_id}/messages\",method=\"POST\",le=\"0.05\"}",
            "engram_turns_total{status=\"completed\",stop_reason=\"end_turn\"}",
            "engram_turn_seconds_bucket{le=\"60\"}",
            "engram_commits_total{outcome=\"done\"}",
            "engram_activations_total{outcome=\"ok\"}",
            "engram_llm_seconds_count{provider=\"engram\",model=\"scripted\",outcome=\"ok\"}",
            "engram_llm_wait_seconds_count{provider=\"engram\"}",
            "engram_live_agents ",
            "process_resident_memory_bytes ",
            "engram_fenced_commits_total 0",
            "engram_queued_runs 0",
        ];
        for line in lines {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(!text.contains(&agent), "an id is a label:\n{text}");
        let manual = include_str!("../../docs/OPERATIONS.md");
        for name in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()) {
            assert!(manual.contains(&format!("`{name}`")), "{name} is not in docs/OPERATIONS.md");
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_is_ready_until_it_hands_its_work_over() {
    server::with(|s| async move {
        let (status, body) = s.send(Method::GET, "/v1/ready", None).await;
        assert_eq!((status, &body["status"]), (StatusCode::OK, &json!("ok")), "{body}");
        s.state().engine.drain().await;
        let (status, body) = s.send(Method::GET, "/v1/ready", None).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
        assert!(body["detail"].as_str().unwrap().contains("shutting down"), "{body}");
        // It lives all the same.
        assert_eq!(s.get("/v1/health").await["status"], "ok");
    })
    .await;
}

#[tokio::test]
async fn a_server_without_its_database_is_not_ready() {
    server::with(|s| async move {
        s.state().store.close().await;
        let (status, body) = s.send(Method::GET, "/v1/ready", None).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
        assert_eq!(s.get("/v1/health").await["status"], "ok");
    })
    .await;
}

#[tokio::test]
async fn nodes_are_listed() {
    server::with(|mut s| async move {
        let agent = s.agent(json!({})).await;
        s.say(&agent, "hello").await;
        let nodes = s.get("/v1/admin/nodes").await;
        let [node] = nodes.as_array().unwrap().as_slice() else { panic!("{nodes}") };
        assert_eq!((&node["state"], &node["conversations"]), (&json!("alive"), &json!(1)), "{node}");
        assert_eq!(node["url"], s.base, "{node}");
        assert!(node.get("secret").is_none(), "{node}");
        s.restart().await;
        let nodes = s.get("/v1/admin/nodes").await;
        let states: Vec<_> = nodes.as_array().unwrap().iter().map(|node| node["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["alive", "gone"], "{nodes}");
    })
    .await;
}

/// What a collector got: the headers and the bodies of its requests.
type Got = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

async fn collector() -> (String, Got) {
    async fn take(State(got): State<Got>, headers: HeaderMap, body: Bytes) {
        got.lock().unwrap().push((headers, body));
    }
    let got = Got::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/traces", post(take)).with_state(got.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, got)
}

fn settings(collector: &str) -> Settings {
    let environment: Environment = [
        ("HOME", "/nonexistent"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-team=blue"),
        ("OTEL_SERVICE_NAME", "engram-under-test"),
        ("ENGRAM_LOG", "error"),
    ]
    .into_iter()
    .collect();
    Settings::resolve(&ServerArgs::default(), &environment).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_of_a_turn_reach_a_collector() {
    let (address, got) = collector().await;
    // For the whole process: no other test here may start it.
    let telemetry = telemetry::start(&settings(&address), &tokio::runtime::Handle::current());
    server::with(|s| async move {
        let agent = s.agent(json!({})).await;
        s.say(&agent, "[[call conversation_search {\"query\": \"ALBATROSS\"}]] PELICAN").await;
    })
    .await;
    if std::env::var("ENGRAM_TEST_PG_URI").is_err() {
        return;
    }
    tokio::task::spawn_blocking(move || telemetry.stop()).await.unwrap();
    let got = got.lock().unwrap();
    let all: Vec<u8> = got.iter().flat_map(|(_, body)| body.to_vec()).collect();
    let has = |text: &str| all.windows(text.len()).any(|window| window == text.as_bytes());
    let route = "/v1/agents/{agent_id}/messages";
    for text in
        ["http", route, "turn", "run_id", "step", "llm", "scripted", "tool", "conversation_search", "engram-under-test"]
    {
        assert!(has(text), "no {text} in {} bytes", all.len());
    }
    for text in ["ALBATROSS", "PELICAN", "postgres://"] {
        assert!(!has(text), "{text} is nobody's business");
    }
    let (headers, _) = &got[0];
    assert_eq!(headers["content-type"], "application/x-protobuf");
    assert_eq!(headers["x-team"], "blue");
}
