//! `GET /v1/admin/tree`

use std::collections::{HashMap, HashSet};

use axum::Json;
use engram_domain::{AgentId, Group, NodeId};
use engram_engine::{Activity, LiveConversation, NodeActivity};
use engram_store::{nodes::NodeRow, tree::AgentCard};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use crate::app::App;
use crate::http::{
    ApiError, ApiQuery,
    dto::{
        nodes::{NodeDto, NodeState},
        tree::{TreeAgent, TreeConversation, TreeDto, TreeGroup, TreeNode, TreeSchedule},
    },
};

/// Live conversations that are shown when the caller does not say.
const DEFAULT_LIMIT: usize = 500;
/// And at most.
const MAX_LIMIT: usize = 10_000;

/// How much is shown.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct TreeQuery {
    /// Live conversations, groups and schedules at most, each: 500 when absent, 10000 at most. The busy come first.
    pub limit: Option<i64>,
}

/// See the live agents of all nodes: what they do, how many runs wait, in which groups they are, what is scheduled.
#[utoipa::path(get, path = "/v1/admin/tree", tag = "admin", params(TreeQuery), responses((status = 200, body = TreeDto)))]
pub async fn tree(app: App, ApiQuery(query): ApiQuery<TreeQuery>) -> Result<Json<TreeDto>, ApiError> {
    let limit = limit(query.limit)?;
    let rows = i64::try_from(limit).unwrap_or(i64::MAX);
    let activity = app.engine.activity_of_all().await?;
    let mut nodes = nodes(&app.store.nodes().await?, &activity);
    let (live, not_shown) = busiest(activity, limit);
    let ids: Vec<_> = live.iter().map(|(_, live)| live.conversation).collect();
    let owners: HashMap<_, _> = app.tenants.agents_of(&ids).await?.into_iter().collect();
    let mut known = Known::default();
    for (node, live) in &live {
        if let Some(agent) = owners.get(&live.conversation) {
            let shown = TreeConversation::new(live, *agent, *node);
            known.conversations.entry(*agent).or_default().push(shown);
        } else if let Some(node) = nodes.iter_mut().find(|n| n.id == node.to_string()) {
            // Deleted, and not yet asleep: nobody lives there.
            node.live = node.live.map(|live| live.saturating_sub(1));
        }
    }
    for schedule in app.tenants.coming_schedules(rows).await? {
        known.schedules.entry(schedule.agent_id).or_default().push((&schedule).into());
    }
    let lively: Vec<AgentId> =
        known.conversations.keys().chain(known.schedules.keys()).copied().collect::<HashSet<_>>().into_iter().collect();
    let groups = app.tenants.lively_groups(&lively, rows).await?;
    let named: HashSet<AgentId> =
        lively.iter().copied().chain(groups.iter().flat_map(|(group, _)| everybody(group))).collect();
    known.cards = app.tenants.agent_cards(&named.into_iter().collect::<Vec<_>>()).await?;
    Ok(Json(known.tree(nodes, &groups, not_shown)))
}

fn limit(asked: Option<i64>) -> Result<usize, ApiError> {
    let Some(n) = asked else { return Ok(DEFAULT_LIMIT) };
    let limit = usize::try_from(n).ok().filter(|n| (1..=MAX_LIMIT).contains(n));
    limit.ok_or_else(|| {
        ApiError::invalid(&["query", "limit"], format!("expected an integer from 1 to {MAX_LIMIT}"), json!(n))
    })
}

/// The nodes that are there, and what they told.
fn nodes(rows: &[NodeRow], activity: &[NodeActivity]) -> Vec<TreeNode> {
    let there = rows.iter().filter(|row| row.alive);
    there
        .map(|row| {
            let node = NodeDto::from(row);
            let told = activity.iter().find(|activity| activity.node == row.id).map(|activity| &activity.live);
            let (live, error) = match told {
                Some(Ok(live)) => (Some(live.len()), None),
                Some(Err(error)) => (None, Some(error.clone())),
                None if node.state == NodeState::Draining => (None, Some("it is on its way out".into())),
                None => (None, Some("it has just come".into())),
            };
            TreeNode { id: node.id.to_string(), name: node.name, state: node.state.as_str().into(), live, error }
        })
        .collect()
}

/// As many as fit, and how many do not.
fn busiest(activity: Vec<NodeActivity>, limit: usize) -> (Vec<(NodeId, LiveConversation)>, usize) {
    let of =
        |activity: NodeActivity| activity.live.unwrap_or_default().into_iter().map(move |live| (activity.node, live));
    let mut all: Vec<_> = activity.into_iter().flat_map(of).collect();
    let rank = |live: &LiveConversation| match live.activity {
        Activity::Running => 0,
        Activity::Waiting => 1,
        Activity::Idle => 2,
    };
    all.sort_by_key(|(_, live)| (rank(live), std::cmp::Reverse(live.queued), live.since, live.conversation));
    let not_shown = all.len().saturating_sub(limit);
    all.truncate(limit);
    (all, not_shown)
}

fn everybody(group: &Group) -> impl Iterator<Item = AgentId> + '_ {
    let manager = group.manager.manager_agent_id();
    manager.into_iter().chain(group.agent_ids.iter().copied().filter(move |id| Some(*id) != manager))
}

/// What is known, by agent.
#[derive(Default)]
struct Known {
    cards: Vec<AgentCard>,
    conversations: HashMap<AgentId, Vec<TreeConversation>>,
    schedules: HashMap<AgentId, Vec<TreeSchedule>>,
}

impl Known {
    fn tree(&self, nodes: Vec<TreeNode>, groups: &[(Group, i64)], not_shown: usize) -> TreeDto {
        let cards: HashMap<AgentId, &AgentCard> = self.cards.iter().map(|card| (card.id, card)).collect();
        let mut grouped = HashSet::new();
        let shown = groups.iter().map(|(group, open)| {
            let kind = group.manager.manager_type();
            let manager = group.manager.manager_agent_id();
            let agents = everybody(group).filter_map(|id| {
                grouped.insert(id);
                let role = match (Some(id) == manager, kind.is_sleeptime()) {
                    (true, _) => "manager",
                    (false, true) => "companion",
                    (false, false) => "member",
                };
                cards.get(&id).map(|card| self.agent(card, Some(role)))
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
        let alone = self.cards.iter().filter(|card| !grouped.contains(&card.id));
        TreeDto { nodes, groups, agents: alone.map(|card| self.agent(card, None)).collect(), not_shown }
    }

    fn agent(&self, card: &AgentCard, role: Option<&str>) -> TreeAgent {
        let conversations = self.conversations.get(&card.id).cloned().unwrap_or_default();
        let schedules = self.schedules.get(&card.id).cloned().unwrap_or_default();
        TreeAgent::new(card, role, conversations, schedules)
    }
}
