//! What nodes tell each other through the database.

use async_trait::async_trait;
use engram_domain::{NodeId, RunOwner};
use futures::stream::BoxStream;

use super::StoreError;

/// Conversations and groups that somebody wants this node to look at.
pub type Wakeups = BoxStream<'static, Result<Wakeup, StoreError>>;

/// What a notification says. Losing one loses nothing: the reconciler finds the work later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wakeup {
    /// There is work in this conversation or group.
    Work(RunOwner),
    /// The connection was lost for a while, and with it whatever was said meanwhile.
    Missed,
}

/// Telling nodes that there is work. Nothing depends on a notification: whoever misses one finds the work by asking.
#[async_trait]
pub trait Notifications: Send + Sync + 'static {
    /// What nodes tell `node`, as it comes; none where the database cannot notify.
    async fn wakeups(&self, node: NodeId) -> Result<Option<Wakeups>, StoreError>;

    /// Tells a node, or all of them, that there is work in a conversation or a group.
    async fn notify(&self, node: Option<NodeId>, owner: RunOwner) -> Result<(), StoreError>;
}
