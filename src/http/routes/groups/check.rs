//! Whether what a request refers to exists, so that the answer can say what does not.

use std::{collections::HashSet, hash::Hash};

use engram_domain::{AgentId, BlockId, Group, ManagerConfig};
use serde_json::json;

use crate::app::App;
use crate::http::{dto::groups::ManagerConfigDto, error::ApiError};

/// Agents in a group at most, and blocks that it shares.
const MOST: usize = 1_000;

/// Members: each once, and all of them there. 404 names the first that is not.
pub async fn members(app: &App, ids: &[AgentId]) -> Result<(), ApiError> {
    once("agent_ids", "expected each agent once", ids)?;
    match app.store.missing_agent(ids).await? {
        Some(missing) => Err(ApiError::not_found("Agent", missing)),
        None => Ok(()),
    }
}

/// The agent that leads.
pub async fn manager(app: &App, config: &ManagerConfig) -> Result<(), ApiError> {
    match config.manager_agent_id() {
        Some(id) if !app.store.agent_exists(id).await? => Err(ApiError::not_found("Agent", id)),
        _ => Ok(()),
    }
}

/// A schedule that names no zone speaks of the clock of the agent that leads.
pub async fn zone(app: &App, config: &mut ManagerConfigDto, leader: Option<AgentId>) -> Result<(), ApiError> {
    let (Some(Some(schedule)), Some(leader)) = (&mut config.schedule, leader) else { return Ok(()) };
    if schedule.timezone.is_none() {
        schedule.timezone = app.store.agent(leader).await?.map(|agent| agent.timezone);
    }
    Ok(())
}

/// Shared blocks: each once, and all of them there.
pub async fn blocks(app: &App, ids: &[BlockId]) -> Result<(), ApiError> {
    once("shared_block_ids", "expected each block once", ids)?;
    let found: HashSet<BlockId> = app.store.blocks_by_id(ids).await?.into_iter().map(|b| b.id).collect();
    match ids.iter().find(|id| !found.contains(id)) {
        Some(missing) => Err(ApiError::not_found("Block", missing)),
        None => Ok(()),
    }
}

/// Whether there is room for one more shared block.
pub fn room(group: &Group, block: BlockId) -> Result<(), ApiError> {
    if group.shared_block_ids.len() < MOST || group.shared_block_ids.contains(&block) {
        return Ok(());
    }
    let expected = format!("expected a group that shares fewer than {MOST} blocks");
    Err(ApiError::invalid(&["path", "block_id"], expected, json!(block)))
}

/// Each once, and not too many of them.
fn once<T: Eq + Hash + ToString>(member: &str, expected: &str, ids: &[T]) -> Result<(), ApiError> {
    if ids.len() > MOST {
        return Err(ApiError::invalid(&["body", member], format!("expected at most {MOST} ids"), json!(ids.len())));
    }
    let mut seen = HashSet::with_capacity(ids.len());
    match ids.iter().enumerate().find(|(_, id)| !seen.insert(*id)) {
        Some((i, id)) => Err(ApiError::invalid(&["body", member, &i.to_string()], expected, json!(id.to_string()))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(ids: &[u32]) -> Option<String> {
        once("agent_ids", "expected each agent once", ids).err().map(|e| e.body()["detail"][0].to_string())
    }

    #[test]
    fn each_is_there_once_and_not_too_many_are() {
        let many: Vec<u32> = (0..1_001).collect();
        assert_eq!(refusal(&many[1..]), None);
        insta::assert_snapshot!(refusal(&[3, 1, 3]).expect("one is there twice"), @r#"{"type":"value_error","loc":["body","agent_ids",2],"msg":"expected each agent once","input":"3"}"#);
        insta::assert_snapshot!(refusal(&many).expect("one too many"), @r#"{"type":"value_error","loc":["body","agent_ids"],"msg":"expected at most 1000 ids","input":1001}"#);
    }
}
