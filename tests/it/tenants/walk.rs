//! Every operation, as the wrong tenant, as nobody, with a revoked key, and as somebody who may only look.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{PASSWORD, SECURED, ask, call, key, organization, owner::Owner, short};
use crate::server;

/// What the wrong tenant is told.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Told {
    /// There is no such thing.
    Missing,
    /// An answer with nothing of the owner's in it.
    NothingOfTheOwner,
    /// This status.
    Status(u16),
}
use Told::{Missing, NothingOfTheOwner, Status};

/// How an operation is called, and what the wrong tenant is told.
struct Call {
    query: String,
    body: Option<Value>,
    told: Told,
}

/// How to call an operation. A new one must be put here; whatever has an id in its path and no body already is.
fn how(method: &str, path: &str, has_body: bool, o: &Owner) -> Option<Call> {
    let id = |name: &str| o.ids[name].clone();
    let said = || json!({"messages": [{"role": "user", "content": "hello"}]});
    let (told, body) = match (method, path) {
        (
            "GET",
            "/v1/health"
            | "/v1/ready"
            | "/v1/models"
            | "/v1/models/embedding"
            | "/v1/models/embeddings"
            | "/v1/agents"
            | "/v1/agents/count"
            | "/v1/archives"
            | "/v1/blocks"
            | "/v1/blocks/count"
            | "/v1/conversations"
            | "/v1/embeddings/total_storage_size"
            | "/v1/groups"
            | "/v1/groups/count"
            | "/v1/messages"
            | "/v1/runs"
            | "/v1/runs/active"
            | "/v1/steps"
            | "/v1/tags"
            | "/v1/tools"
            | "/v1/tools/count"
            | "/v1/admin/tree"
            | "/v1/admin/keys"
            | "/v1/admin/users"
            | "/v1/admin/orgs",
        )
        | ("POST", "/v1/tools/add-base-tools") => (NothingOfTheOwner, None),
        ("GET", "/metrics" | "/v1/admin/nodes") => (Status(403), None),
        ("POST", "/v1/admin/orgs") => (Status(403), Some(json!({"name": "another"}))),
        ("PATCH", "/v1/admin/orgs") => {
            let body = Some(json!({"name": "mine now"}));
            return Some(Call { query: format!("?org_id={}", o.organization), body, told: Missing });
        }
        ("DELETE", "/v1/admin/orgs") => {
            return Some(Call { query: format!("?org_id={}", o.organization), body: None, told: Status(403) });
        }
        ("POST", "/v1/admin/users" | "/v1/admin/keys") => {
            (Status(422), Some(json!({"name": "mine", "organization_id": o.organization})))
        }
        ("PUT", "/v1/admin/users") => (Missing, Some(json!({"id": o.user, "name": "mine now"}))),
        ("DELETE", "/v1/admin/users") => {
            return Some(Call { query: format!("?user_id={}", o.user), body: None, told: Missing });
        }
        ("POST", "/v1/agents") => {
            (NothingOfTheOwner, Some(json!({"model": "engram/scripted", "embedding": "engram/embed"})))
        }
        ("POST", "/v1/archives") => (NothingOfTheOwner, Some(json!({"name": "mine", "embedding": "engram/embed"}))),
        ("POST", "/v1/blocks") => (NothingOfTheOwner, Some(json!({"label": "mine", "value": "mine"}))),
        ("POST", "/v1/groups") => (Missing, Some(json!({"agent_ids": [id("agent_id")], "description": "mine"}))),
        ("POST", "/v1/conversations") => {
            let query = format!("?agent_id={}", o.ids["agent_id"]);
            return Some(Call { query, body: Some(json!({})), told: Missing });
        }
        ("POST", "/v1/agents/messages/search" | "/v1/messages/search" | "/v1/tools/search") => {
            (NothingOfTheOwner, Some(json!({"query": "words"})))
        }
        ("POST", "/v1/passages/search") => (NothingOfTheOwner, Some(json!({"query": "passage"}))),
        ("POST", "/v1/chat/completions") => {
            (Missing, Some(json!({"model": id("agent_id"), "messages": [{"role": "user", "content": "hello"}]})))
        }
        ("GET", "/v1/agents/{agent_id}/archival-memory/search") => {
            return Some(Call { query: "?query=words".to_owned(), body: None, told: Missing });
        }
        (_, path) if path.contains('{') => {
            let body = match path.rsplit('}').next().unwrap_or_default() {
                _ if !has_body => None,
                "/messages"
                | "/messages/stream"
                | "/messages/async"
                | "/messages/preview-raw-payload"
                | "/chat/completions" => Some(said()),
                "/messages/cancel" | "/reset-messages" | "/summarize" | "/compact" | "/recompile" | "/stream" => {
                    Some(json!({}))
                }
                "/archival-memory" | "/passages" => Some(json!({"text": "mine"})),
                "/passages/batch" => Some(json!({"passages": [{"text": "mine"}]})),
                "/schedule" => Some(json!({
                    "messages": [{"role": "user", "content": "later"}],
                    "schedule": {"type": "one-time", "scheduled_at": 4_102_444_800_000_i64},
                })),
                "/feedback" => Some(json!({"feedback": "positive"})),
                "/run" => Some(json!({"args": {"message": "mine"}})),
                "" => Some(match path {
                    "/v1/agents/{agent_id}/messages/{message_id}" | "/v1/groups/{group_id}/messages/{message_id}" => {
                        json!({"message_type": "user_message", "content": "mine"})
                    }
                    "/v1/agents/{agent_id}/archival-memory/{memory_id}" => json!({"text": "mine"}),
                    "/v1/agents/{agent_id}/core-memory/blocks/{block_label}" | "/v1/blocks/{block_id}" => {
                        json!({"value": "mine"})
                    }
                    "/v1/agents/{agent_id}/tools/approval/{tool_name}" => json!({"requires_approval": true}),
                    "/v1/agents/{agent_id}" | "/v1/archives/{archive_id}" => json!({"name": "mine"}),
                    "/v1/conversations/{conversation_id}" => json!({"summary": "mine"}),
                    "/v1/groups/{group_id}" => json!({"description": "mine"}),
                    "/v1/tools/{tool_id}" => json!({"tags": ["mine"]}),
                    _ => return None,
                }),
                _ => return None,
            };
            (Missing, body)
        }
        _ => return None,
    };
    Some(Call { query: String::new(), body, told })
}

