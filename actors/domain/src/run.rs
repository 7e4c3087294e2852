//! A run: one request to an agent or to a group, from its acknowledgement to its terminal state.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    AgentId, ConversationId, GroupId, Json, Part, RequestKey, Role, RunErrorKind, RunId, RunType, Scope, Time,
};

/// Where a run is. Spelled as the API spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Acknowledged, not begun.
    Created,
    /// Its first commit has happened.
    Running,
    /// Ended as it should, waiting for an approval included.
    Completed,
    /// Ended with an error, which the run keeps.
    Failed,
    /// Ended because somebody asked for it.
    Cancelled,
}

impl RunStatus {
    /// The wire spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status with this spelling.
    pub fn parse(s: &str) -> Option<Self> {
        [Self::Created, Self::Running, Self::Completed, Self::Failed, Self::Cancelled]
            .into_iter()
            .find(|v| v.as_str() == s)
    }

    /// Whether nothing will change any more.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// What becomes of a message that is sent while the agent is busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BusyPolicy {
    /// It waits its turn.
    #[default]
    Queue,
    /// It is refused.
    Reject,
    /// What is on is cancelled, what it has done stays, and this begins.
    Interrupt,
}

impl BusyPolicy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Queue, Self::Reject, Self::Interrupt];

    /// The wire spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Reject => "reject",
            Self::Interrupt => "interrupt",
        }
    }

    /// The policy with this spelling.
    pub fn parse(s: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|v| v.as_str() == s)
    }
}

macro_rules! stop_reasons {
    ($($(#[$doc:meta])* $variant:ident = $wire:literal => $status:ident;)*) => {
        /// Why a run ended. Spelled as the API spells it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum StopReason {
            $($(#[$doc])* #[serde(rename = $wire)] $variant,)*
        }

        impl StopReason {
            /// The wire spelling.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $wire,)* }
            }

            /// The reason with this spelling.
            pub fn parse(s: &str) -> Option<Self> {
                match s { $($wire => Some(Self::$variant),)* _ => None }
            }

            /// The status that a run with this reason ends in.
            pub fn status(self) -> RunStatus {
                match self { $(Self::$variant => RunStatus::$status,)* }
            }
        }
    };
}

stop_reasons! {
    /// The agent said what it had to say.
    EndTurn = "end_turn" => Completed;
    /// The limit of model calls was reached.
    MaxSteps = "max_steps" => Completed;
    /// A terminal tool ended the turn although the model wanted to go on.
    ToolRule = "tool_rule" => Completed;
    /// Waiting for the client to approve or to run a tool.
    RequiresApproval = "requires_approval" => Completed;
    /// Something unexpected.
    Error = "error" => Failed;
    /// A tool call that could not be read.
    InvalidToolCall = "invalid_tool_call" => Failed;
    /// The model called no tool where it had to.
    NoToolCall = "no_tool_call" => Failed;
    /// An answer of the model that could not be used.
    InvalidLlmResponse = "invalid_llm_response" => Failed;
    /// The provider refused or failed.
    LlmApiError = "llm_api_error" => Failed;
    /// The answer or the context hit a limit.
    MaxTokensExceeded = "max_tokens_exceeded" => Failed;
    /// The system prompt alone does not fit.
    ContextOverflowInSystem = "context_window_overflow_in_system_prompt" => Failed;
    /// Somebody asked for it.
    Cancelled = "cancelled" => Cancelled;
}

/// Tokens of one model call or the sum over several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Tokens the model wrote.
    pub completion_tokens: i64,
    /// Tokens the model read.
    pub prompt_tokens: i64,
    /// Of those read, tokens served from the provider's cache.
    pub cached_input_tokens: i64,
    /// Tokens written to the provider's cache.
    pub cache_write_tokens: i64,
    /// Of those written, tokens spent on reasoning.
    pub reasoning_tokens: i64,
}

impl Usage {
    /// Read and written together.
    pub fn total(self) -> i64 {
        self.completion_tokens.saturating_add(self.prompt_tokens)
    }

    /// Adds another call's tokens.
    pub fn add(&mut self, other: Self) {
        self.completion_tokens = self.completion_tokens.saturating_add(other.completion_tokens);
        self.prompt_tokens = self.prompt_tokens.saturating_add(other.prompt_tokens);
        self.cached_input_tokens = self.cached_input_tokens.saturating_add(other.cached_input_tokens);
        self.cache_write_tokens = self.cache_write_tokens.saturating_add(other.cache_write_tokens);
        self.reasoning_tokens = self.reasoning_tokens.saturating_add(other.reasoning_tokens);
    }
}

/// A message as it was sent to the agent, before it becomes part of the conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputMessage {
    /// `user`, `system` or `assistant`.
    pub role: Role,
    /// What it says.
    pub content: Vec<Part>,
    /// Name of the speaker.
    #[serde(default)]
    pub name: Option<String>,
    /// The caller's own id for it.
    #[serde(default)]
    pub otid: Option<String>,
    /// Who sent it, when it was an agent or an identity.
    #[serde(default)]
    pub sender_id: Option<String>,
    /// Group it was sent in.
    #[serde(default)]
    pub group_id: Option<String>,
}

