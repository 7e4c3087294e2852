//! The tools of an agent.

use std::collections::BTreeMap;

use engram_core::builtin::{self, DefaultsRequest};
use engram_domain::{AgentId, AgentType, Tool, ToolId, ToolRule, rule::RuleKind};
use engram_store::{agents::Attached, tools::ToolFilter};

use super::{ToolWish, require};
use crate::app::{App, Error, Result};

/// The tools that an agent starts with: those wished for by name and by id, and those of the agent's type.
/// `has_companion`: without the tools that a companion uses in its place.
pub async fn find(app: &App, wish: &ToolWish, agent_type: AgentType, has_companion: bool) -> Result<Vec<Tool>> {
    let defaults = builtin::defaults_for(
        agent_type,
        DefaultsRequest {
            include_base_tools: wish.include_base_tools,
            include_multi_agent_tools: wish.include_multi_agent_tools,
            enable_sleeptime: has_companion,
        },
    );
    let asked = wish.names.iter().map(String::as_str);
    // Under a name that only old programs use, the tool of today is meant.
    let names: Vec<String> = asked.chain(defaults).map(|n| builtin::find(n).map_or(n, |t| t.name).to_owned()).collect();
    let mut by_name: BTreeMap<String, _> =
        app.store.tools_by_name(&names).await?.into_iter().map(|t| (t.name.clone(), t)).collect();
    if let Some(missing) = names.iter().find(|n| !by_name.contains_key(*n)) {
        return Err(Error::NoSuch(format!("NOT_FOUND: Tool with name '{missing}' not found")));
    }
    let ids = &wish.ids;
    let mut by_id: BTreeMap<_, _> = app.store.tools_by_id(ids).await?.into_iter().map(|t| (t.id, t)).collect();
    if let Some(missing) = ids.iter().find(|id| !by_id.contains_key(*id)) {
        return Err(Error::not_found("Tool", missing));
    }
    let mut tools: Vec<Tool> = names.iter().filter_map(|n| by_name.remove(n)).collect();
    for id in ids {
        if let Some(tool) = by_id.remove(id).filter(|t| tools.iter().all(|have| have.id != t.id)) {
            tools.push(tool);
        }
    }
    Ok(tools)
}

/// Attaches a tool to an agent, with a rule for approval where the tool asks for one.
pub async fn attach(app: &App, agent: AgentId, tool: ToolId) -> Result<()> {
    match app.store.attach_tool(agent, tool, app.clock.now()).await? {
        Attached::Done => {}
        Attached::NoAgent => return Err(Error::not_found("Agent", agent)),
        Attached::NoItem => return Err(Error::not_found("Tool", tool)),
    }
    let tool = app.store.tool(tool).await?;
    if let Some(tool) = tool.filter(|t| t.default_requires_approval == Some(true)) {
        let rule = ToolRule::new(tool.name, RuleKind::RequiresApproval);
        let add = move |rules: &mut Vec<ToolRule>| {
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        };
        app.store.modify_rules(agent, app.clock.now(), add).await?;
    }
    Ok(())
}

/// Detaches a tool from an agent.
pub async fn detach(app: &App, agent: AgentId, tool: ToolId) -> Result<()> {
    match app.store.detach_tool(agent, tool, app.clock.now()).await? {
        Attached::Done => Ok(()),
        Attached::NoAgent => Err(Error::not_found("Agent", agent)),
        Attached::NoItem => Err(Error::not_found("Tool", tool)),
    }
}

/// Says whether a tool of the agent waits for a person's approval.
pub async fn set_approval(app: &App, agent: AgentId, name: String, on: bool) -> Result<()> {
    require(app, agent).await?;
    let filter = ToolFilter { agent_id: Some(agent), name: Some(name.clone()), ..ToolFilter::default() };
    if app.store.count_tools(&filter).await? == 0 {
        return Err(Error::NoSuch(format!("Tool with name '{name}' not found in agent {agent}")));
    }
    let change = move |rules: &mut Vec<ToolRule>| {
        rules.retain(|r| !(r.tool_name == name && r.kind == RuleKind::RequiresApproval));
        if on {
            rules.push(ToolRule::new(name, RuleKind::RequiresApproval));
        }
    };
    let changed = app.store.modify_rules(agent, app.clock.now(), change).await?;
    changed.ok_or_else(|| Error::not_found("Agent", agent))
}
