//! Passages that are read into memory blocks as well, by agents that are deleted when they have done it.

use engram_domain::{AgentId, ArchiveId};
use engram_store::{
    Page,
    agents::{AgentFilter, AgentSort},
};

use super::find;
use crate::app::{
    App, Error, Result,
    agents::{blocks_of, reader},
};

/// Agents of an archive at most.
const MOST_AGENTS: i64 = 1_000;
/// Two requests may be about to make the same block: then one of them looks again.
const TRIES: u8 = 5;

/// The agents with sleep-time that have the archive, for which it is read. Refuses where there are none.
pub async fn agents_with_sleeptime(app: &App, archive: ArchiveId) -> Result<Vec<AgentId>> {
    find(app, archive).await?;
    let filter = AgentFilter { archive_id: Some(archive), ..AgentFilter::default() };
    let mut found = vec![];
    for agent in app.store.agents(&filter, AgentSort::Created, Page::oldest(MOST_AGENTS)).await? {
        if app.store.has_companions(agent.id).await? {
            found.push(agent.id);
        }
    }
    if found.is_empty() {
        return Err(Error::Rejected(format!("{archive} is attached to no agent with sleep-time")));
    }
    Ok(found)
}

/// Has the passages read into the block of an agent that is named like the archive. Nothing happens for an agent that
/// was deleted meanwhile.
pub async fn read(
    app: &App,
    archive: ArchiveId,
    main: AgentId,
    passages: impl Iterator<Item = &str> + Clone,
) -> Result<()> {
    let source = find(app, archive).await?;
    for _ in 0..TRIES {
        let Some(agent) = app.store.agent(main).await? else { return Ok(()) };
        let blocks = blocks_of(app, main).await?;
        let new = reader::make(app, &agent, &blocks, &source, passages.clone()).await?;
        if new.runs.is_empty() || app.store.create_ephemeral(&new, app.clock.now()).await? {
            return Ok(());
        }
    }
    Err(Error::Rejected(format!(
        "the passages are stored, but {main} is being changed by somebody else: its block for {archive} was not made"
    )))
}
