//! Mistakes of the caller: a 4xx that names the field, and nothing half-written.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{self, texts};

const NOBODY: &str = "agent-123e4567-e89b-42d3-8456-426614174000";

#[tokio::test]
async fn mistakes_are_named() {
    server::with(|s| async move {
        let agent = s.agent(json!({})).await;
        let cases: Vec<(Method, String, Value, u16, &str)> = vec![
            (Method::GET, format!("/v1/agents/{NOBODY}"), Value::Null, 404, NOBODY),
            (Method::GET, "/v1/agents/nonsense".into(), Value::Null, 422, "agent_id"),
            (Method::POST, "/v1/agents/".into(), json!({"model": 5}), 422, "model"),
            (Method::POST, "/v1/agents/".into(), json!({}), 400, "model"),
            (Method::POST, "/v1/agents/".into(), json!({"model": "engram/nope"}), 404, "engram/scripted"),
            (Method::POST, "/v1/agents/".into(), json!({"model": "engram/scripted", "tools": ["nope"]}), 404, "nope"),
            (
                Method::POST,
                "/v1/agents/".into(),
                json!({"model": "engram/scripted", "memory_blocks": "x"}),
                422,
                "memory_blocks",
            ),
            (Method::POST, format!("/v1/agents/{agent}/messages"), json!({"messages": []}), 422, "messages"),
            (
                Method::POST,
                format!("/v1/agents/{agent}/messages"),
                json!({"messages": [{"role": "king", "content": "x"}]}),
                422,
                "role",
            ),
            (
                Method::POST,
                format!("/v1/agents/{NOBODY}/messages"),
                json!({"messages": [{"role": "user", "content": "x"}]}),
                404,
                NOBODY,
            ),
            (Method::PATCH, format!("/v1/agents/{agent}/core-memory/blocks/nope"), json!({"value": "x"}), 404, "nope"),
            (Method::GET, "/v1/nope".into(), Value::Null, 404, "Not Found"),
            (Method::PUT, "/v1/agents/".into(), Value::Null, 405, "Method Not Allowed"),
            (Method::GET, "/v1/identities/".into(), Value::Null, 501, "not built"),
        ];
        for (method, path, body, want, names) in cases {
            let body = (!body.is_null()).then_some(&body);
            let (status, answer) = s.send(method.clone(), &path, body).await;
            assert_eq!(status.as_u16(), want, "{method} {path} {body:?}: {answer}");
            assert!(answer["detail"].to_string().contains(names), "{method} {path}: {answer}");
            assert_eq!(answer["detail"].is_array(), want == 422, "{method} {path}: {answer}");
        }
        let count = s.get("/v1/agents/count").await;
        assert_eq!(count, 1, "nothing was half-written");
    })
    .await;
}

#[tokio::test]
async fn garbage_is_refused_and_the_agent_stays_usable() {
    server::with(|s| async move {
        let agent = s.agent(json!({})).await;
        let path = format!("/v1/agents/{agent}/messages");
        let deep = format!("{{\"messages\": {}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        let cases = [
            (b"{".to_vec(), StatusCode::UNPROCESSABLE_ENTITY),
            (b"\xff\xfe{}".to_vec(), StatusCode::UNPROCESSABLE_ENTITY),
            (deep.into_bytes(), StatusCode::UNPROCESSABLE_ENTITY),
            (vec![b' '; 40 << 20], StatusCode::PAYLOAD_TOO_LARGE),
        ];
        for (body, want) in cases {
            let start = String::from_utf8_lossy(&body[..body.len().min(20)]).into_owned();
            let (status, answer) = s.raw(&path, body).await;
            assert_eq!(status, want, "{start}: {answer}");
            assert!(!answer["detail"].is_null(), "{start}: {answer}");
        }
        // Postgres knows no NUL in text: it must not come between a run and its end.
        let odd = json!({"messages": [{"role": "user", "content": "hi", "otid": "a\u{0}b"}]});
        let (status, answer) = s.send(Method::POST, &path, Some(&odd)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
        assert_eq!(answer["detail"][0]["loc"], json!(["body", "messages", 0, "otid"]));
        let answer = s.say(&agent, "[[call no_such_tool {\"a\": 1}]] [[call memory_insert {not json}]] well?").await;
        assert_eq!(texts(&answer, "assistant_message"), ["You said: well?"]);
        assert!(texts(&answer, "tool_return_message")[0].contains("Cannot call no_such_tool"));
    })
    .await;
}
