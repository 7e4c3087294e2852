//! The live actors, as the API and `engram tree` show them.

use std::collections::{HashMap, HashSet};

use engram_domain::{AgentId, Schedule, Time};
use engram_engine::{Activity, LiveConversation};
use engram_store::tree::NamedAgent;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    messages::letta::timestamp,
    nodes::{NodeDto, NodeState},
};
use crate::app::tree::{self, Tree, agents_of};

/// Everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Tree)]
pub struct TreeDto {
    /// The nodes that are not gone; none for whoever does not run the server.
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
    /// How the next speaker is chosen.
    pub manager_type: String,
    /// What it is for.
    pub description: String,
    /// Messages to the group that are still being worked on.
    pub open_messages: i64,
    /// Turns of its manager, counted for sleep-time; `null` where they are not counted.
    pub turns_counter: Option<i64>,
    /// The manager first, then the members in their order.
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
    /// `running`, `waiting` (for a decision on tool calls), `idle`, or `asleep` when it is not live.
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
    /// The current run.
    pub run_id: Option<String>,
    /// Runs that wait their turn.
    pub queued: usize,
    /// When that state began.
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

impl TreeDto {
    /// What was read, put together.
    pub fn new(tree: &Tree) -> Self {
        let mut known = Known::default();
        for live in &tree.live {
            let shown = TreeConversation::new(&live.conversation, live.agent, live.node);
            known.conversations.entry(live.agent).or_default().push(shown);
        }
        for schedule in &tree.schedules {
            known.schedules.entry(schedule.agent_id).or_default().push(schedule.into());
        }
        let names: HashMap<AgentId, &NamedAgent> = tree.agents.iter().map(|agent| (agent.id, agent)).collect();
        let mut grouped = HashSet::new();
        let shown = tree.groups.iter().map(|(group, open)| {
            let kind = group.manager.manager_type();
            let manager = group.manager.manager_agent_id();
            let agents = agents_of(group).filter_map(|id| {
                grouped.insert(id);
                let role = match (Some(id) == manager, kind.is_sleeptime()) {
                    (true, _) => "manager",
                    (false, true) => "companion",
                    (false, false) => "member",
                };
                names.get(&id).map(|agent| known.agent(agent, Some(role)))
            });
            TreeGroup {
                id: group.id.to_string(),
                manager_type: kind.as_str().into(),
                description: group.description.clone(),
                open_messages: *open,
                turns_counter: group.turns_counter,
                agents: agents.collect(),
            }
        });
        let groups = shown.collect();
        let alone = tree.agents.iter().filter(|agent| !grouped.contains(&agent.id));
        Self {
            nodes: tree.nodes.iter().map(TreeNode::from).collect(),
            groups,
            agents: alone.map(|agent| known.agent(agent, None)).collect(),
            not_shown: tree.not_shown,
        }
    }
}

/// What is shown of agents, by agent.
#[derive(Default)]
struct Known {
    conversations: HashMap<AgentId, Vec<TreeConversation>>,
    schedules: HashMap<AgentId, Vec<TreeSchedule>>,
}

impl Known {
    fn agent(&self, agent: &NamedAgent, role: Option<&str>) -> TreeAgent {
        let conversations = self.conversations.get(&agent.id).cloned().unwrap_or_default();
        let schedules = self.schedules.get(&agent.id).cloned().unwrap_or_default();
        TreeAgent::new(agent, role, conversations, schedules)
    }
}

impl From<&tree::TreeNode> for TreeNode {
    fn from(node: &tree::TreeNode) -> Self {
        let shown = NodeDto::from(&node.row);
        let (live, error) = match &node.live {
            Some(Ok(live)) => (Some(*live), None),
            Some(Err(error)) => (None, Some(error.clone())),
            None if shown.state == NodeState::Draining => (None, Some("it is on its way out".into())),
            None => (None, Some("it has just come".into())),
        };
        Self { id: shown.id.to_string(), name: shown.name, state: shown.state.as_str().into(), live, error }
    }
}

impl TreeAgent {
    /// An agent with what is live and due of it.
    pub fn new(
        agent: &NamedAgent,
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
            id: agent.id.to_string(),
            name: agent.name.clone(),
            agent_type: agent.agent_type.clone(),
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
