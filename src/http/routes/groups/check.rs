//! Whether what a request refers to exists, so that the answer can say what does not.

use engram_domain::{AgentId, BlockId, ManagerConfig};
use serde_json::json;

use crate::http::{error::ApiError, state::AppState};

/// Members: each once, and all of them there. 404 names the first that is not.
pub async fn members(state: &AppState, ids: &[AgentId]) -> Result<(), ApiError> {
    once("agent_ids", "expected each agent once", ids)?;
    match state.store.missing_agent(ids).await? {
        Some(missing) => Err(ApiError::not_found("Agent", missing)),
        None => Ok(()),
    }
}

/// The agent that leads.
pub async fn manager(state: &AppState, config: &ManagerConfig) -> Result<(), ApiError> {
    match config.manager_agent_id() {
        Some(id) if !state.store.agent_exists(id).await? => Err(ApiError::not_found("Agent", id)),
        _ => Ok(()),
    }
}

/// Shared blocks: each once, and all of them there.
pub async fn blocks(state: &AppState, ids: &[BlockId]) -> Result<(), ApiError> {
    once("shared_block_ids", "expected each block once", ids)?;
    let found = state.store.blocks_by_id(ids).await?;
    match ids.iter().find(|id| found.iter().all(|b| b.id != **id)) {
        Some(missing) => Err(ApiError::not_found("Block", missing)),
        None => Ok(()),
    }
}

fn once<T: PartialEq + ToString>(member: &str, expected: &str, ids: &[T]) -> Result<(), ApiError> {
    let twice = ids.iter().enumerate().find(|(i, id)| ids[..*i].contains(id));
    match twice {
        Some((i, id)) => Err(ApiError::invalid(&["body", member, &i.to_string()], expected, json!(id.to_string()))),
        None => Ok(()),
    }
}