impl InputMessage {
    /// Words to an agent, of nobody in particular.
    pub fn user(text: impl Into<String>) -> Self {
        Self {
            role: Role::User,
            content: vec![Part::text(text)],
            name: None,
            otid: None,
            sender_id: None,
            group_id: None,
        }
    }
}

/// The client's word on one pending tool call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Decision {
    /// Run it, or do not.
    Approval {
        /// Which call; none means every pending one (the older form names the message instead).
        tool_call_id: Option<String>,
        /// Whether to run it.
        approve: bool,
        /// Why not.
        reason: Option<String>,
    },
    /// The client ran it; this is its result.
    Return {
        /// Which call.
        tool_call_id: String,
        /// What it returned.
        text: String,
        /// Whether it worked.
        ok: bool,
        /// Its standard output.
        #[serde(default)]
        stdout: Vec<String>,
        /// Its standard error.
        #[serde(default)]
        stderr: Vec<String>,
    },
}

impl Decision {
    /// Bytes of its texts.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Approval { tool_call_id, reason, .. } => {
                [tool_call_id, reason].into_iter().flatten().map(String::len).sum()
            }
            Self::Return { tool_call_id, text, stdout, stderr, .. } => {
                tool_call_id.len() + text.len() + stdout.iter().chain(stderr).map(String::len).sum::<usize>()
            }
        }
    }
}

/// A tool that the client runs itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClientTool {
    /// Its name.
    pub name: String,
    /// What it does, for the model.
    #[serde(default)]
    pub description: Option<String>,
    /// JSON schema of its arguments.
    #[serde(default)]
    pub parameters: Option<Json>,
}

/// What was asked of the agent. Kept with the run, so that a crash can start it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunInput {
    /// Messages to append.
    pub messages: Vec<InputMessage>,
    /// Words on pending tool calls. Either these or messages.
    pub decisions: Vec<Decision>,
    /// How many model calls the run may make.
    pub max_steps: i32,
    /// Tools that the client runs.
    pub client_tools: Vec<ClientTool>,
    /// Model handle for this run only.
    pub override_model: Option<String>,
    /// System prompt for this run only.
    pub override_system: Option<String>,
    /// Whether token deltas are wanted; the model is then asked to stream.
    pub stream_tokens: bool,
    /// What the caller asked for about the shape of the answer, returned with the run.
    pub request_config: Json,
    /// Agents that wait, each for the next, and the last of them for this run.
    pub chain: Vec<AgentId>,
    /// How many messages from agent to agent have led to it, one from the other: 0 for what came from outside.
    pub hops: u32,
}

impl RunInput {
    /// Whether both ask the agent for the same; in which form the answer is wanted does not matter.
    pub fn asks_the_same(&self, other: &Self) -> bool {
        let shape = |input: &Self| Self { stream_tokens: false, request_config: Json::Null, ..input.clone() };
        self == other || shape(self) == shape(other)
    }
}

impl Default for RunInput {
    fn default() -> Self {
        Self {
            messages: Vec::new(),
            decisions: Vec::new(),
            max_steps: DEFAULT_MAX_STEPS,
            client_tools: Vec::new(),
            override_model: None,
            override_system: None,
            stream_tokens: false,
            request_config: Json::Null,
            chain: Vec::new(),
            hops: 0,
        }
    }
}

/// Model calls that a run makes at most when the caller does not say.
pub const DEFAULT_MAX_STEPS: i32 = 50;

/// What a run belongs to. One node at a time owns it and drives its runs, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOwner {
    /// The run writes to this conversation.
    Conversation(ConversationId),
    /// The run consists of runs of this group's agents: its children.
    Group(GroupId),
}

