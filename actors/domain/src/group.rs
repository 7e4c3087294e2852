//! A group of agents and the policy that leads it.

use crate::{AgentId, BlockId, GroupId, MessageId, Time, schedule::When};

/// What ends a dynamic conversation when its creator named nothing else.
pub const DEFAULT_TERMINATION_TOKEN: &str = "DONE!";

/// Messages that a voice agent keeps in context at most, where its group does not say.
pub const DEFAULT_MAX_BUFFER: i32 = 30;
/// Messages that a voice agent keeps in context at least, where its group does not say.
pub const DEFAULT_MIN_BUFFER: i32 = 15;

/// Which policy leads a group. The wire knows `swarm` too, which no server ever built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ManagerType {
    /// One agent after the other.
    RoundRobin,
    /// The manager answers, and may ask all others.
    Supervisor,
    /// The manager says who speaks next.
    Dynamic,
    /// The members work on the manager's memory in the background.
    Sleeptime,
    /// The same for a voice agent, whose context is kept short.
    VoiceSleeptime,
}

impl ManagerType {
    /// All of them, in the order of the API document.
    pub const ALL: [Self; 5] =
        [Self::RoundRobin, Self::Supervisor, Self::Dynamic, Self::Sleeptime, Self::VoiceSleeptime];

    /// The wire spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RoundRobin => "round_robin",
            Self::Supervisor => "supervisor",
            Self::Dynamic => "dynamic",
            Self::Sleeptime => "sleeptime",
            Self::VoiceSleeptime => "voice_sleeptime",
        }
    }

    /// The type with this wire spelling.
    pub fn parse(s: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.as_str() == s)
    }

    /// Whether its members are companions that work in the background.
    pub fn is_sleeptime(self) -> bool {
        matches!(self, Self::Sleeptime | Self::VoiceSleeptime)
    }
}

/// What makes sleep-time companions work besides a number of turns. Whatever it is, they work only when the manager has
/// ended a turn that they were not told of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SleepTriggers {
    /// The manager has done nothing for so many milliseconds.
    pub idle_ms: Option<i64>,
    /// A time has come. Never [`When::OneTime`].
    pub when: Option<When>,
}

/// A policy with its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManagerConfig {
    /// One agent after the other.
    RoundRobin {
        /// Turns at most, all agents together; as many as there are members when absent.
        max_turns: Option<i32>,
    },
    /// The manager answers, and may ask all others.
    Supervisor {
        /// Who leads.
        manager_agent_id: AgentId,
    },
    /// The manager says who speaks next.
    Dynamic {
        /// Who leads.
        manager_agent_id: AgentId,
        /// An agent that says this ends the conversation; none does when absent.
        termination_token: Option<String>,
        /// Turns at most.
        max_turns: Option<i32>,
    },
    /// The members work on the manager's memory in the background.
    Sleeptime {
        /// Whose memory it is.
        manager_agent_id: AgentId,
        /// They work after every so many turns of the manager; when absent, after each one, unless something else
        /// says when.
        frequency: Option<i32>,
        /// When they work besides.
        also: SleepTriggers,
    },
    /// The same for a voice agent.
    VoiceSleeptime {
        /// Whose memory it is.
        manager_agent_id: AgentId,
        /// Messages in the manager's context at most; [`DEFAULT_MAX_BUFFER`] when absent.
        max_message_buffer_length: Option<i32>,
        /// Messages that stay when the rest is worked into memory; [`DEFAULT_MIN_BUFFER`] when absent.
        min_message_buffer_length: Option<i32>,
    },
}

impl ManagerConfig {
    /// The settings that a group of this type has where its creator says nothing else. None when the type needs an agent
    /// that leads and there is none; a round robin ignores it.
    pub fn with_defaults(manager_type: ManagerType, manager: Option<AgentId>) -> Option<Self> {
        Some(match (manager_type, manager) {
            (ManagerType::RoundRobin, _) => Self::RoundRobin { max_turns: None },
            (_, None) => return None,
            (ManagerType::Supervisor, Some(manager_agent_id)) => Self::Supervisor { manager_agent_id },
            (ManagerType::Dynamic, Some(manager_agent_id)) => Self::Dynamic {
                manager_agent_id,
                termination_token: Some(DEFAULT_TERMINATION_TOKEN.to_owned()),
                max_turns: None,
            },
            (ManagerType::Sleeptime, Some(manager_agent_id)) => {
                Self::Sleeptime { manager_agent_id, frequency: None, also: SleepTriggers::default() }
            }
            (ManagerType::VoiceSleeptime, Some(manager_agent_id)) => Self::VoiceSleeptime {
                manager_agent_id,
                max_message_buffer_length: None,
                min_message_buffer_length: None,
            },
        })
    }

    /// Its type.
    pub fn manager_type(&self) -> ManagerType {
        match self {
            Self::RoundRobin { .. } => ManagerType::RoundRobin,
            Self::Supervisor { .. } => ManagerType::Supervisor,
            Self::Dynamic { .. } => ManagerType::Dynamic,
            Self::Sleeptime { .. } => ManagerType::Sleeptime,
            Self::VoiceSleeptime { .. } => ManagerType::VoiceSleeptime,
        }
    }

    /// The agent that leads; a round robin has none.
    pub fn manager_agent_id(&self) -> Option<AgentId> {
        match self {
            Self::RoundRobin { .. } => None,
            Self::Supervisor { manager_agent_id }
            | Self::Dynamic { manager_agent_id, .. }
            | Self::Sleeptime { manager_agent_id, .. }
            | Self::VoiceSleeptime { manager_agent_id, .. } => Some(*manager_agent_id),
        }
    }

    /// Makes another agent the one that leads. A round robin stays without one.
    pub fn set_manager_agent_id(&mut self, agent: AgentId) {
        match self {
            Self::RoundRobin { .. } => {}
            Self::Supervisor { manager_agent_id }
            | Self::Dynamic { manager_agent_id, .. }
            | Self::Sleeptime { manager_agent_id, .. }
            | Self::VoiceSleeptime { manager_agent_id, .. } => *manager_agent_id = agent,
        }
    }

    /// The times at which sleep-time companions work, where there are any.
    pub fn times(&self) -> Option<&When> {
        match self {
            Self::Sleeptime { also, .. } => also.when.as_ref(),
            _ => None,
        }
    }

    /// What the counter of turns begins with: a sleep-time group that counts has counted none yet.
    pub fn first_turns_counter(&self) -> Option<i64> {
        match self {
            Self::Sleeptime { frequency: Some(_), .. } => Some(-1),
            _ => None,
        }
    }
}

/// A group of agents.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// What it is for.
    pub description: String,
    /// How it is led.
    pub manager: ManagerConfig,
    /// Its members in their order, each once. The manager may be among them.
    pub agent_ids: Vec<AgentId>,
    /// Blocks that all its agents share, the manager too, in the order they were given.
    pub shared_block_ids: Vec<BlockId>,
    /// Turns of the manager that were counted, from -1; none where nothing is counted.
    pub turns_counter: Option<i64>,
    /// The last message of the manager that the members have worked on.
    pub last_processed_message_id: Option<MessageId>,
    /// Project id as the caller gave it.
    pub project_id: Option<String>,
    /// Template id as the caller gave it.
    pub template_id: Option<String>,
    /// Base template id as the caller gave it.
    pub base_template_id: Option<String>,
    /// Left out of lists when true.
    pub hidden: Option<bool>,
    /// When it was created.
    pub created_at: Time,
    /// When its configuration last changed.
    pub updated_at: Time,
}
