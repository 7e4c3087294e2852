//! Changing an agent.

use engram_domain::{Agent, AgentId, Block, MessageId};
use engram_engine::Command;
use engram_store::agents::{AgentPatch, CompanionChange, Wanted};
use serde_json::json;

use super::{
    AgentChange, blocks_of, companion, models,
    plan::{check_zone, variables},
};
use crate::app::{App, Error, Result, sorted};

/// Changes an agent, and with `enable_sleeptime` gives it a companion, if it has none, or takes the companion away; all
/// of it or nothing. Messages leave its context afterwards: that is its actor's to do.
pub async fn change(app: &App, agent: Agent, change: AgentChange) -> Result<()> {
    let id = agent.id;
    // Looked at before anything is changed, so that a refused change is none.
    let keep_last = match &change.message_ids {
        Some(wanted) => kept(&context_of(app, id).await?, wanted)?,
        None => None,
    };
    // Boxed: these futures are large.
    let patch = Box::pin(patch(app, &agent, change)).await?;
    if patch != AgentPatch::default() {
        let companions = match patch.enable_sleeptime {
            Some(true) => Box::pin(add_companion(app, agent, &patch)).await?,
            Some(false) => Some(CompanionChange::Remove),
            None => None,
        };
        if !app.store.change_agent(id, &patch, companions.as_ref(), app.clock.now()).await? {
            return Err(Error::not_found("Agent", id));
        }
    }
    if keep_last.is_some() {
        let command = Command::Compact { settings: None, keep_last };
        app.engine.command(id.default_conversation(), command).await?;
    }
    Ok(())
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

async fn context_of(app: &App, id: AgentId) -> Result<Vec<MessageId>> {
    let wanted = Wanted { blocks: false, tools: false, group: false };
    Ok(app.store.relations(&[id], wanted).await?.remove(&id).unwrap_or_default().message_ids)
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

/// How many of the latest messages stay, or none when all do. A context is the system message and
/// what follows some point, so nothing else can be asked for.
fn kept(present: &[MessageId], wanted: &[MessageId]) -> Result<Option<usize>> {
    if present == wanted {
        return Ok(None);
    }
    let tail = wanted.split_first().filter(|(first, _)| present.first() == Some(*first)).map(|(_, tail)| tail);
    match tail {
        Some(tail) if present.ends_with(tail) && tail.len() < present.len() => Ok(Some(tail.len())),
        _ => Err(Error::invalid(
            &["message_ids"],
            "expected the system message, then the latest of the present messages in their order",
            json!(wanted),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_suffix_of_the_context_can_be_kept() {
        let ids: Vec<MessageId> = (0..4).map(|n| MessageId(uuid::Uuid::from_u64_pair(0, n))).collect();
        let kept = |wanted: &[usize]| kept(&ids, &wanted.iter().map(|i| ids[*i]).collect::<Vec<_>>());
        assert_eq!(kept(&[0, 1, 2, 3]).expect("all"), None);
        assert_eq!(kept(&[0, 2, 3]).expect("a suffix"), Some(2));
        assert_eq!(kept(&[0]).expect("none"), Some(0));
        assert!(kept(&[0, 1, 2]).is_err());
        assert!(kept(&[2, 3]).is_err());
        assert!(kept(&[]).is_err());
    }
}
