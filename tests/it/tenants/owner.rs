//! An organization that has one of everything.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::{ask, key, organization};
use crate::server::Server;

/// A word that all texts of the owner have.
const MARK: &str = "ownersmark";

/// Who owns what the walk asks for.
pub struct Owner {
    /// A key with all scopes.
    pub key: String,
    /// A key that may only look.
    pub reader: String,
    /// The organization.
    pub organization: String,
    /// One id for each parameter of a path.
    pub ids: BTreeMap<&'static str, String>,
    /// A user of the organization.
    pub user: String,
}

impl Owner {
    /// Makes the organization and what it has.
    pub async fn new(s: &Server) -> Self {
        let organization = organization(s, MARK).await;
        let (key_id, key_) = key(s, &organization, &["read", "write", "admin"]).await;
        let (_, reader) = key(s, &organization, &["read"]).await;
        let post = async |path: &str, body: Value| ask(s, &key_, Method::POST, path, Some(body)).await;
        let get = async |path: &str| ask(s, &key_, Method::GET, path, None).await;
        let id = |value: &Value| value["id"].as_str().unwrap_or_else(|| panic!("no id: {value}")).to_owned();
        let agent = async |name: &str| {
            let body = json!({
                "name": name, "model": "engram/scripted", "embedding": "engram/embed", "tags": ["owned"],
                "memory_blocks": [{"label": "human", "value": MARK}],
            });
            id(&post("/v1/agents/", body).await)
        };
        let (agent_id, second) = (agent("first").await, agent("second").await);
        let said = json!({"messages": [{"role": "user", "content": MARK}]});
        post(&format!("/v1/agents/{agent_id}/messages"), said).await;
        let passages = post(&format!("/v1/agents/{agent_id}/archival-memory"), json!({"text": MARK})).await;
        let schedule = json!({
            "messages": [{"role": "user", "content": MARK}],
            "schedule": {"type": "one-time", "scheduled_at": 4_102_444_800_000_i64},
        });
        let group = json!({"agent_ids": [agent_id, second], "description": MARK});
        let user = json!({"name": MARK, "organization_id": organization});
        let first = |what: &str, list: Value| {
            list.as_array()
                .and_then(|l| l.first().cloned())
                .unwrap_or_else(|| panic!("the owner has no {what}: {list}"))
        };
        let tools = get("/v1/tools/?name=send_message").await;
        let conversation = id(&post(&format!("/v1/conversations/?agent_id={agent_id}"), json!({})).await);
        let said = json!({"messages": [{"role": "user", "content": MARK}], "streaming": false});
        post(&format!("/v1/conversations/{conversation}/messages"), said).await;
        let passage = id(&first("passage", passages));
        let ids = BTreeMap::from([
            ("block_id", id(&first("block", get(&format!("/v1/agents/{agent_id}/core-memory/blocks")).await))),
            ("block_label", "human".to_owned()),
            ("tool_name", "send_message".to_owned()),
            ("tool_id", id(&first("tool", tools))),
            ("archive_id", id(&first("archive", get(&format!("/v1/archives/?agent_id={agent_id}")).await))),
            ("passage_id", passage.clone()),
            ("memory_id", passage),
            ("conversation_id", conversation),
            ("message_id", id(&first("message", get(&format!("/v1/agents/{agent_id}/messages")).await))),
            ("run_id", id(&first("run", get(&format!("/v1/runs/?agent_id={agent_id}")).await))),
            ("step_id", id(&first("step", get(&format!("/v1/steps/?agent_id={agent_id}")).await))),
            ("scheduled_message_id", id(&post(&format!("/v1/agents/{agent_id}/schedule"), schedule).await)),
            ("group_id", id(&post("/v1/groups/", group).await)),
            ("key_id", key_id),
            ("agent_id", agent_id),
        ]);
        let user = id(&post("/v1/admin/users/", user).await);
        Self { key: key_, reader, organization, ids, user }
    }

    /// A path with the owner's ids in it.
    pub fn fill(&self, path: &str) -> String {
        let segment = |s: &str| match s.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
            Some(name) => {
                self.ids.get(name).unwrap_or_else(|| panic!("the walk has no {name} for {path}: tell `Owner`")).clone()
            }
            None => s.to_owned(),
        };
        path.split('/').map(segment).collect::<Vec<_>>().join("/")
    }

    /// All that the owner has, as it sees it.
    pub async fn everything(&self, s: &Server) -> Vec<(String, Value)> {
        let mut all = Vec::new();
        for path in [
            "/v1/agents/{agent_id}",
            "/v1/agents/?limit=1000",
            "/v1/agents/{agent_id}/messages?limit=1000",
            "/v1/agents/{agent_id}/archival-memory",
            "/v1/agents/{agent_id}/schedule",
            "/v1/blocks/?limit=1000",
            "/v1/archives/?limit=1000",
            "/v1/conversations/?limit=1000",
            "/v1/conversations/{conversation_id}/messages",
            "/v1/groups/?limit=1000",
            "/v1/runs/?limit=1000",
            "/v1/steps/?limit=1000",
            "/v1/tools/?limit=1000",
            "/v1/tags/",
            "/v1/admin/keys/",
            "/v1/admin/users/",
            "/v1/admin/orgs/",
        ] {
            let path = match path.split_once('?') {
                Some((path, query)) => format!("{}?{query}", self.fill(path)),
                None => self.fill(path),
            };
            let seen = ask(s, &self.key, Method::GET, &path, None).await;
            all.push((path, seen));
        }
        all
    }

    /// Whether an answer speaks of something that is the owner's.
    pub fn is_in(&self, answer: &Value) -> bool {
        let text = answer.to_string();
        let unique = |name: &str| !matches!(name, "block_label" | "tool_name");
        text.contains(MARK) || self.ids.iter().any(|(name, id)| unique(name) && text.contains(id.as_str()))
    }
}
