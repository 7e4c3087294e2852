//! Nodes: processes that share one database and speak to each other when a conversation lives with one
//! of the others.

use std::fmt;

use async_trait::async_trait;
use engram_domain::NodeId;

use super::StoreError;

/// How a node presents itself with every heartbeat.
#[derive(Clone)]
pub struct NodeInfo {
    /// This incarnation of the process.
    pub id: NodeId,
    /// Address and machine. A process that starts retires the node that had its name before.
    pub name: String,
    /// Where other nodes reach it, without a slash at the end.
    pub url: String,
    /// What they must present there.
    pub secret: String,
    /// The program's version.
    pub version: String,
}

impl fmt::Debug for NodeInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeInfo").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a node says of itself with a heartbeat, besides who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NodeStatus {
    /// Agents that live there.
    pub live: i64,
    /// It takes nothing new and gives back what it has.
    pub draining: bool,
}

/// Another node, as far as one needs to know it to speak to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Peer {
    /// Which incarnation.
    pub id: NodeId,
    /// Where it is reached.
    pub url: String,
    /// What it wants to be presented.
    pub secret: String,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("id", &self.id).field("url", &self.url).finish_non_exhaustive()
    }
}

/// Which nodes there are.
#[async_trait]
pub trait Nodes: Send + Sync + 'static {
    /// Says that this node lives, by the database's clock.
    async fn heartbeat(&self, node: &NodeInfo, status: NodeStatus) -> Result<(), StoreError>;

    /// The other nodes that are alive and take work.
    async fn other_nodes(&self, node: NodeId) -> Result<Vec<Peer>, StoreError>;

    /// Says that this node is gone: its conversations are free at once.
    async fn retire(&self, node: NodeId) -> Result<(), StoreError>;
}
