//! Nodes: processes that share one database and speak to each other when a conversation lives with one
//! of the others.

use std::fmt;

use engram_domain::{ConversationId, NodeId};
use futures::stream::BoxStream;

use super::StoreError;

/// How a node presents itself with every heartbeat.
#[derive(Clone)]
pub struct NodeCard {
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

impl fmt::Debug for NodeCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeCard").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

/// What changes between two heartbeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Vitals {
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

/// With whom a conversation lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// There is no such conversation.
    Gone,
    /// With nobody who is alive: whoever wants it may claim it.
    Nobody,
    /// With the node that asks.
    Me,
    /// With another node that is alive.
    Peer(Peer),
}

/// Conversations that somebody wants this node to look at.
pub type Wakeups = BoxStream<'static, Result<Wakeup, StoreError>>;

/// What a notification says. Losing one loses nothing: the reconciler finds the work later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wakeup {
    /// There is work in this conversation.
    Work(ConversationId),
    /// The connection was lost for a while, and with it whatever was said meanwhile.
    Missed,
}
