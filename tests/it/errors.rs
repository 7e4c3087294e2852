//! Mistakes of the caller: a 4xx that names the field, and nothing half-written.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

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

#[tokio::test]
async fn a_refusal_leaves_the_connection_to_the_next_request() {
    server::with(|s| async move {
        let agent = s.agent(json!({})).await;
        let refused = [
            ("POST /v1/agents/nonsense/messages HTTP/1.1\r\n".to_owned(), "422"),
            (format!("POST /v1/agents/{agent}/messages HTTP/1.1\r\nidempotency-key:\r\n"), "422"),
            ("POST /v1/nope HTTP/1.1\r\n".to_owned(), "404"),
            ("PUT /v1/agents HTTP/1.1\r\n".to_owned(), "405"),
        ];
        let mut connection = TcpStream::connect(s.base.trim_start_matches("http://")).await.unwrap();
        for (head, status) in refused {
            // The body comes after the refusal could have been sent.
            let head = format!("{head}host: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n");
            connection.write_all(head.as_bytes()).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
            connection.write_all(b"{}").await.unwrap();
            let answer = read(&mut connection).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{head}: {answer}");
        }
        connection.write_all(b"GET /v1/health HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert!(read(&mut connection).await.starts_with("HTTP/1.1 200"));
    })
    .await;
}

/// What came over the connection; empty when it is closed.
async fn read(connection: &mut TcpStream) -> String {
    let mut bytes = vec![0; 16 * 1024];
    let read = connection.read(&mut bytes).await.unwrap();
    String::from_utf8_lossy(&bytes[..read]).into_owned()
}

/// What the embedded database says of a full disk, and other troubles that are not the caller's.
#[tokio::test]
async fn while_the_database_takes_no_writes_requests_are_asked_to_come_back() {
    server::with(|s| async move {
        let agent = s.agent(json!({})).await;
        let (path, body) =
            (format!("/v1/agents/{agent}/messages"), json!({"messages": [{"role": "user", "content": "x"}]}));
        let mut raw = s.database().await;
        for code in ["58030", "53100", "57014", "25006"] {
            let sql = format!(
                "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$;
                 CREATE OR REPLACE TRIGGER fail BEFORE INSERT ON runs FOR EACH ROW EXECUTE FUNCTION fail()"
            );
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut raw).await.unwrap();
            let failed = s.status_of(Method::POST, &path, Some(&body)).await;
            assert_eq!(failed, (503, Some("1".into())), "{code}");
            assert_eq!(s.status_of(Method::GET, "/v1/ready", None).await, (503, Some("1".into())), "{code}");
            sqlx::raw_sql("DROP TRIGGER fail ON runs").execute(&mut raw).await.unwrap();
            assert_eq!(s.status_of(Method::POST, &path, Some(&body)).await.0, 200, "{code}");
            assert_eq!(s.status_of(Method::GET, "/v1/ready", None).await.0, 200, "{code}");
        }
    })
    .await;
}

/// A newer node has migrated the database: what this one has prepared before is outdated.
#[tokio::test]
async fn a_migration_by_another_node_costs_no_reader_an_answer() {
    server::with(|s| async move {
        let block = s.post("/v1/blocks/", json!({"label": "team", "value": "Plan"})).await;
        let path = format!("/v1/blocks/{}", block["id"].as_str().unwrap());
        let mut raw = s.database().await;
        for kind in ["varchar(300)", "text"] {
            // On several connections.
            futures::future::join_all((0..16).map(|_| s.get(&path))).await;
            let sql = format!("ALTER TABLE blocks ALTER COLUMN value TYPE {kind}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut raw).await.unwrap();
            for _ in 0..16 {
                assert_eq!(s.get(&path).await["value"], "Plan");
            }
        }
    })
    .await;
}
