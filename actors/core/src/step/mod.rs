//! The step function: `State`, an event in, effects out.
//!
//! A run goes through phases: *shrinking* (the context is compacted, when it must be), *thinking*
//! (the model is called), *acting* (its tool calls are carried out), and back to thinking until it
//! ends. Whatever takes time happens outside, as an effect that carries an attempt number; its
//! result comes back as an event, and one that carries an old number is dropped.
//!
//! The effects of one event are carried out in order. If a commit among them does not happen, what
//! follows it does not happen either, and the state is thrown away: the next life starts from the
//! database. So the state may run ahead of the database by one commit and never by two.
//!
//! Calls of one answer are carried out in their order, one after the other; neighbours whose tools allow it run at
//! once. Their results are stored in the order of the calls, whichever comes first.
//!
//! To add an event: a variant, its arm in [`State::step`], and a function in the file of its phase.

mod act;
mod begin;
mod buffer;
mod commands;
mod finish;
mod open_calls;
mod reply;
mod request;
mod results;
mod shrink;
mod state;
mod toolbox;
mod window;

use std::sync::Arc;

use engram_domain::{
    Message, MessageId, Run, RunErrorKind, RunId, RunOwner, RunStatus, StepId, StopReason, Time, Tool, ToolCall, Usage,
};

use crate::ports::{ChatReply, ChatRequest, Commit, Ids, LlmError, ToolOutcome, tools::ToolContext};

pub use commands::CommandOutcome;
pub use state::{Phase, State, Turn};

/// What a step may look at besides the state and the event. Time and ids come in from here, so the
/// same input gives the same output.
pub struct Env<'a> {
    /// Now.
    pub now: Time,
    /// Nanoseconds of a clock that never goes back.
    pub mono_ns: i64,
    /// New ids.
    pub ids: &'a dyn Ids,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A run is next: one that was just acknowledged, or one that a crash interrupted.
    Start(Box<Run>),
    /// The model answered.
    LlmDone {
        /// Of which attempt.
        attempt: u64,
        /// What it said.
        reply: Box<ChatReply>,
        /// How long it took, in nanoseconds.
        took_ns: i64,
        /// When its first token came, on the clock of [`Env::mono_ns`].
        first_token_ns: Option<i64>,
    },
    /// The model did not answer.
    LlmFailed {
        /// Of which attempt.
        attempt: u64,
        /// Why.
        error: LlmError,
        /// How long it took, in nanoseconds.
        took_ns: i64,
    },
    /// A tool is done.
    ToolDone {
        /// Of which attempt.
        attempt: u64,
        /// What it did.
        outcome: Box<ToolOutcome>,
    },
    /// The summarizer is done, or failed.
    SummaryDone {
        /// Of which attempt.
        attempt: u64,
        /// What it said.
        result: Result<Box<ChatReply>, LlmError>,
    },
    /// Somebody wants the run to end.
    Cancel {
        /// Which.
        run_id: RunId,
    },
}

/// Something to do.
#[derive(Debug, Clone)]
pub enum Effect {
    /// One transaction. If it does not happen, nothing after it does.
    Commit(Box<Commit>),
    /// Call the model with [`State::request`], as it is when this effect's turn comes.
    CallLlm {
        /// To send back.
        attempt: u64,
        /// The id of the message that the answer becomes.
        message_id: MessageId,
        /// The step it belongs to.
        step_id: StepId,
        /// Whether pieces are to be published.
        stream_tokens: bool,
    },
    /// Call the summarizer.
    Summarize {
        /// To send back.
        attempt: u64,
        /// What to ask.
        request: Box<ChatRequest>,
    },
    /// Run a tool. Several of these may come at once; their results may come back in any order.
    RunTool {
        /// To send back.
        attempt: u64,
        /// The call.
        call: ToolCall,
        /// The tool.
        tool: Arc<Tool>,
        /// Its arguments, checked.
        args: engram_domain::JsonMap,
        /// Around it.
        context: Box<ToolContext>,
    },
    /// Stop whatever runs outside: model, summarizer, tool.
    Abort,
    /// Show a committed message to whoever follows the run.
    Publish(Arc<Message>),
    /// The run is over.
    Ended(Box<RunEnd>),
    /// A command is done.
    Answer(Option<Box<CommandOutcome>>),
}

/// What went wrong with a run.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RunError {
    /// What kind of error.
    pub kind: RunErrorKind,
    /// In words for the caller.
    pub message: String,
    /// The message that it is about: the request for approval that stands in the way.
    pub about: Option<MessageId>,
}

impl RunError {
    /// An error that is about no message.
    pub fn new(kind: RunErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), about: None }
    }
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RunEnd {
    /// The run.
    pub run_id: RunId,
    /// Where it ended.
    pub status: RunStatus,
    /// Why.
    pub stop_reason: StopReason,
    /// Tokens over all its model calls.
    pub usage: Usage,
    /// Its model calls.
    pub step_count: i32,
    /// Tokens in context after it, as we count them.
    pub context_tokens: i64,
    /// What went wrong.
    pub error: Option<RunError>,
}

impl RunEnd {
    /// The end of a run for this reason, with what the run has cost so far.
    pub fn of(run: &Run, stop_reason: StopReason, error: Option<RunError>) -> Self {
        Self {
            run_id: run.id,
            status: stop_reason.status(),
            stop_reason,
            usage: run.usage,
            step_count: run.step_count,
            context_tokens: 0,
            error,
        }
    }

    /// The end of a run that is over, as its row tells it.
    pub fn stored(run: &Run) -> Self {
        let error = run
            .error
            .as_ref()
            .map(|message| RunError::new(run.error_kind.clone().unwrap_or(RunErrorKind::Internal), message.as_str()));
        Self { status: run.status, ..Self::of(run, run.stop_reason.unwrap_or(StopReason::Error), error) }
    }

    /// The end of a run that was deleted together with what it belongs to.
    pub fn deleted(run: RunId, owner: RunOwner) -> Self {
        let whose = match owner {
            RunOwner::Conversation(_) => "The agent was deleted during the run.",
            RunOwner::Group(_) => "The group was deleted before its agents had spoken.",
        };
        Self {
            run_id: run,
            status: StopReason::Error.status(),
            stop_reason: StopReason::Error,
            usage: Usage::default(),
            step_count: 0,
            context_tokens: 0,
            error: Some(RunError::new(RunErrorKind::NotFound, whose)),
        }
    }
}

impl State {
    /// Takes an event in; what it leads to comes out.
    pub fn step(&mut self, event: Event, env: &Env<'_>) -> Vec<Effect> {
        match event {
            Event::Start(run) => begin::start(self, *run, env),
            Event::LlmDone { attempt, reply, took_ns, first_token_ns } => {
                reply::done(self, attempt, *reply, took_ns, first_token_ns, env)
            }
            Event::LlmFailed { attempt, error, took_ns } => reply::failed(self, attempt, &error, took_ns, env),
            Event::ToolDone { attempt, outcome } => act::tool_done(self, attempt, *outcome, env),
            Event::SummaryDone { attempt, result } => shrink::done(self, attempt, result, env),
            Event::Cancel { run_id } => finish::cancel(self, run_id, env),
        }
    }
}
