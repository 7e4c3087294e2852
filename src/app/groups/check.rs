//! Whether what a group refers to exists, so that the refusal can say what does not.

use std::{collections::HashSet, hash::Hash};

use engram_domain::{AgentId, BlockId, Group, ManagerConfig};
use serde_json::json;

use crate::app::{App, Error, Result};

/// Agents in a group at most, and blocks that it shares.
const MOST: usize = 1_000;

/// Members: each once, and all of them there. 404 names the first that is not.
pub async fn members(app: &App, ids: &[AgentId]) -> Result<()> {
    once("agent_ids", "expected each agent once", ids)?;
    match app.store.missing_agent(ids).await? {
        Some(missing) => Err(Error::not_found("Agent", missing)),
        None => Ok(()),
    }
}

/// The agent that leads.
pub async fn manager(app: &App, config: &ManagerConfig) -> Result<()> {
    match config.manager_agent_id() {
        Some(id) if !app.store.agent_exists(id).await? => Err(Error::not_found("Agent", id)),
        _ => Ok(()),
    }
}

/// Shared blocks: each once, and all of them there.
pub async fn blocks(app: &App, ids: &[BlockId]) -> Result<()> {
    once("shared_block_ids", "expected each block once", ids)?;
    let found: HashSet<BlockId> = app.store.blocks_by_id(ids).await?.into_iter().map(|b| b.id).collect();
    match ids.iter().find(|id| !found.contains(id)) {
        Some(missing) => Err(Error::not_found("Block", missing)),
        None => Ok(()),
    }
}

/// Whether there is room for one more shared block.
pub fn room(group: &Group, block: BlockId) -> Result<()> {
    if group.shared_block_ids.len() < MOST || group.shared_block_ids.contains(&block) {
        return Ok(());
    }
    let expected = format!("expected a group that shares fewer than {MOST} blocks");
    Err(Error::invalid(&["block_id"], expected, json!(block)))
}

/// Each once, and not too many of them.
fn once<T: Eq + Hash + ToString>(member: &str, expected: &str, ids: &[T]) -> Result<()> {
    if ids.len() > MOST {
        return Err(Error::invalid(&[member], format!("expected at most {MOST} ids"), json!(ids.len())));
    }
    let mut seen = HashSet::with_capacity(ids.len());
    match ids.iter().enumerate().find(|(_, id)| !seen.insert(*id)) {
        Some((i, id)) => Err(Error::invalid(&[member, &i.to_string()], expected, json!(id.to_string()))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_there_once_and_not_too_many_are() {
        let many: Vec<u32> = (0..1_001).collect();
        let once = |ids: &[u32]| once("agent_ids", "expected each agent once", ids);
        assert!(once(&many[1..]).is_ok());
        insta::assert_debug_snapshot!(once(&[3, 1, 3]).expect_err("one is there twice"), @r#"
        Invalid {
            path: [
                "agent_ids",
                "2",
            ],
            expected: "expected each agent once",
            got: String("3"),
        }
        "#);
        insta::assert_debug_snapshot!(once(&many).expect_err("one too many"), @r#"
        Invalid {
            path: [
                "agent_ids",
            ],
            expected: "expected at most 1000 ids",
            got: Number(1001),
        }
        "#);
    }
}
