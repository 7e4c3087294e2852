//! What the API description says and what the server does are the same set.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server;

/// Every described operation, called with ids that nobody has and with bodies that make no sense,
/// answers in the shape of the SDKs and never with a failure of the server.
#[tokio::test]
async fn every_operation_answers_nonsense_with_a_clear_error() {
    server::with(|s| async move {
        let document = s.get("/openapi.json").await;
        let mut seen = 0;
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
                assert!(!operation["summary"].is_null() || !operation["description"].is_null(), "{method} {path}");
                let path = fill(path);
                for body in [json!({}), json!([1]), json!({"messages": 1, "value": 1, "name": 1, "text": 1})] {
                    let body = (method != Method::GET).then_some(&body);
                    let (status, answer) = s.send(method.clone(), &path, body).await;
                    seen += 1;
                    assert!(!status.is_server_error(), "{method} {path} {body:?}: {status} {answer}");
                    assert_ne!(answer["detail"], "Not Found", "{method} {path} is described and not there");
                    let described = &operation["responses"][status.as_str()];
                    assert!(described.is_object(), "{method} {path} {body:?}: {status} is not described");
                    if status.is_client_error() {
                        assert!(!answer["detail"].is_null(), "{method} {path} {body:?}: {status} {answer}");
                    }
                }
            }
        }
        assert!(seen > 200, "{seen}");
        assert_eq!(s.get("/v1/health/").await["status"], "ok");
    })
    .await;
}

/// A path with ids of the right form that nobody has.
fn fill(path: &str) -> String {
    let mut out = String::new();
    for segment in path.split('/').skip(1) {
        out.push('/');
        let Some(name) = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) else {
            out.push_str(segment);
            continue;
        };
        let prefix = match name.strip_suffix("_id") {
            Some("conversation") => "conv",
            Some("memory") => "passage",
            Some(other) => other,
            None => {
                out.push_str("nobody");
                continue;
            }
        };
        out.push_str(prefix);
        out.push_str("-123e4567-e89b-42d3-8456-426614174000");
    }
    out
}

#[tokio::test]
async fn both_spellings_and_the_latest_prefix_answer_directly() {
    server::with(|s| async move {
        for path in ["/v1/agents", "/v1/agents/", "/latest/agents/", "/v1/tools/?limit=3", "/v1/health"] {
            let (status, body) = s.send(Method::GET, path, None).await;
            assert_eq!(status, StatusCode::OK, "{path}: {body}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_default_agent_depends_on_who_asks() {
    server::with(|s| async move {
        let body = json!({"model": "engram/scripted"});
        let old = s.post("/v1/agents/", body.clone()).await;
        let new: Value = reqwest::Client::new()
            .post(format!("{}/v1/agents/", s.base))
            .header("x-stainless-package-version", "1.12.1")
            .json(&body)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!((&old["agent_type"], &new["agent_type"]), (&json!("memgpt_agent"), &json!("letta_v1_agent")));
        for agent in [old, new] {
            for member in ["blocks", "memory", "tools", "sources", "tags", "llm_config", "embedding_config"] {
                assert!(!agent[member].is_null(), "{member} is required by a client");
            }
            assert!(agent["message_ids"].as_array().is_some_and(|ids| !ids.is_empty()));
        }
    })
    .await;
}
