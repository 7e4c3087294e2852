//! Two organizations on one server: what the one has does not exist for the other.
//!
//! [`walk`] calls every operation of the API document; [`owner`] is who has what is asked for.

mod keys;
mod owner;
mod walk;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::Server;

/// The password of the server that these tests start.
const PASSWORD: &str = "the password";

/// Settings of a server that demands a password or a key.
const SECURED: [(&str, &str); 2] = [("SECURE", "true"), ("LETTA_SERVER_PASSWORD", PASSWORD)];

/// Sends a request with a key, or without one.
async fn call(s: &Server, key: Option<&str>, method: &Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
    let mut request = reqwest::Client::new().request(method.clone(), format!("{}{path}", s.base));
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// As much of an answer as a failed test has to show.
fn short(answer: &Value) -> String {
    answer.to_string().chars().take(500).collect()
}

/// As [`call`], for what must succeed.
async fn ask(s: &Server, key: &str, method: Method, path: &str, body: Option<Value>) -> Value {
    let (status, answer) = call(s, Some(key), &method, path, body.as_ref()).await;
    assert!(status.is_success(), "{method} {path}: {status} {answer}");
    answer
}

/// A new organization; its id.
async fn organization(s: &Server, name: &str) -> String {
    let made = ask(s, PASSWORD, Method::POST, "/v1/admin/orgs/", Some(json!({"name": name}))).await;
    made["id"].as_str().unwrap().to_owned()
}

/// A new key; its id and the key itself.
async fn key(s: &Server, organization: &str, scopes: &[&str]) -> (String, String) {
    let body = json!({"name": "a key", "scopes": scopes, "organization_id": organization});
    let made = ask(s, PASSWORD, Method::POST, "/v1/admin/keys/", Some(body)).await;
    (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned())
}
