//! Web pages: whose may read, whose may send, and by which names the server is called.

use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::json;

use crate::server::{self, Server};

async fn ask(
    server: &Server,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (StatusCode, HeaderMap, String) {
    let mut request = reqwest::Client::new().request(method, format!("{}{path}", server.base));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.body(body.to_owned()).send().await.unwrap();
    (answer.status(), answer.headers().clone(), answer.text().await.unwrap())
}

fn allowed(headers: &HeaderMap) -> (Option<&str>, bool) {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    (text("access-control-allow-origin"), text("access-control-allow-credentials") == Some("true"))
}

#[tokio::test]
async fn a_name_that_a_stranger_gave_the_server_is_refused_without_a_password() {
    let settings = [("ENGRAM_ALLOWED_HOSTS", "engram.test")];
    server::with_settings(&settings, |s| async move {
        let list = async |host: &str| ask(&s, Method::GET, "/v1/agents/", &[("host", host)], "").await;
        let (status, _, body) = list("evil.com:8283").await;
        assert!(status == StatusCode::FORBIDDEN && body.contains("ENGRAM_ALLOWED_HOSTS"), "{status} {body}");
        for host in ["localhost:1", "127.0.0.1", "192.168.0.9:8283", "engram.test:8283"] {
            assert_eq!(list(host).await.0, StatusCode::OK, "{host}");
        }
        let (status, ..) = ask(&s, Method::GET, "/v1/health", &[("host", "evil.com")], "").await;
        assert_eq!(status, StatusCode::OK);
        // Also for the pages and documents of the server itself.
        for path in ["/docs", "/openapi.json", "/metrics", "/v1/nope"] {
            let (status, ..) = ask(&s, Method::GET, path, &[("host", "evil.com")], "").await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
        }
    })
    .await;
    server::with_settings(&[("LETTA_SERVER_PASSWORD", "p")], |s| async move {
        let headers = [("host", "any.example"), ("authorization", "Bearer p")];
        assert_eq!(ask(&s, Method::GET, "/v1/agents/", &headers, "").await.0, StatusCode::OK);
        assert_eq!(ask(&s, Method::GET, "/v1/agents/", &headers[..1], "").await.0, StatusCode::UNAUTHORIZED);
    })
    .await;
}

#[tokio::test]
async fn a_foreign_page_creates_nothing_with_plain_text() {
    server::with(|s| async move {
        let body = json!({"model": "engram/scripted", "embedding": "engram/embed"}).to_string();
        let create = async |headers: &[(&str, &str)]| ask(&s, Method::POST, "/v1/agents/", headers, &body).await.0;
        for kind in ["text/plain", "application/x-www-form-urlencoded"] {
            let status = create(&[("origin", "https://evil.com"), ("content-type", kind)]).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{kind}");
        }
        assert_eq!(create(&[("origin", "null")]).await, StatusCode::FORBIDDEN);
        assert_eq!(s.get("/v1/agents/count").await, 0);
        let friend = create(&[("origin", "http://localhost:3000"), ("content-type", "application/json")]).await;
        assert_eq!(friend, StatusCode::OK);
    })
    .await;
}

#[tokio::test]
async fn pages_read_where_they_are_friends_and_with_cookies_only_then() {
    let settings = [("ACCEPTABLE_ORIGINS", "https://app.example")];
    server::with_settings(&settings, |s| async move {
        let read = async |origin: &str| {
            let (_, headers, _) = ask(&s, Method::GET, "/v1/agents/", &[("origin", origin)], "").await;
            let (allow, credentials) = allowed(&headers);
            (allow.map(str::to_owned), credentials)
        };
        for origin in ["http://localhost:3000", "http://127.0.0.1:5173", "https://app.example", &s.base] {
            assert_eq!(read(origin).await, (Some(origin.to_owned()), true));
        }
        for origin in ["https://app.letta.com", "https://evil.com", "null", "https://app.example.evil.com"] {
            assert_eq!(read(origin).await.0, None, "{origin}");
        }
        let preflight = [
            ("origin", "https://evil.com"),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type"),
        ];
        let (_, headers, _) = ask(&s, Method::OPTIONS, "/v1/agents/", &preflight, "").await;
        assert_eq!(allowed(&headers).0, None);
    })
    .await;
    server::with_settings(&[("ACCEPTABLE_ORIGINS", "*")], |s| async move {
        let (_, headers, _) = ask(&s, Method::GET, "/v1/agents/", &[("origin", "https://any.example")], "").await;
        assert_eq!(allowed(&headers), (Some("https://any.example"), false));
    })
    .await;
}
