//! Changing an agent.

use engram_domain::{Agent, AgentId, Block};
use engram_engine::Command;
use engram_store::agents::{AgentPatch, CompanionChange};
use serde_json::json;

use super::{
    AgentChange, blocks_of, check, companion, context, models,
    plan::{check_zone, variables},
};
use crate::app::{App, Error, Result, sorted};

/// Changes an agent and what it has in context; with `enable_sleeptime` gives it a companion, if it has none, or takes
/// the companion away. All of it or nothing: a conflict when messages should leave the context of an agent that is busy.
pub async fn change(app: &App, agent: Agent, change: AgentChange) -> Result<()> {
    check::change(&change)?;
    let id = agent.id;
    let cut = match &change.message_ids {
        Some(wanted) => context::cut(app, id, wanted).await?,
        None => None,
    };
    // Boxed: these futures are large.
    let patch = Box::pin(patch(app, &agent, change)).await?;
    if patch == AgentPatch::default() && cut.is_none() {
        return Ok(());
    }
    let companions = match patch.enable_sleeptime {
        Some(true) => Box::pin(add_companion(app, agent, &patch)).await?,
        Some(false) => Some(CompanionChange::Remove),
        None => None,
    };
    if !app.store.change_agent(id, &patch, companions.as_ref(), cut.as_ref(), app.clock.now()).await? {
        return Err(Error::not_found("Agent", id));
    }
    if cut.is_some() {
        replace_actor(app, id).await;
    }
    Ok(())
}

/// The actor that had the agent's conversation has lost it. The next one comes now, and not only with the next run, and
/// compiles the prompt, which says how many messages are out of context.
async fn replace_actor(app: &App, id: AgentId) {
    let command = Command::Recompile { dry_run: false };
    if let Err(error) = app.engine.command(id.default_conversation(), command).await {
        tracing::debug!(%error, agent = %id, "a prompt is compiled again with the next run only");
    }
}

/// A companion for an agent that has none, as the agent will be. Its tools stay as they are: whoever chose them may
/// have reasons.
async fn add_companion(app: &App, mut agent: Agent, patch: &AgentPatch) -> Result<Option<CompanionChange>> {
    if app.store.has_companions(agent.id).await? {
        return Ok(None);
    }
    let blocks: Vec<Block> = match &patch.block_ids {
        // One that does not exist is refused when the agent is changed.
        Some(ids) => {
            let found = app.store.blocks_by_id(ids).await?;
            ids.iter().filter_map(|id| found.iter().find(|b| b.id == *id).cloned()).collect()
        }
        None => blocks_of(app, agent.id).await?,
    };
    patch.clone().apply(&mut agent);
    let companion = companion::make(app, &agent, &blocks).await?;
    Ok(Some(CompanionChange::Add(Box::new(companion))))
}

async fn patch(app: &App, agent: &Agent, change: AgentChange) -> Result<AgentPatch> {
    let AgentChange { settings, llm: wish, embedding, env, message_ids: _ } = change;
    let mut llm = models::language(app, &wish, settings.model_settings.as_ref(), Some(&agent.llm)).await?;
    if wish.config.is_none() && llm.handle != agent.llm.handle {
        models::add_thoughts(&mut llm, agent.agent_type);
    }
    let embedding = models::embedding(app, &embedding, Some(&agent.embedding)).await?;
    if let Some(name) = settings.name.as_ref().filter(|n| n.trim().is_empty()) {
        return Err(Error::invalid(&["name"], "expected a name", json!(name)));
    }
    if let Some(name) = &settings.timezone {
        check_zone(name)?;
    }
    Ok(AgentPatch {
        llm: (llm != agent.llm).then_some(llm),
        embedding: (embedding != agent.embedding).then_some(embedding),
        env: env.map(|env| variables(env, app.ids.as_ref())),
        tags: settings.tags.map(sorted),
        ..settings
    })
}
