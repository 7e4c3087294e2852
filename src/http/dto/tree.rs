//! The live actors, as the API and `engram tree` show them.

use engram_domain::{Schedule, Time};
use engram_engine::{Activity, LiveConversation};
use engram_store::tree::AgentCard;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::messages::letta::timestamp;

/// Everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Tree)]
pub struct TreeDto {
    /// The nodes that are not gone.
    pub nodes: Vec<TreeNode>,
    /// Groups with a live or scheduled agent, or with somebody speaking to them.
    pub groups: Vec<TreeGroup>,
    /// Live and scheduled agents that are in none of these groups.
    pub agents: Vec<TreeAgent>,
    /// Live conversations beyond the limit; the busy ones are shown first.
    pub not_shown: usize,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TreeNode {
    /// Its id.
    pub id: String,
    /// Address and machine.
    pub name: String,
    /// `alive` or `draining`.
    pub state: String,
    /// How many conversations live there; `null` when it did not say.
    pub live: Option<usize>,
    /// Why it did not say.
    pub error: Option<String>,
}

/// A group with its agents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TreeGroup {
    /// Its id.
    pub id: String,
    /// How it is led.
    pub manager_type: String,
    /// What it is for.
    pub description: String,
    /// Messages to it that are not over.
    pub open_messages: i64,
    /// Turns of its manager that were counted; `null` where none are.
    pub turns_counter: Option<i64>,
    /// Who leads it first, then its members in their order.
    pub agents: Vec<TreeAgent>,
}

/// An agent, live or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TreeAgent {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its type.
    pub agent_type: String,
    /// `manager`, `member` or `companion`; `null` outside a group.
    pub role: Option<String>,
    /// `running`, `waiting` (for a word on tool calls), `idle`, or `asleep` when it is not live.
    pub state: String,
    /// Runs that wait their turn, in all its conversations.
    pub queued: usize,
    /// Its live conversations.
    pub conversations: Vec<TreeConversation>,
    /// Its schedules that are due again.
    pub schedules: Vec<TreeSchedule>,
}

/// A live conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TreeConversation {
    /// Its id; `default` for the agent's own history.
    pub id: String,
    /// Where it lives.
    pub node_id: String,
    /// `running`, `waiting` or `idle`.
    pub state: String,
    /// The run that is on.
    pub run_id: Option<String>,
    /// Runs that wait their turn.
    pub queued: usize,
    /// Since when it does that.
    pub since: String,
}

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TreeSchedule {
    /// Its id.
    pub id: String,
    /// `one-time`, `recurring` or `interval`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it is due.
    pub next_at: Option<String>,
    /// When it was due last.
    pub last_at: Option<String>,
    /// What became of that.
    pub last_run_status: Option<String>,
}

impl TreeAgent {
    /// An agent with what is live and due of it.
    pub fn new(
        card: &AgentCard,
        role: Option<&str>,
        conversations: Vec<TreeConversation>,
        schedules: Vec<TreeSchedule>,
    ) -> Self {
        let state = [Activity::Running, Activity::Waiting, Activity::Idle]
            .into_iter()
            .map(Activity::as_str)
            .find(|state| conversations.iter().any(|c| c.state == *state))
            .unwrap_or("asleep");
        Self {
            id: card.id.to_string(),
            name: card.name.clone(),
            agent_type: card.agent_type.clone(),
            role: role.map(str::to_owned),
            state: state.into(),
            queued: conversations.iter().map(|c| c.queued).sum(),
            conversations,
            schedules,
        }
    }
}

impl TreeConversation {
    /// A conversation of `agent` that lives with `node`.
    pub fn new(live: &LiveConversation, agent: engram_domain::AgentId, node: engram_domain::NodeId) -> Self {
        let own = live.conversation == agent.default_conversation();
        Self {
            id: if own { "default".into() } else { live.conversation.to_string() },
            node_id: node.to_string(),
            state: live.activity.as_str().into(),
            run_id: live.run.map(|run| run.to_string()),
            queued: live.queued,
            since: timestamp(live.since),
        }
    }
}

impl From<&Schedule> for TreeSchedule {
    fn from(schedule: &Schedule) -> Self {
        let time = |time: Option<Time>| time.map(timestamp);
        Self {
            id: schedule.id.to_string(),
            kind: schedule.when.kind().into(),
            next_at: time(schedule.next_at),
            last_at: time(schedule.last_at),
            last_run_status: schedule.last_run_status.map(|status| status.as_str().to_owned()),
        }
    }
}
