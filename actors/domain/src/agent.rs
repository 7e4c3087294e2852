//! An agent: its configuration, without its conversations.

use serde::{Deserialize, Serialize};

use crate::{
    AgentId, BusyPolicy, CompactionSettings, EmbeddingConfig, EnvVarId, IdentityId, Json, JsonMap, LlmConfig,
    StopReason, Time, ToolRule,
};

/// What kind of loop an agent runs and which tools it starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentType {
    /// Speaks through `send_message`, goes on by heartbeats. The default of the old clients.
    MemgptAgent,
    /// As `memgpt_agent`, with the line-wise memory tools.
    MemgptV2Agent,
    /// Plain text ends the turn, no heartbeats. The default of the 1.x clients.
    LettaV1Agent,
    /// No memory tools, no memory section in its prompt.
    ReactAgent,
    /// As `react_agent`, and its message buffer is cleared after every run.
    WorkflowAgent,
    /// Listed by the API, refused at creation (as the old server did).
    SplitThreadAgent,
    /// Works on another agent's memory in the background.
    SleeptimeAgent,
    /// Speaks through the chat-completions route.
    VoiceConvoAgent,
    /// The background companion of a voice agent.
    VoiceSleeptimeAgent,
}

impl AgentType {
    /// All types, in the order of the API document.
    pub const ALL: [Self; 9] = [
        Self::MemgptAgent,
        Self::MemgptV2Agent,
        Self::LettaV1Agent,
        Self::ReactAgent,
        Self::WorkflowAgent,
        Self::SplitThreadAgent,
        Self::SleeptimeAgent,
        Self::VoiceConvoAgent,
        Self::VoiceSleeptimeAgent,
    ];

    /// The wire spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MemgptAgent => "memgpt_agent",
            Self::MemgptV2Agent => "memgpt_v2_agent",
            Self::LettaV1Agent => "letta_v1_agent",
            Self::ReactAgent => "react_agent",
            Self::WorkflowAgent => "workflow_agent",
            Self::SplitThreadAgent => "split_thread_agent",
            Self::SleeptimeAgent => "sleeptime_agent",
            Self::VoiceConvoAgent => "voice_convo_agent",
            Self::VoiceSleeptimeAgent => "voice_sleeptime_agent",
        }
    }

    /// The type with this wire spelling.
    pub fn parse(s: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.as_str() == s)
    }

    /// Whether the model is made to call a tool in every step and asks for the next step with
    /// `request_heartbeat`. The others end their turn with plain text.
    pub fn has_heartbeats(self) -> bool {
        matches!(self, Self::MemgptAgent | Self::MemgptV2Agent | Self::VoiceConvoAgent | Self::VoiceSleeptimeAgent)
    }

    /// Whether memory blocks are rendered into the system prompt.
    pub fn shows_memory(self) -> bool {
        !matches!(self, Self::ReactAgent | Self::WorkflowAgent)
    }
}

/// A variable that the agent's tools see in their environment. Its value is a secret: it must
/// never reach a log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvVar {
    /// Its id.
    pub id: EnvVarId,
    /// Name of the variable.
    pub key: String,
    /// Value of the variable.
    pub value: String,
    /// What it is for.
    pub description: Option<String>,
}

impl std::fmt::Debug for EnvVar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnvVar").field("key", &self.key).finish_non_exhaustive()
    }
}

/// An agent's configuration. Blocks, tools and conversations are rows of their own.
#[derive(Debug, Clone, PartialEq)]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// Name, not unique.
    pub name: String,
    /// What it is for, shown to people and to other agents.
    pub description: Option<String>,
    /// Its loop and default tools.
    pub agent_type: AgentType,
    /// The instructions before memory is compiled in.
    pub system: String,
    /// Model and its settings.
    pub llm: LlmConfig,
    /// Embedding model for archives that this agent creates.
    pub embedding: EmbeddingConfig,
    /// `model_settings` as the 1.x clients sent it; what it means is already folded into `llm`.
    pub model_settings: Option<Json>,
    /// How the context is compacted.
    pub compaction: Option<CompactionSettings>,
    /// `response_format` of the model call.
    pub response_format: Option<Json>,
    /// Constraints on tool calls.
    pub tool_rules: Vec<ToolRule>,
    /// Tags, sorted, without repeats.
    pub tags: Vec<String>,
    /// Free-form data of the caller.
    pub metadata: JsonMap,
    /// Variables for its tools.
    pub env: Vec<EnvVar>,
    /// Identities it belongs to.
    pub identity_ids: Vec<IdentityId>,
    /// Whether its context is emptied after every run.
    pub message_buffer_autoclear: bool,
    /// As the caller set it; the companion itself is another agent.
    pub enable_sleeptime: Option<bool>,
    /// IANA name of the zone in which times are shown to the model.
    pub timezone: String,
    /// What becomes of a message that is sent while it is busy, where the request does not say.
    pub busy_policy: BusyPolicy,
    /// How many files may be open in its context.
    pub max_files_open: i32,
    /// Characters of one open file that the context shows.
    pub per_file_view_window_char_limit: i32,
    /// Left out of lists when true.
    pub hidden: Option<bool>,
    /// Project id as the caller gave it.
    pub project_id: Option<String>,
    /// Template id as the caller gave it.
    pub template_id: Option<String>,
    /// Base template id as the caller gave it.
    pub base_template_id: Option<String>,
    /// When its last run ended.
    pub last_run_completion: Option<Time>,
    /// How long its last run took, in milliseconds.
    pub last_run_duration_ms: Option<i64>,
    /// Why its last run ended.
    pub last_stop_reason: Option<StopReason>,
    /// When it was created.
    pub created_at: Time,
    /// When its configuration last changed.
    pub updated_at: Time,
    /// Goes up by one with every change of anything the prompt or the loop depends on: this row,
    /// attached blocks (their values too), tools and archives. A live actor compares it with the
    /// one it loaded to see whether it must load again.
    pub rev: i64,
}
