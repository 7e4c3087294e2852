//! Passages that are read into memory blocks as well, by agents that are deleted when they have done it.

use engram_domain::{AgentId, Archive, ArchiveId, Passage};
use engram_store::{
    Page,
    agents::{AgentFilter, AgentSort},
};

use super::{
    find,
    passages::{self, PassageSpec},
};
use crate::app::{
    App, Error, Result,
    agents::{blocks_of, reader},
};

/// Agents of an archive at most.
const MOST_AGENTS: i64 = 1_000;
/// Two requests may be about to make the same block: then one of them looks again.
const TRIES: u8 = 5;

/// Stores passages in an archive, each whole; all of them or none. With `read` they are worked into a block of every
/// agent with sleep-time that has the archive.
pub async fn store(app: &App, id: ArchiveId, specs: Vec<PassageSpec>, read: bool) -> Result<(Archive, Vec<Passage>)> {
    let agents = if read { agents_with_sleeptime(app, id).await? } else { vec![] };
    let archive = find(app, id).await?;
    // A task of its own: a caller that goes away in the middle must not keep some of the agents from their block.
    let app = app.clone();
    let work = tokio::spawn(async move {
        let stored = passages::store(&app, &archive, specs).await?;
        for agent in agents {
            self::read(&app, id, agent, stored.iter().map(|p| p.text.as_str())).await?;
        }
        Ok((archive, stored))
    });
    work.await.unwrap_or_else(|error| Err(Error::internal(error)))
}

/// The agents with sleep-time that have the archive, for which it is read. Refuses where there are none.
async fn agents_with_sleeptime(app: &App, archive: ArchiveId) -> Result<Vec<AgentId>> {
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
async fn read(
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
