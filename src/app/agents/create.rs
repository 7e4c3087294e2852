//! Making an agent.

use std::{collections::BTreeMap, sync::Arc};

use engram_core::{
    initial_messages,
    ports::{Ids, store::AgentSnapshot},
};
use engram_domain::{Agent, AgentId, AgentType, Block, Part, run::InputMessage};
use engram_store::agents::NewAgent;
use serde_json::json;

use super::{
    AgentSpec, check, companion, models,
    plan::{self, Found, Plan},
    tools,
};
use crate::app::{App, Error, Result, cpu};

/// Makes an agent with its blocks, tools and first messages, and with `enable_sleeptime` its companion: all of it or
/// nothing.
pub async fn create(app: &App, spec: AgentSpec) -> Result<AgentId> {
    check_type(&spec)?;
    check::spec(&spec)?;
    let mut llm = models::language(app, &spec.llm, spec.settings.model_settings.as_ref(), None).await?;
    if spec.llm.config.is_none() {
        models::add_thoughts(&mut llm, spec.agent_type);
    }
    let embedding = models::embedding(app, &spec.embedding, None).await?;
    let sleeps = spec.settings.enable_sleeptime == Some(true);
    let tools = tools::find(app, &spec.tools, spec.agent_type, sleeps).await?;
    let attached = find_blocks(app, &spec).await?;

    let found = Found { llm, embedding, tools, attached };
    let first_messages = spec.first_messages.clone();
    let plan = plan::plan(spec, found, app.clock.now(), app.ids.as_ref())?;
    let id = plan.agent.id;
    let companion = if sleeps { Some(companion::make(app, &plan.agent, &plan.blocks).await?) } else { None };
    // The first messages are counted, the compiled prompt among them.
    let ids = app.ids.clone();
    let new = cpu::run_if(weight(&plan, first_messages.as_deref()), move || {
        rows(plan, first_messages.as_deref(), ids.as_ref())
    });
    let new = new.await?;
    match companion {
        Some(companion) => app.store.create_agent_with_companion(&new, &companion).await?,
        None => app.store.create_agent(&new).await?,
    }
    Ok(id)
}

/// Bytes that making the rows of an agent goes through.
fn weight(plan: &Plan, first_messages: Option<&[InputMessage]>) -> usize {
    let said = first_messages.into_iter().flatten().flat_map(|m| &m.content).map(Part::bytes);
    plan.agent.system.len() + plan.blocks.iter().map(|b| b.value.len()).chain(said).sum::<usize>()
}

/// What is stored for a planned agent, its first messages among it.
pub(super) fn rows(plan: Plan, first_messages: Option<&[InputMessage]>, ids: &dyn Ids) -> NewAgent {
    let Plan { agent, new_blocks, blocks, tools } = plan;
    let block_order = blocks.iter().map(|b| (b.id, b.label.clone())).collect();
    let tool_ids = tools.iter().map(|t| t.id).collect();
    let snapshot = AgentSnapshot {
        agent: Arc::new(agent),
        blocks: blocks.into_iter().map(Arc::new).collect(),
        tools: Arc::new(tools.into_iter().map(|t| (t.name.clone(), Arc::new(t))).collect::<BTreeMap<_, _>>()),
        archives: Arc::new(vec![]),
        archival_count: 0,
        archival_tags: vec![],
        buffer: None,
    };
    let conversation = snapshot.agent.id.default_conversation();
    let (messages, prompt_meta) =
        initial_messages::compose(&snapshot, conversation, first_messages, snapshot.agent.created_at, ids);
    let agent = Agent::clone(&snapshot.agent);
    NewAgent { agent, blocks: new_blocks, block_order, tool_ids, messages, prompt_meta }
}

/// Refuses a type that no server ever made, and one that lacks what it needs.
fn check_type(spec: &AgentSpec) -> Result<()> {
    if spec.agent_type == AgentType::SplitThreadAgent {
        return Err(Error::Rejected(format!("Invalid agent type: {}", spec.agent_type.as_str())));
    }
    let sleeps = spec.settings.enable_sleeptime;
    if spec.agent_type == AgentType::VoiceConvoAgent && sleeps != Some(true) {
        let expected = "expected true: a voice agent leaves its memory to a companion";
        return Err(Error::invalid(&["enable_sleeptime"], expected, json!(sleeps)));
    }
    Ok(())
}

/// The existing blocks that the agent shares, in the order they were named.
async fn find_blocks(app: &App, spec: &AgentSpec) -> Result<Vec<Block>> {
    let ids = &spec.block_ids;
    let mut found: BTreeMap<_, _> = app.store.blocks_by_id(ids).await?.into_iter().map(|b| (b.id, b)).collect();
    ids.iter()
        .enumerate()
        .map(|(i, id)| {
            found.remove(id).ok_or_else(|| {
                if ids[..i].contains(id) {
                    Error::invalid(&["block_ids", &i.to_string()], "expected each block once", json!(id))
                } else {
                    Error::not_found("Block", id)
                }
            })
        })
        .collect()
}
