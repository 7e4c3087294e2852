//! What an actor holds in memory, as it is loaded.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use engram_domain::{Agent, AgentId, Archive, Block, Conversation, ConversationId, Message, Time, Tool};

use super::StoreError;

/// What the prompt's last section said when the prompt was compiled: kept, so that the next
/// compilation can tell whether anything else changed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PromptMeta {
    /// When the prompt was compiled.
    pub compiled_at: Time,
    /// Messages of the conversation that are out of context.
    pub recall_count: i64,
    /// Passages in the agent's archives.
    pub archival_count: i64,
    /// Their tags.
    #[serde(default)]
    pub archival_tags: Vec<String>,
}

/// What an agent's steps depend on besides its messages. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AgentSnapshot {
    /// Its configuration; `agent.rev` is the revision of all of this.
    pub agent: Arc<Agent>,
    /// Its blocks in the order they were attached.
    pub blocks: Vec<Arc<Block>>,
    /// Its tools, by name.
    pub tools: Arc<BTreeMap<String, Arc<Tool>>>,
    /// Its archives; the first is the one that is written to.
    pub archives: Arc<Vec<Archive>>,
    /// Passages in them.
    pub archival_count: i64,
    /// Tags of those passages, sorted.
    pub archival_tags: Vec<String>,
    /// How many messages its own conversation keeps in context, where companions keep the rest in memory.
    pub buffer: Option<MessageBuffer>,
}

/// How many messages stay in context between turns, the system message and the summary not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageBuffer {
    /// When there are more of them, the older ones leave.
    pub most: usize,
    /// As many stay then, or a few more.
    pub least: usize,
}

/// All that a live agent holds.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub snapshot: AgentSnapshot,
    /// The conversation.
    pub conversation: Conversation,
    /// What the compiled prompt's last section was made of; none before the first compilation.
    pub prompt_meta: Option<PromptMeta>,
    /// The messages in context: the system message, the summary if there is one, the rest by `seq`.
    pub context: Vec<Arc<Message>>,
}

/// Loading what an actor holds.
#[async_trait]
pub trait Snapshots: Send + Sync + 'static {
    /// All of it; only the messages in context.
    async fn load(&self, conversation: ConversationId) -> Result<Option<Loaded>, StoreError>;

    /// The configuration alone.
    async fn load_snapshot(&self, agent: AgentId) -> Result<Option<AgentSnapshot>, StoreError>;
}
