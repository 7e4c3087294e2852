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

#[tokio::test]
async fn a_key_makes_no_more_of_itself() {
    server::with_settings(&SECURED, |s| async move {
        let (one, two) = (organization(&s, "one").await, organization(&s, "two").await);
        let (_, reader) = key(&s, &one, &["read"]).await;
        let (_, writer) = key(&s, &one, &["read", "write"]).await;
        let (_, admin) = key(&s, &one, &["admin"]).await;
        let (other_id, _) = key(&s, &two, &["read"]).await;
        let user = json!({"name": "Ada", "organization_id": two});
        let user = ask(&s, PASSWORD, Method::POST, "/v1/admin/users/", Some(user)).await["id"].clone();
        let status = async |key: &str, method: Method, path: &str, body: Value| {
            call(&s, Some(key), &method, path, Some(&body)).await.0
        };
        let wanted = json!({"name": "more", "scopes": ["read", "write", "admin"]});
        for key in [&reader, &writer] {
            for path in ["/v1/admin/keys", "/v1/admin/keys/", "/latest/admin/keys", "/latest/admin/keys//"] {
                assert_eq!(status(key, Method::POST, path, wanted.clone()).await, StatusCode::FORBIDDEN, "{path}");
            }
            for path in ["/v1/admin/keys/", "/v1/admin/users/", "/v1/admin/orgs/", "/v1/admin/tree", "/v1/admin/nodes"]
            {
                assert_eq!(status(key, Method::GET, path, json!({})).await, StatusCode::FORBIDDEN, "{path}");
            }
        }
        assert_eq!(
            status(&admin, Method::GET, "/v1/agents/", json!({})).await,
            StatusCode::FORBIDDEN,
            "it looks after keys"
        );
        let default = "org-00000000-0000-4000-8000-000000000000";
        for organization in [two.as_str(), default] {
            let body = json!({"name": "theirs", "organization_id": organization});
            for path in ["/v1/admin/keys/", "/v1/admin/users/"] {
                let refused = status(&admin, Method::POST, path, body.clone()).await;
                assert_eq!(refused, StatusCode::UNPROCESSABLE_ENTITY, "{path} {organization}");
            }
        }
        let as_theirs = json!({"name": "theirs", "user_id": user});
        let refused = status(&admin, Method::POST, "/v1/admin/keys/", as_theirs).await;
        assert_eq!(refused, StatusCode::UNPROCESSABLE_ENTITY, "a user of another organization");
        let revoke = format!("/v1/admin/keys/{other_id}");
        assert_eq!(status(&admin, Method::DELETE, &revoke, json!({})).await, StatusCode::NOT_FOUND);
        for (method, path) in [
            (Method::GET, "/v1/admin/nodes".to_owned()),
            (Method::GET, "/metrics".to_owned()),
            (Method::POST, "/v1/admin/orgs/".to_owned()),
            (Method::DELETE, format!("/v1/admin/orgs/?org_id={one}")),
        ] {
            assert_eq!(status(&admin, method, &path, json!({})).await, StatusCode::FORBIDDEN, "{path}");
        }
        let made = ask(&s, &admin, Method::POST, "/v1/admin/keys/", Some(wanted)).await;
        assert_eq!(made["organization_id"], json!(one), "its own organization is an administrator's");
        let listed = ask(&s, &admin, Method::GET, "/v1/admin/keys/", None).await;
        assert!(listed.as_array().unwrap().iter().all(|key| key["organization_id"] == json!(one)), "{listed}");
    })
    .await;
}

#[tokio::test]
async fn what_the_process_counts_is_the_operators() {
    server::with_settings(&SECURED, |s| async move {
        let default = "org-00000000-0000-4000-8000-000000000000";
        let org = organization(&s, "one").await;
        let metrics = async |key: Option<&str>| call(&s, key, &Method::GET, "/metrics", None).await.0;
        let (_, operator) = key(&s, default, &["admin"]).await;
        let (_, member) = key(&s, default, &["read", "write"]).await;
        let (_, other) = key(&s, &org, &["read", "write", "admin"]).await;
        assert_eq!(metrics(None).await, StatusCode::UNAUTHORIZED);
        assert_eq!(metrics(Some("engram_nonsense")).await, StatusCode::UNAUTHORIZED);
        assert_eq!((metrics(Some(PASSWORD)).await, metrics(Some(&operator)).await), (StatusCode::OK, StatusCode::OK));
        assert_eq!(metrics(Some(&member)).await, StatusCode::FORBIDDEN);
        assert_eq!(metrics(Some(&other)).await, StatusCode::FORBIDDEN);
    })
    .await;
}

#[tokio::test]
async fn an_administrator_sees_its_own_agents_and_no_nodes() {
    server::with_settings(&SECURED, |s| async move {
        let (one, two) = (organization(&s, "one").await, organization(&s, "two").await);
        let all = ["read", "write", "admin"];
        let ((_, first), (_, second)) = (key(&s, &one, &all).await, key(&s, &two, &all).await);
        let said = json!({"messages": [{"role": "user", "content": "hello"}]});
        let mut agents = Vec::new();
        for key in [&first, &second] {
            let body = json!({"model": "engram/scripted", "embedding": "engram/embed"});
            let agent = ask(&s, key, Method::POST, "/v1/agents/", Some(body)).await["id"].as_str().unwrap().to_owned();
            ask(&s, key, Method::POST, &format!("/v1/agents/{agent}/messages"), Some(said.clone())).await;
            agents.push(agent);
        }
        // The second agent did something last, so it would take the only place.
        let tree = ask(&s, &first, Method::GET, "/v1/admin/tree?limit=1", None).await;
        assert_eq!((&tree["nodes"], &tree["not_shown"]), (&json!([]), &json!(0)), "{tree}");
        assert_eq!(tree["agents"].as_array().map(Vec::len), Some(1), "{tree}");
        assert_eq!(tree["agents"][0]["id"], json!(agents[0]));
        let tree = ask(&s, PASSWORD, Method::GET, "/v1/admin/tree", None).await;
        assert_eq!(tree["nodes"].as_array().map(Vec::len), Some(1), "{tree}");
        assert_eq!(tree["agents"].as_array().map(Vec::len), Some(2), "{tree}");
    })
    .await;
}