#[tokio::test]
async fn no_operation_shows_or_changes_what_another_organization_has() {
    server::with_settings(&SECURED, |s| async move {
        let owner = Owner::new(&s).await;
        let other = organization(&s, "the other").await;
        let (_, wrong) = key(&s, &other, &["read", "write", "admin"]).await;
        let (revoked_id, revoked) = key(&s, &owner.organization, &["read", "write", "admin"]).await;
        ask(&s, PASSWORD, Method::DELETE, &format!("/v1/admin/keys/{revoked_id}"), None).await;
        let before = owner.everything(&s).await;
        let document = ask(&s, PASSWORD, Method::GET, "/openapi.json", None).await;
        let mut wrongs: Vec<String> = Vec::new();
        let (mut operations, mut strangers, mut nobodies, mut revocations, mut readers) = (0, 0, 0, 0, 0);
        for (path, described) in document["paths"].as_object().unwrap() {
            for (name, operation) in described.as_object().unwrap() {
                let Ok(method) = name.to_uppercase().parse::<Method>() else { continue };
                operations += 1;
                let has_body = operation["requestBody"].is_object();
                let scope = operation["x-engram-scope"].as_str();
                let for_administrators = path.starts_with("/v1/admin/") || scope == Some("admin");
                let looks = !for_administrators && (method == Method::GET || scope == Some("read"));
                let how = how(method.as_str(), path, has_body, &owner)
                    .unwrap_or_else(|| panic!("the walk does not know how to call {method} {path}: tell `how`"));
                let (path, body) = (format!("{}{}", owner.fill(path), how.query), how.body.as_ref());
                let mut check = |right: bool, who: &str, status: StatusCode, answer: &Value| {
                    if !right {
                        wrongs.push(format!("{method} {path} as {who}: {status} {}", short(answer)));
                    }
                };

                let (status, answer) = call(&s, Some(&wrong), &method, &path, body).await;
                let right = match how.told {
                    Missing => status == StatusCode::NOT_FOUND,
                    Status(wanted) => status.as_u16() == wanted,
                    NothingOfTheOwner => status.is_success(),
                };
                // Of what is missing the answer repeats the id; of anything else it must not know it.
                let silent = how.told != NothingOfTheOwner || !owner.is_in(&answer);
                check(right && silent, "the wrong tenant", status, &answer);
                strangers += 1;

                let open = ["/v1/health", "/v1/ready"].contains(&path.as_str());
                for (key, who, count) in
                    [(None, "nobody", &mut nobodies), (Some(revoked.as_str()), "a revoked key", &mut revocations)]
                {
                    let (status, answer) = call(&s, key, &method, &path, body).await;
                    check((status == StatusCode::UNAUTHORIZED) != open, who, status, &answer);
                    *count += 1;
                }

                let (status, answer) = call(&s, Some(&owner.reader), &method, &path, body).await;
                let right = if looks {
                    status.is_success()
                } else {
                    let says = answer["detail"].as_str().is_some_and(|text| text.contains("scope"));
                    status == StatusCode::FORBIDDEN && says
                };
                check(right, "a key that may only look", status, &answer);
                readers += 1;
            }
        }
        assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
        for ((path, was), (_, is)) in before.iter().zip(owner.everything(&s).await) {
            assert!(*was == is, "{path} has changed: {}", short(&is));
        }
        println!(
            "{operations} operations: {strangers} as the wrong tenant, {nobodies} without a key, {revocations} with a \
             revoked key, {readers} with a key that may only look"
        );
        assert!(operations > 120, "{operations}");
    })
    .await;
}