impl RunOwner {
    /// The conversation, unless it is a group.
    pub fn conversation(self) -> Option<ConversationId> {
        match self {
            Self::Conversation(id) => Some(id),
            Self::Group(_) => None,
        }
    }

    /// The group, unless it is a conversation.
    pub fn group(self) -> Option<GroupId> {
        match self {
            Self::Conversation(_) => None,
            Self::Group(id) => Some(id),
        }
    }
}

impl From<ConversationId> for RunOwner {
    fn from(id: ConversationId) -> Self {
        Self::Conversation(id)
    }
}

impl From<GroupId> for RunOwner {
    fn from(id: GroupId) -> Self {
        Self::Group(id)
    }
}

impl fmt::Display for RunOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conversation(id) => id.fmt(f),
            Self::Group(id) => id.fmt(f),
        }
    }
}

/// A run that is about to be acknowledged.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// The agent whose conversation it is; none for a group.
    pub agent_id: Option<AgentId>,
    /// What it belongs to.
    pub owner: RunOwner,
    /// The group's run that it is a turn of.
    pub parent: Option<RunId>,
    /// What is asked.
    pub input: RunInput,
    /// Whether nobody waits.
    pub background: bool,
    /// What began it.
    pub run_type: RunType,
    /// Free-form data of the caller.
    pub metadata: Json,
    /// Where to report its end.
    pub callback_url: Option<String>,
    /// Keys of this request: one that is sent twice is carried out once.
    pub keys: Vec<RequestKey>,
    /// What becomes of it while its owner is busy; where none is given, the agent's own setting holds.
    pub busy_policy: Option<BusyPolicy>,
    /// Open runs that its owner may have, this one not counted.
    pub max_queue: i64,
    /// Now.
    pub created_at: Time,
    /// For whom: an agent or a group of another organization is not found.
    pub scope: Scope,
}

impl NewRun {
    /// The run as it is right after its acceptance. `interrupts`: see [`Run::interrupts`].
    pub fn into_run(self, interrupts: bool) -> Run {
        Run {
            id: self.id,
            agent_id: self.agent_id,
            owner: self.owner,
            parent: self.parent,
            status: RunStatus::Created,
            stop_reason: None,
            input: self.input,
            background: self.background,
            run_type: self.run_type,
            metadata: self.metadata,
            callback_url: self.callback_url,
            interrupts,
            error: None,
            error_kind: None,
            attempts: 0,
            step_count: 0,
            usage: Usage::default(),
            ttft_ns: None,
            created_at: self.created_at,
            updated_at: self.created_at,
            completed_at: None,
        }
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The agent it was sent to; of a group's run the group's manager, else its first member, if it has any.
    pub agent_id: Option<AgentId>,
    /// What it belongs to.
    pub owner: RunOwner,
    /// The group's run that it is a turn of.
    pub parent: Option<RunId>,
    /// Where it is.
    pub status: RunStatus,
    /// Why it ended.
    pub stop_reason: Option<StopReason>,
    /// What was asked.
    pub input: RunInput,
    /// Whether the caller did not wait for it.
    pub background: bool,
    /// What began it.
    pub run_type: RunType,
    /// Free-form data of the caller.
    pub metadata: Json,
    /// Where to report its end.
    pub callback_url: Option<String>,
    /// Whether it makes room for itself: what is on is cancelled, a pending approval denied.
    pub interrupts: bool,
    /// What went wrong, in words for the caller.
    pub error: Option<String>,
    /// What kind of error that is, so that whoever asks again gets the same answer. None for runs that ended while no
    /// actor drove them.
    pub error_kind: Option<RunErrorKind>,
    /// How often it was begun since its last committed step. More than [`MAX_ATTEMPTS`] and it fails.
    pub attempts: i32,
    /// Model calls so far.
    pub step_count: i32,
    /// Tokens so far.
    pub usage: Usage,
    /// From the request to the first token, in nanoseconds.
    pub ttft_ns: Option<i64>,
    /// When it was acknowledged.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
    /// When it ended.
    pub completed_at: Option<Time>,
}

impl Run {
    /// Whether its events are kept in the database under their numbers. Those of a group's run always are: what members
    /// say lies in several conversations, in no order of its own.
    pub fn keeps_events(&self) -> bool {
        self.background || self.owner.group().is_some()
    }
}

/// Times that a run is begun without a step's coming to its end before it is given up as poisonous.
pub const MAX_ATTEMPTS: i32 = 3;
