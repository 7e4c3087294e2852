//! The part of the store that the engine drives agents with.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use engram_domain::{
    Agent, AgentId, Archive, Block, BlockId, Conversation, ConversationId, Json, Message, MessageId, NodeId, Run,
    RunId, RunInput, RunStatus, Step, StopReason, Time, Tool, Usage, run::BusyPolicy,
};

use crate::ports::{NodeCard, Owner, Peer, Vitals, Wakeups, Write};

/// Why the store could not do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// No connection, or none in time; nothing was changed as far as anybody knows. Try again.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// A reference to something that does not exist, or a value the schema refuses.
    #[error("{0}")]
    Invalid(String),
    /// Something else of that name or id exists.
    #[error("{0}")]
    Conflict(String),
    /// A row that this version cannot read: table, column, and what is wrong.
    #[error("{table}.{column} of {id}: {problem}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row.
        id: String,
        /// What is wrong.
        problem: String,
    },
    /// Everything else the database says.
    #[error("database error: {0}")]
    Database(String),
}

/// The right to write to a conversation: whose it is and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Grows with every claim; a commit with an older one changes nothing.
    pub epoch: i64,
}

/// A run that is about to be acknowledged.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// The agent.
    pub agent_id: AgentId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// What is asked.
    pub input: RunInput,
    /// Whether nobody waits.
    pub background: bool,
    /// Which route.
    pub run_type: String,
    /// Free-form data of the caller.
    pub metadata: Json,
    /// Where to report its end.
    pub callback_url: Option<String>,
    /// Names of this request, so that one sent twice is carried out once; see [`Accepted::Known`].
    pub keys: Vec<String>,
    /// What becomes of it while the agent is busy; the agent's own wish where none is given.
    pub busy_policy: Option<BusyPolicy>,
    /// Open runs that its conversation may have, this one not counted.
    pub max_queue: i64,
    /// Now.
    pub created_at: Time,
}

/// What became of a run that was to be stored.
#[derive(Debug, Clone, PartialEq)]
pub enum Accepted {
    /// It is stored: this is the acknowledgement.
    Stored {
        /// The agent's revision.
        rev: i64,
        /// The other node that the conversation lives with, if one does.
        owner: Option<Peer>,
        /// What becomes of it, as request or agent wanted it: [`BusyPolicy::Interrupt`] or
        /// [`BusyPolicy::Queue`].
        policy: BusyPolicy,
    },
    /// A request of that name was accepted before. Nothing was stored.
    Known(Box<Run>),
    /// The conversation is busy with this run, and the request did not want to wait. Nothing was stored.
    Busy(RunId),
    /// As many runs wait as may. Nothing was stored.
    Full,
    /// There is no such agent or conversation.
    NotFound,
}

/// An event of a run's stream with its number, as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedEvent {
    /// Its number, from 1.
    pub seq: i64,
    /// The event.
    pub event: Json,
}

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

/// A change of a block by a tool of the agent.
#[derive(Debug, Clone, PartialEq)]
pub enum BlockWrite {
    /// New value, if the version is still the one that was read.
    Set {
        /// The block.
        id: BlockId,
        /// The version it was read at.
        version: i64,
        /// Its new value.
        value: String,
        /// Its new label, when it was renamed.
        label: Option<String>,
        /// Its new description, when that was changed.
        description: Option<String>,
    },
    /// A new block, attached to the agent.
    Create(Box<Block>),
    /// No longer attached to the agent; the block itself stays.
    Detach(BlockId),
}

/// Where the context begins after a compaction or a reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContextMark {
    /// The summary, if there is one.
    pub summary_message_id: Option<MessageId>,
    /// `seq` of the oldest message in context besides the system message and the summary.
    pub context_from: i64,
}

/// What becomes of a run with this commit.
#[derive(Debug, Clone, PartialEq)]
pub struct RunUpdate {
    /// The run.
    pub id: RunId,
    /// Where it is now.
    pub status: RunStatus,
    /// Why it ended.
    pub stop_reason: Option<StopReason>,
    /// What went wrong.
    pub error: Option<String>,
    /// What kind of error that is.
    pub error_kind: Option<String>,
    /// How often it was begun since its last committed step.
    pub attempts: i32,
    /// Model calls so far.
    pub step_count: i32,
    /// Tokens so far.
    pub usage: Usage,
    /// From the request to the first token, in nanoseconds.
    pub ttft_ns: Option<i64>,
}

