//! The fenced commit of an actor.

use std::sync::Arc;

use async_trait::async_trait;
use engram_domain::{
    Block, BlockId, Message, MessageId, RunErrorKind, RunId, RunStatus, Step, StopReason, Time, Usage,
};

use super::{Fence, LoggedEvent, PromptMeta, StoreError};
use crate::ports::Write;

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
    pub error_kind: Option<RunErrorKind>,
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

/// Writing to a conversation.
#[async_trait]
pub trait Commits: Send + Sync + 'static {
    /// One transaction. See [`Commit`].
    async fn commit(&self, fence: Fence, commit: &Commit) -> Result<CommitOutcome, StoreError>;
}
