//! Nodes, as the API and `engram nodes --json` show them.

use engram_domain::NodeId;
use engram_store::nodes::NodeRow;
use serde::Serialize;
use utoipa::ToSchema;

use super::messages::letta::timestamp;

/// Whether a node does its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It does.
    Alive,
    /// It is shutting down: it takes nothing new and gives back what it has.
    Draining,
    /// It has shut down, or gave no heartbeat for too long. What it owned is free.
    Gone,
}

impl NodeState {
    /// The wire spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Draining => "draining",
            Self::Gone => "gone",
        }
    }
}

/// A process that shares the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct NodeDto {
    /// This incarnation of it.
    #[schema(value_type = String)]
    pub id: NodeId,
    /// Address and machine.
    pub name: String,
    /// Where other nodes reach it.
    pub url: String,
    /// Version of the program.
    pub version: String,
    /// Whether it does its work.
    pub state: NodeState,
    /// When it started.
    pub started_at: String,
    /// When it was last heard of.
    pub last_seen_at: String,
    /// Agents that live there.
    pub live_agents: i64,
    /// Conversations that it owns.
    pub conversations: i64,
}

impl From<&NodeRow> for NodeDto {
    fn from(row: &NodeRow) -> Self {
        let state = match (row.alive, row.draining) {
            (true, false) => NodeState::Alive,
            (true, true) => NodeState::Draining,
            (false, _) => NodeState::Gone,
        };
        let of_the_living = |number: i64| if row.alive { number } else { 0 };
        Self {
            id: row.id,
            name: without_login(&row.name),
            url: without_login(&row.url),
            version: row.version.clone(),
            state,
            started_at: timestamp(row.started_at),
            last_seen_at: timestamp(row.seen_at),
            live_agents: of_the_living(row.live),
            conversations: of_the_living(row.conversations),
        }
    }
}

/// An address without the user and password that somebody may have written into it.
fn without_login(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let host_ends = rest.find(['/', ' ']).unwrap_or(rest.len());
    match rest[..host_ends].rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use engram_domain::Time;

    use super::*;

    fn row(alive: bool, draining: bool) -> NodeRow {
        NodeRow {
            id: NodeId(uuid::Uuid::from_u128(7)),
            name: "http://me:hunter2@a:1 on box".into(),
            url: "http://me:hunter2@a:1".into(),
            version: "0.1.0".into(),
            started_at: Time::default(),
            seen_at: Time::default(),
            live: 3,
            draining,
            retired: false,
            alive,
            conversations: 5,
        }
    }

    #[test]
    fn a_node_is_shown_without_secrets() {
        insta::assert_json_snapshot!(NodeDto::from(&row(true, true)), @r#"
        {
          "id": "node-00000000-0000-0000-0000-000000000007",
          "name": "http://a:1 on box",
          "url": "http://a:1",
          "version": "0.1.0",
          "state": "draining",
          "started_at": "1970-01-01T00:00:00.000000Z",
          "last_seen_at": "1970-01-01T00:00:00.000000Z",
          "live_agents": 3,
          "conversations": 5
        }
        "#);
    }

    #[test]
    fn who_is_gone_has_nothing() {
        let gone = NodeDto::from(&row(false, true));
        assert_eq!((gone.state, gone.live_agents, gone.conversations), (NodeState::Gone, 0, 0));
        assert_eq!(NodeDto::from(&row(true, false)).state, NodeState::Alive);
    }
}
