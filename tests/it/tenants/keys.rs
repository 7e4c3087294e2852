//! Keys, users, and the header that names one.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{PASSWORD, SECURED, ask, call, key, organization};
use crate::server;

#[tokio::test]
async fn a_key_is_shown_once_and_refused_when_it_is_revoked() {
    server::with_settings(&SECURED, |s| async move {
        let org = organization(&s, "one").await;
        let (id, secret) = key(&s, &org, &["read", "write"]).await;
        assert!(secret.starts_with("engram_") && secret.len() == "engram_".len() + 64, "{}", secret.len());
        let listed = ask(&s, PASSWORD, Method::GET, "/v1/admin/keys/", None).await;
        let listed = listed.as_array().unwrap();
        let entry = listed.iter().find(|k| k["id"] == json!(id)).unwrap();
        assert_eq!((&entry["scopes"], &entry["revoked_at"]), (&json!(["read", "write"]), &Value::Null));
        assert!(secret.starts_with(entry["prefix"].as_str().unwrap()) && !listed.iter().any(|k| !k["key"].is_null()));
        let agents = async || call(&s, Some(&secret), &Method::GET, "/v1/agents/", None).await.0;
        assert_eq!(agents().await, StatusCode::OK);
        ask(&s, PASSWORD, Method::DELETE, &format!("/v1/admin/keys/{id}"), None).await;
        assert_eq!(agents().await, StatusCode::UNAUTHORIZED);
        let nonsense = json!({"name": "x", "scopes": ["everything"]});
        let (status, _) = call(&s, Some(PASSWORD), &Method::POST, "/v1/admin/keys/", Some(&nonsense)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    })
    .await;
}

#[tokio::test]
async fn the_header_names_a_user_and_with_it_an_organization() {
    server::with(|s| async move {
        let org = s.post("/v1/admin/orgs/", json!({"name": "two"})).await["id"].as_str().unwrap().to_owned();
        let user = s.post("/v1/admin/users/", json!({"name": "Ada", "organization_id": org})).await;
        let as_user = async |id: &str| {
            let request = reqwest::Client::new().get(format!("{}/v1/agents/", s.base)).header("user_id", id);
            let answer = request.send().await.unwrap();
            (answer.status(), answer.json::<Value>().await.unwrap())
        };
        s.agent(json!({})).await;
        let (status, seen) = as_user(user["id"].as_str().unwrap()).await;
        assert_eq!((status, seen), (StatusCode::OK, json!([])));
        let unknown = as_user("user-123e4567-e89b-42d3-8456-426614174000").await;
        assert_eq!((unknown.0, unknown.1.as_array().map(Vec::len)), (StatusCode::OK, Some(1)), "the default user");
        assert_eq!(as_user("nobody").await.0, StatusCode::BAD_REQUEST);
        assert_eq!(s.send(Method::DELETE, &format!("/v1/admin/orgs/?org_id={org}"), None).await.0, StatusCode::OK);
        let left = s.get("/v1/admin/orgs/").await;
        assert_eq!(left.as_array().map(Vec::len), Some(1), "{left}");
        let default = "/v1/admin/orgs/?org_id=org-00000000-0000-4000-8000-000000000000";
        assert_eq!(s.send(Method::DELETE, default, None).await.0, StatusCode::CONFLICT);
    })
    .await;
}
