//! Agents: making, changing and reading them.
//!
//! What it does: [`create()`] makes an agent of an [`AgentSpec`], [`change()`] changes one by an [`AgentChange`],
//! [`companion`] and [`reader`] make the agents that work for another one; [`models`] and [`tools`] find out what an
//! agent gets, [`plan`] puts it together as a pure function, `check` says how much of each may be asked for.
//!
//! Invariants: an agent and all that is made with it are stored in one transaction; whatever can be refused is refused
//! before it.
//!
//! To add a member of an agent that callers set: `engram_domain::Agent`; a column in `migrations/`, in the store's
//! `rows/agent.rs`, `agents/create.rs` and `agents/modify.rs` (`AgentPatch` and its two uses); its default in [`plan`];
//! its wire names in `http/dto/agents/create.rs`, `update.rs` and `state.rs`. One that needs a look-up or a check of
//! its own gets a member in [`AgentSpec`] and [`AgentChange`] besides.

mod change;
mod check;
pub mod companion;
mod context;
mod create;
pub mod models;
mod names;
pub mod plan;
pub mod reader;
mod run_tool;
pub mod settings;
mod spec;
pub mod tools;

use engram_domain::{Agent, AgentId, ArchiveId, Block, BlockId};
use engram_store::{
    Page,
    agents::{AgentFilter, AgentSort, Relations, Wanted},
};

pub use self::{
    change::change,
    create::create,
    run_tool::run_tool,
    spec::{AgentChange, AgentSpec, ToolWish},
};
use crate::app::{App, Error, Result, archives, blocks};

/// The agent, which must exist.
pub async fn find(app: &App, id: AgentId) -> Result<Agent> {
    app.store.agent(id).await?.ok_or_else(|| Error::not_found("Agent", id))
}

/// Fails when there is no such agent.
pub async fn require(app: &App, id: AgentId) -> Result<()> {
    if app.store.agent_exists(id).await? { Ok(()) } else { Err(Error::not_found("Agent", id)) }
}

/// A page of the agents that have a block, which must exist.
pub async fn with_block(app: &App, block: BlockId, page: Page) -> Result<Vec<Agent>> {
    blocks::find(app, block).await?;
    let filter = AgentFilter { block_id: Some(block), ..AgentFilter::default() };
    Ok(app.store.agents(&filter, AgentSort::Created, page).await?)
}

/// A page of the agents that have an archive, which must exist.
pub async fn with_archive(app: &App, archive: ArchiveId, page: Page) -> Result<Vec<Agent>> {
    archives::find(app, archive).await?;
    let filter = AgentFilter { archive_id: Some(archive), ..AgentFilter::default() };
    Ok(app.store.agents(&filter, AgentSort::Created, page).await?)
}

/// Agents with what hangs on them: one query a relation, however many they are.
pub async fn with_relations(app: &App, agents: Vec<Agent>, wanted: Wanted) -> Result<Vec<(Agent, Relations)>> {
    let ids: Vec<AgentId> = agents.iter().map(|a| a.id).collect();
    let mut relations = app.store.relations(&ids, wanted).await?;
    let with = |agent: Agent| {
        let relations = relations.remove(&agent.id).unwrap_or_default();
        (agent, relations)
    };
    Ok(agents.into_iter().map(with).collect())
}

/// The blocks of an agent in the order of its prompt; none when there is no such agent.
pub async fn blocks_of(app: &App, id: AgentId) -> Result<Vec<Block>> {
    let wanted = Wanted { blocks: true, tools: false, group: false };
    Ok(app.store.relations(&[id], wanted).await?.remove(&id).unwrap_or_default().blocks)
}
