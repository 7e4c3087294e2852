//! Passages that are worked into memory blocks as well, by agents that are gone when they have done it.

use engram_domain::{AgentId, ArchiveId};
use engram_store::{
    Page,
    agents::{AgentFilter, AgentSort, Wanted},
};

use super::retrieve::find;
use crate::app::App;
use crate::http::{error::ApiError, routes::agents::creation::reader};

/// Agents of an archive at most.
const MOST_AGENTS: i64 = 1_000;
/// Two requests may be about to make the same block: then one of them looks again.
const TRIES: u8 = 5;

/// Agents with sleep-time that have the archive. 400 when there are none.
pub(super) async fn readers(app: &App, archive: ArchiveId) -> Result<Vec<AgentId>, ApiError> {
    find(app, archive).await?;
    let filter = AgentFilter { archive_id: Some(archive), ..AgentFilter::default() };
    let mut found = vec![];
    for agent in app.store.agents(&filter, AgentSort::Created, Page::oldest(MOST_AGENTS)).await? {
        if app.store.has_companions(agent.id).await? {
            found.push(agent.id);
        }
    }
    if found.is_empty() {
        return Err(ApiError::bad_request(format!("{archive} is attached to no agent with sleep-time")));
    }
    Ok(found)
}

/// Has the passages worked into the block of an agent that is named like the archive. An agent that was deleted meanwhile
/// wants nothing any more.
pub(super) async fn absorb(
    app: &App,
    archive: ArchiveId,
    main: &AgentId,
    passages: impl Iterator<Item = &str> + Clone,
) -> Result<(), ApiError> {
    let source = find(app, archive).await?;
    for _ in 0..TRIES {
        let Some(agent) = app.store.agent(*main).await? else { return Ok(()) };
        let blocks = app.store.relations(&[*main], Wanted::default()).await?.remove(main).unwrap_or_default().blocks;
        let new = reader(app, &agent, &blocks, &source, passages.clone()).await?;
        if new.runs.is_empty() || app.store.create_ephemeral(&new, app.clock.now()).await? {
            return Ok(());
        }
    }
    Err(ApiError::bad_request(format!(
        "the passages are stored, but {main} is being changed by somebody else: its block for {archive} was not made"
    )))
}
