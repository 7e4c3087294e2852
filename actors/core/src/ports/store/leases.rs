//! Who may write to a conversation.

use async_trait::async_trait;
use engram_domain::{ConversationId, NodeId, RunId, RunOwner, StopReason, Time};

use super::{Peer, StoreError};

/// The right to write to a conversation: whose it is and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Grows with every claim; a commit with an older one changes nothing.
    pub epoch: i64,
}

/// Which node owns a conversation or a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// There is no such conversation or group.
    Gone,
    /// None that is alive: whoever wants it may claim it.
    Nobody,
    /// The node that asks.
    Me,
    /// Another node that is alive.
    Peer(Peer),
}

/// Ownership of conversations, and the work that its owner does not do.
#[async_trait]
pub trait Leases: Send + Sync + 'static {
    /// Which node owns a conversation or a group, as `node` sees it.
    async fn owner(&self, owner: RunOwner, node: NodeId) -> Result<Owner, StoreError>;

    /// Claims the conversation for this node if nobody alive owns it. None when somebody does, or when it does not
    /// exist.
    async fn claim(&self, conversation: ConversationId, node: NodeId) -> Result<Option<Fence>, StoreError>;

    /// Whether nobody else has claimed it since.
    async fn holds(&self, fence: Fence) -> Result<bool, StoreError>;

    /// Gives it back.
    async fn release(&self, fence: Fence) -> Result<(), StoreError>;

    /// Takes a conversation away from whoever owns it, and ends a run of it, in one transaction. True when this call
    /// ended the run; when it was over, nothing is taken.
    async fn revoke(&self, run: RunId, stop_reason: StopReason, now: Time) -> Result<bool, StoreError>;

    /// Conversations with open runs that nobody alive owns, oldest run first, at most `limit`.
    async fn orphaned(&self, node: NodeId, limit: i64) -> Result<Vec<ConversationId>, StoreError>;

    /// Runs that have waited for their beginning for more than two seconds in conversations that `node` owns,
    /// oldest first, at most `limit`: those of whom it may not have heard.
    async fn waiting(&self, node: NodeId, limit: i64) -> Result<Vec<(ConversationId, RunId)>, StoreError>;
}