#[tokio::test]
async fn answers_name_the_organization_and_the_user_of_the_key() {
    server::with_settings(&SECURED, |s| async move {
        let org = organization(&s, "one").await;
        let user = json!({"name": "Ada", "organization_id": org});
        let user = ask(&s, PASSWORD, Method::POST, "/v1/admin/users/", Some(user)).await["id"].clone();
        let body = json!({"name": "hers", "organization_id": org, "user_id": user});
        let hers = ask(&s, PASSWORD, Method::POST, "/v1/admin/keys/", Some(body)).await;
        assert_eq!(hers["user_id"], user);
        let hers = hers["key"].as_str().unwrap().to_owned();
        let (_, nobodys) = key(&s, &org, &["read", "write"]).await;
        let body = json!({
            "model": "engram/scripted", "embedding": "engram/embed", "memory_blocks": [{"label": "human", "value": "x"}],
            "tool_exec_environment_variables": {"K": "V"},
        });
        let agent = ask(&s, &hers, Method::POST, "/v1/agents/", Some(body)).await["id"].as_str().unwrap().to_owned();
        let said = json!({"messages": [{"role": "user", "content": "hello"}]});
        ask(&s, &hers, Method::POST, &format!("/v1/agents/{agent}/messages"), Some(said.clone())).await;
        ask(&s, &hers, Method::POST, &format!("/v1/agents/{agent}/archival-memory"), Some(json!({"text": "x"}))).await;
        ask(&s, &hers, Method::POST, &format!("/v1/conversations/?agent_id={agent}"), Some(json!({}))).await;
        let run = ask(&s, &hers, Method::GET, "/v1/runs/", None).await[0]["id"].as_str().unwrap().to_owned();
        let step = ask(&s, &hers, Method::GET, "/v1/steps/", None).await[0]["id"].as_str().unwrap().to_owned();
        for (holder, shown) in [(&hers, &user), (&nobodys, &Value::Null)] {
            for path in [
                &format!("/v1/agents/{agent}"),
                "/v1/agents/",
                &format!("/v1/agents/{agent}/context"),
                &format!("/v1/agents/{agent}/archival-memory"),
                "/v1/blocks/",
                "/v1/tools/",
                "/v1/archives/",
                &format!("/v1/conversations/?agent_id={agent}"),
                "/v1/runs/",
                &format!("/v1/runs/{run}/metrics"),
                "/v1/steps/",
                &format!("/v1/steps/{step}/metrics"),
                &format!("/v1/steps/{step}/trace"),
            ] {
                let answer = ask(&s, holder, Method::GET, path, None).await;
                assert!(!answer.to_string().contains("00000000-0000-4000-8000-000000000000"), "{path}: {answer}");
                let first = if answer.is_array() { &answer[0] } else { &answer };
                assert!(first.is_object(), "{path}: {answer}");
                if let Some(organization) = first.get("organization_id") {
                    assert_eq!(organization, &json!(org), "{path}");
                }
                if let Some(by) = first.get("last_updated_by_id").filter(|_| path != "/v1/blocks/") {
                    assert_eq!(by, shown, "{path}");
                }
            }
        }
        let mine = ask(&s, &hers, Method::GET, &format!("/v1/agents/?created_by_id={}", user.as_str().unwrap()), None).await;
        assert_eq!(mine.as_array().map(Vec::len), Some(1), "{mine}");
    })
    .await;
}

#[tokio::test]
async fn secrets_are_shown_to_keys_with_the_scope_admin_only() {
    server::with_settings(&SECURED, |s| async move {
        let org = organization(&s, "one").await;
        let (_, worker) = key(&s, &org, &["read", "write"]).await;
        let (_, admin) = key(&s, &org, &["read", "write", "admin"]).await;
        let body = json!({"model": "engram/scripted", "embedding": "engram/embed", "secrets": {"TOKEN": "swordfish"}});
        let agent = ask(&s, &worker, Method::POST, "/v1/agents/", Some(body)).await;
        assert!(!agent.to_string().contains("swordfish"), "{agent}");
        let path = format!("/v1/agents/{}", agent["id"].as_str().unwrap());
        for path in [&path, "/v1/agents/"] {
            let (hidden, shown) =
                (ask(&s, &worker, Method::GET, path, None).await, ask(&s, &admin, Method::GET, path, None).await);
            assert!(hidden.to_string().contains("TOKEN") && !hidden.to_string().contains("swordfish"), "{hidden}");
            assert!(shown.to_string().contains("swordfish"), "{shown}");
        }
        // Sending back what was shown changes nothing.
        let back = json!({"name": "renamed", "secrets": {"TOKEN": "***"}});
        ask(&s, &worker, Method::PATCH, &path, Some(back)).await;
        let agent = ask(&s, &admin, Method::GET, &path, None).await;
        assert_eq!((&agent["name"], &agent["secrets"][0]["value"]), (&json!("renamed"), &json!("swordfish")));
    })
    .await;
}
