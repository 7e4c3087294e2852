//! The live actors of all nodes, with the groups and schedules of their agents: what whoever looks after the server sees.

use std::collections::{HashMap, HashSet};

use engram_domain::{AgentId, ConversationId, Group, NodeId, Schedule};
use engram_engine::{Activity, LiveConversation, NodeActivity};
use engram_store::{nodes::NodeRow, tree::NamedAgent};

use crate::app::{App, Result};

/// What is there now.
#[derive(Debug, Clone)]
pub struct Tree {
    /// The nodes that are alive, each with what it told; none for whoever does not run the server.
    pub nodes: Vec<TreeNode>,
    /// Live conversations of agents that the caller looks after, those that do most first.
    pub live: Vec<LiveAgent>,
    /// Live conversations beyond the limit.
    pub not_shown: usize,
    /// Schedules that are due again, the next one first.
    pub schedules: Vec<Schedule>,
    /// Groups with a live or scheduled agent, or with open runs, of which the number says how many.
    pub groups: Vec<(Group, i64)>,
    /// Every agent of all that, by name.
    pub agents: Vec<NamedAgent>,
}

/// A node.
#[derive(Debug, Clone)]
pub struct TreeNode {
    /// Its row.
    pub row: NodeRow,
    /// How many conversations live there, or why it could not be asked; none when it was not.
    pub live: Option<Result<usize, String>>,
}

/// A live conversation.
#[derive(Debug, Clone)]
pub struct LiveAgent {
    /// Where it lives.
    pub node: NodeId,
    /// Whose it is.
    pub agent: AgentId,
    /// What it does.
    pub conversation: LiveConversation,
}

/// Asks all nodes what they do. At most `limit` live conversations, groups and schedules, each.
pub async fn read(app: &App, limit: usize) -> Result<Tree> {
    let rows = i64::try_from(limit).unwrap_or(i64::MAX);
    let activity = app.engine.activity_of_all().await?;
    // Nodes are the operator's.
    let mut nodes = if app.operator { nodes(app.store.nodes().await?, &activity) } else { vec![] };
    let mut all = busiest_first(activity);
    if !app.operator {
        let own = owners(app, &all).await?;
        all.retain(|(_, live)| own.contains_key(&live.conversation));
    }
    let not_shown = all.len().saturating_sub(limit);
    all.truncate(limit);
    let owners = owners(app, &all).await?;
    let mut live = Vec::with_capacity(all.len());
    for (node, conversation) in all {
        if let Some(agent) = owners.get(&conversation.conversation) {
            live.push(LiveAgent { node, agent: *agent, conversation });
        } else if let Some(TreeNode { live: Some(Ok(count)), .. }) = nodes.iter_mut().find(|n| n.row.id == node) {
            // Deleted, and its actor has not ended yet.
            *count = count.saturating_sub(1);
        }
    }
    let schedules = app.tenants.coming_schedules(rows).await?;
    let active: HashSet<AgentId> =
        live.iter().map(|live| live.agent).chain(schedules.iter().map(|s| s.agent_id)).collect();
    let groups = app.tenants.active_groups(&active.iter().copied().collect::<Vec<_>>(), rows).await?;
    let all: HashSet<AgentId> =
        active.into_iter().chain(groups.iter().flat_map(|(group, _)| agents_of(group))).collect();
    let agents = app.tenants.named_agents(&all.into_iter().collect::<Vec<_>>()).await?;
    Ok(Tree { nodes, live, not_shown, schedules, groups, agents })
}

/// The agents of a group: who leads it first, then its members in their order.
pub fn agents_of(group: &Group) -> impl Iterator<Item = AgentId> + '_ {
    let manager = group.manager.manager_agent_id();
    manager.into_iter().chain(group.agent_ids.iter().copied().filter(move |id| Some(*id) != manager))
}

/// The nodes that are there, and what they told.
fn nodes(rows: Vec<NodeRow>, activity: &[NodeActivity]) -> Vec<TreeNode> {
    let there = rows.into_iter().filter(|row| row.alive);
    there
        .map(|row| {
            let told = activity.iter().find(|activity| activity.node == row.id);
            let live = told.map(|told| told.live.as_ref().map(Vec::len).map_err(Clone::clone));
            TreeNode { row, live }
        })
        .collect()
}

/// Whose these conversations are, as far as the caller looks after them.
async fn owners(app: &App, live: &[(NodeId, LiveConversation)]) -> Result<HashMap<ConversationId, AgentId>> {
    let ids: Vec<ConversationId> = live.iter().map(|(_, live)| live.conversation).collect();
    Ok(app.tenants.agents_of(&ids).await?.into_iter().collect())
}

/// All live conversations, those that do most first.
fn busiest_first(activity: Vec<NodeActivity>) -> Vec<(NodeId, LiveConversation)> {
    let of =
        |activity: NodeActivity| activity.live.unwrap_or_default().into_iter().map(move |live| (activity.node, live));
    let mut all: Vec<_> = activity.into_iter().flat_map(of).collect();
    let rank = |live: &LiveConversation| match live.activity {
        Activity::Running => 0,
        Activity::Waiting => 1,
        Activity::Idle => 2,
    };
    all.sort_by_key(|(_, live)| (rank(live), std::cmp::Reverse(live.queued), live.since, live.conversation));
    all
}