/// Ids of another organization in bodies and paths of one's own things.
#[tokio::test]
async fn nothing_of_another_organization_is_attached_to_ones_own() {
    server::with_settings(&SECURED, |s| async move {
        let owner = Owner::new(&s).await;
        let other = organization(&s, "the other").await;
        let (_, wrong) = key(&s, &other, &["read", "write"]).await;
        let id = |name: &str| owner.ids[name].clone();
        let body = json!({"model": "engram/scripted", "embedding": "engram/embed", "tags": ["owned"]});
        let mine = ask(&s, &wrong, Method::POST, "/v1/agents/", Some(body.clone())).await;
        let mine = mine["id"].as_str().unwrap();
        let before = owner.everything(&s).await;
        for path in [
            format!("/v1/agents/{mine}/core-memory/blocks/attach/{}", id("block_id")),
            format!("/v1/agents/{mine}/tools/attach/{}", id("tool_id")),
            format!("/v1/agents/{mine}/archives/attach/{}", id("archive_id")),
        ] {
            let (status, answer) = call(&s, Some(&wrong), &Method::PATCH, &path, None).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{path}: {answer}");
        }
        for (member, value) in [("block_ids", id("block_id")), ("tool_ids", id("tool_id"))] {
            let mut with = body.clone();
            with[member] = json!([value]);
            let (status, answer) = call(&s, Some(&wrong), &Method::POST, "/v1/agents/", Some(&with)).await;
            assert!(status.is_client_error(), "{member}: {status} {answer}");
            let patch = json!({member: [value]});
            let (status, answer) =
                call(&s, Some(&wrong), &Method::PATCH, &format!("/v1/agents/{mine}"), Some(&patch)).await;
            assert!(status.is_client_error(), "{member}: {status} {answer}");
        }
        let group = json!({"agent_ids": [mine], "description": "mine", "shared_block_ids": [id("block_id")]});
        let (status, answer) = call(&s, Some(&wrong), &Method::POST, "/v1/groups/", Some(&group)).await;
        assert!(status.is_client_error(), "{status} {answer}");
        let ephemeral = ask(&s, &wrong, Method::GET, "/v1/agents/?tags=owned", None).await;
        assert_eq!(ephemeral.as_array().map(Vec::len), Some(1), "{ephemeral}");
        for ((path, was), (_, is)) in before.iter().zip(owner.everything(&s).await) {
            assert!(*was == is, "{path} has changed: {}", short(&is));
        }
    })
    .await;
}