/// One transaction of one actor. All of it happens or none of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Commit {
    /// Now.
    pub now: Time,
    /// `next_seq` that the actor believes in; the messages carry the ones from here on.
    pub expect_seq: i64,
    /// Messages to append, with consecutive `seq` from `expect_seq`.
    pub append: Vec<Arc<Message>>,
    /// Messages whose content and token count change in place (the system message, an edited one).
    pub rewrite: Vec<Arc<Message>>,
    /// All messages from this `seq` on are deleted first (a reset); none otherwise.
    pub delete_from: Option<i64>,
    /// The group whose messages are deleted, except summaries; their places stay empty.
    pub delete_group: Option<String>,
    /// Where the context begins from now on.
    pub context: Option<ContextMark>,
    /// What the prompt's last section was made of.
    pub prompt_meta: Option<PromptMeta>,
    /// Changes of blocks.
    pub blocks: Vec<BlockWrite>,
    /// Other writes of tools.
    pub writes: Vec<Write>,
    /// The step that this ends.
    pub step: Option<Box<Step>>,
    /// The run that this moves.
    pub run: Option<RunUpdate>,
    /// What the run's readers are to see of it, when its events are kept.
    pub events: Vec<LoggedEvent>,
}

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitOutcome {
    /// It happened. The revision of the agent's configuration after it.
    Done {
        /// `agents.rev`.
        agent_rev: i64,
    },
    /// Somebody else owns the conversation now. Nothing happened.
    Fenced,
    /// A block was changed by somebody else since it was read. Nothing happened.
    BlockConflict,
}

/// What the engine asks of the database.
#[async_trait]
pub trait EngineStore: Send + Sync + 'static {
    /// Says that this node lives, by the database's clock.
    async fn heartbeat(&self, card: &NodeCard, vitals: Vitals) -> Result<(), StoreError>;

    /// The other nodes that are alive and take work.
    async fn other_nodes(&self, node: NodeId) -> Result<Vec<Peer>, StoreError>;

    /// Says that this node is gone: its conversations are free at once.
    async fn retire(&self, node: NodeId) -> Result<(), StoreError>;

    /// Stores a run that `node` was asked for: its commit is the acknowledgement.
    async fn insert_run(&self, run: &NewRun, node: NodeId) -> Result<Accepted, StoreError>;

    /// With whom a conversation lives, as `node` sees it.
    async fn owner(&self, conversation: ConversationId, node: NodeId) -> Result<Owner, StoreError>;

    /// What nodes tell `node`, as it comes; none where the database cannot notify.
    async fn wakeups(&self, node: NodeId) -> Result<Option<Wakeups>, StoreError>;

    /// Tells a node, or all of them, that there is work in a conversation.
    async fn poke(&self, node: Option<NodeId>, conversation: ConversationId) -> Result<(), StoreError>;

    /// Takes the conversation for this node if nobody alive has it. None when somebody has, or when
    /// it does not exist.
    async fn claim(&self, conversation: ConversationId, node: NodeId) -> Result<Option<Fence>, StoreError>;

    /// Whether it was taken by nobody else since.
    async fn holds(&self, fence: Fence) -> Result<bool, StoreError>;

    /// Gives it back.
    async fn release(&self, fence: Fence) -> Result<(), StoreError>;

    /// Loads what a live agent holds; only the messages in context.
    async fn load(&self, conversation: ConversationId) -> Result<Option<Loaded>, StoreError>;

    /// Loads the configuration again.
    async fn load_snapshot(&self, agent: AgentId) -> Result<Option<AgentSnapshot>, StoreError>;

    /// A run with its input.
    async fn run(&self, id: RunId) -> Result<Option<Run>, StoreError>;

    /// What a run has committed to its conversation, by `seq`.
    async fn messages_of(&self, run: RunId) -> Result<Vec<Message>, StoreError>;

    /// Runs of a conversation that are not over: one that was begun first, the others oldest first.
    async fn open_runs(&self, conversation: ConversationId) -> Result<Vec<RunId>, StoreError>;

    /// Conversations with open runs that nobody alive owns, oldest run first, at most `limit`.
    async fn stranded(&self, node: NodeId, limit: i64) -> Result<Vec<ConversationId>, StoreError>;

    /// Runs that have waited for their beginning for more than two seconds in conversations that `node` owns,
    /// oldest first, at most `limit`: those of whom it may not have heard.
    async fn waiting(&self, node: NodeId, limit: i64) -> Result<Vec<(ConversationId, RunId)>, StoreError>;

    /// Appends events to a run's log, unless the fence has moved on: false then, and nothing is written.
    async fn append_events(&self, fence: Fence, run: RunId, events: &[LoggedEvent]) -> Result<bool, StoreError>;

    /// Events of a run's log with a number above `after`, at most `limit`.
    async fn events(&self, run: RunId, after: i64, limit: i64) -> Result<Vec<LoggedEvent>, StoreError>;

    /// The number of the last event in a run's log, 0 when there is none.
    async fn last_event(&self, run: RunId) -> Result<i64, StoreError>;

    /// Drops the events of runs that ended long ago. How many went.
    async fn prune_events(&self, now: Time) -> Result<u64, StoreError> {
        let _ = now;
        Ok(0)
    }

    /// Takes a conversation away from whoever has it, and ends a run of it, in one transaction. True when
    /// this call ended the run; when it was over, nothing is taken.
    async fn seize(&self, id: RunId, stop_reason: StopReason, now: Time) -> Result<bool, StoreError>;

    /// One transaction. See [`Commit`].
    async fn commit(&self, fence: Fence, commit: &Commit) -> Result<CommitOutcome, StoreError>;

    /// Ends a run that no actor drives (its agent is gone, or it was cancelled before it began).
    /// True when this call ended it.
    async fn end_run(
        &self,
        id: RunId,
        stop_reason: StopReason,
        error: Option<&str>,
        now: Time,
    ) -> Result<bool, StoreError>;
}
