//! Running tools that the step function does not execute itself.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use engram_domain::{
    Agent, AgentId, Archive, ArchiveId, Block, BlockId, ConversationId, EmbeddingConfig, JsonMap, Message, Passage,
    Role, RunId, Time, Tool, ToolStatus,
};
use tokio_util::sync::CancellationToken;

use crate::ports::{NewRun, StoreError};

/// Around a call.
#[derive(Debug, Clone)]
pub struct ToolContext {
    /// Whose call it is.
    pub agent: Arc<Agent>,
    /// In which conversation.
    pub conversation_id: ConversationId,
    /// In which run; none when the API runs a tool directly.
    pub run_id: Option<RunId>,
    /// The call's id, unique in the message that made it.
    pub call_id: String,
    /// Agents that wait, each for the next, and the last of them for this run.
    pub chain: Vec<AgentId>,
    /// How many messages from agent to agent have led to this run.
    pub hops: u32,
    /// Variables of the agent, then of the call. Secrets.
    pub env: BTreeMap<String, String>,
    /// The agent's blocks when the call began. [`ToolOutcome::blocks`] may edit them.
    pub blocks: Vec<Arc<Block>>,
}

/// The text that a tool leaves in a block, if the block still is the one of [`ToolContext::blocks`] then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockEdit {
    /// The block.
    pub id: BlockId,
    /// The version that the tool has read.
    pub version: i64,
    /// The new text.
    pub value: String,
}

/// A change in our own database that a tool wants; applied in the commit that holds its result.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Store a passage in the agent's default archive. When the agent has no archive at the time of
    /// the commit, one is created with the passage's `archive_id` as its id and the agent's own
    /// embedding model, which is the one that the passage was then embedded with.
    InsertPassage(Box<Passage>, AgentId),
    /// A message to another agent: a run in its queue. It is lost when that agent was deleted meanwhile.
    Send(Box<NewRun>),
}

/// What a tool did.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolOutcome {
    /// Whether it worked.
    pub status: ToolStatus,
    /// What it returned.
    pub text: String,
    /// What it printed.
    pub stdout: Vec<String>,
    /// What it complained of.
    pub stderr: Vec<String>,
    /// Changes to commit with the result.
    pub writes: Vec<Write>,
    /// Edits of the agent's blocks, committed with the result. When one of them cannot be made, none is, and the result
    /// becomes an error that says why.
    pub blocks: Vec<BlockEdit>,
}

impl ToolOutcome {
    /// A result.
    pub fn ok(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { status: ToolStatus::Success, text, stdout: vec![], stderr: vec![], writes: vec![], blocks: vec![] }
    }

    /// A failure that the model may react to.
    pub fn error(text: impl Into<String>) -> Self {
        Self { status: ToolStatus::Error, ..Self::ok(text) }
    }

    /// What becomes of an outcome whose edits of blocks cannot be made: the model learns why, and what the tool returned.
    #[must_use]
    pub fn with_refused_edits(self, why: &str) -> Self {
        let text = format!("The tool's edits of memory were not stored: {why} It returned: {}", self.text);
        Self { status: ToolStatus::Error, text, blocks: vec![], ..self }
    }
}

/// Runs tools: those of one kind, or of all kinds by handing each call to the runner of its kind.
#[async_trait]
pub trait ToolRunner: Send + Sync + 'static {
    /// Runs a tool that the step function does not execute itself. The arguments were prepared
    /// ([`crate::builtin::prepare`]). Never panics, never fails: what goes wrong is an outcome with an error. When `cancel`
    /// fires the tool is stopped and the outcome does not matter; dropping the future does the same.
    ///
    /// How long a call may take is up to the caller (the engine). The implementation has only the limits of the
    /// protocols that it speaks.
    async fn run(&self, context: ToolContext, tool: Arc<Tool>, args: JsonMap, cancel: CancellationToken)
    -> ToolOutcome;
}

/// What to look for in archives.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PassageQuery {
    /// Rank by nearness to this unit vector; only passages with a vector of its length are found.
    pub embedding: Option<Vec<f32>>,
    /// Only passages that contain this text, whatever its case.
    pub text: Option<String>,
    /// Only passages with these tags; all passages when empty.
    pub tags: Vec<String>,
    /// Whether a passage needs all of the tags or any of them.
    pub match_all: bool,
    /// Only passages created then or later.
    pub since: Option<Time>,
    /// Only passages created before then.
    pub until: Option<Time>,
    /// How many at most.
    pub limit: i64,
    /// How many of the best to leave out.
    pub offset: i64,
}

/// What to look for in conversations.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MessageQuery {
    /// The whole text that was searched for.
    pub phrase: Option<String>,
    /// Its words. A message is found when it contains one of them, or when there are none.
    pub words: Vec<String>,
    /// Only messages of these roles; all of them when empty.
    pub roles: Vec<Role>,
    /// Only messages created then or later.
    pub since: Option<Time>,
    /// Only messages created before then.
    pub until: Option<Time>,
    /// Leave out the messages of this run: it is going on, and they are all in context.
    pub not_of_run: Option<RunId>,
    /// How many at most.
    pub limit: i64,
    /// How many of the best to leave out.
    pub offset: i64,
}

/// What a companion's run was told, and of whom.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The agent whose memory the companion looks after.
    pub main: AgentId,
    /// How that agent's passages are embedded when it has no archive yet.
    pub embedding: EmbeddingConfig,
    /// The message with the transcript.
    pub text: String,
}

/// What tools read.
#[async_trait]
pub trait ToolStore: Send + Sync + 'static {
    /// Archives attached to an agent; the first is the one that is written to.
    async fn archives(&self, agent: AgentId) -> Result<Vec<Archive>, StoreError>;

    /// Passages of the archives with their scores, best first. With an embedding the score is the
    /// cosine similarity, from -1 to 1; without one it is 0 and the newest come first. Vectors of the
    /// passages are left out.
    async fn search_passages(
        &self,
        archives: &[ArchiveId],
        query: &PassageQuery,
    ) -> Result<Vec<(Passage, f32)>, StoreError>;

    /// Whether there is an agent `to` in the organization of the agent `from`.
    async fn has_agent(&self, from: AgentId, to: AgentId) -> Result<bool, StoreError>;

    /// Agents of the organization of `from` that have every tag of `all` and at least one of `some` (if it names any), oldest first, at
    /// most `limit`. Hidden ones are left out.
    async fn agents_by_tags(
        &self,
        from: AgentId,
        all: &[String],
        some: &[String],
        limit: i64,
    ) -> Result<Vec<AgentId>, StoreError>;

    /// What the companion was told in this run; none when it is no run of one, or its agent is gone.
    async fn told(&self, run: RunId) -> Result<Option<Told>, StoreError>;

    /// Members of the groups that this agent supervises, each once, in their order, without itself.
    async fn supervised_by(&self, agent: AgentId) -> Result<Vec<AgentId>, StoreError>;

    /// Messages of an agent, of one of its conversations or of all. Those that contain the phrase
    /// come first, then those that contain more of the words, and the newer before the older. Case
    /// does not matter, and a word is found inside of others.
    ///
    /// What only the machinery says is never found: compiled prompts, heartbeats, logins, results of
    /// `conversation_search` and `search_memory` and the messages that call them (they repeat what was searched for).
    async fn search_messages(
        &self,
        agent: AgentId,
        conversation: Option<ConversationId>,
        query: &MessageQuery,
    ) -> Result<Vec<Message>, StoreError>;
}
