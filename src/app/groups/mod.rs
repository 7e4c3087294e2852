//! Groups of agents: making, changing and deleting them.

mod check;
pub mod messages;

use engram_domain::{AgentId, BlockId, Group, GroupId, ManagerConfig};
use engram_engine::{Command, CommandError, Pending};
use engram_store::groups::GroupPatch;

use crate::app::{App, Error, Result};

/// A group to be made.
#[derive(Debug, Clone)]
pub struct GroupSpec {
    /// What it is for.
    pub description: String,
    /// How it is led.
    pub manager: ManagerConfig,
    /// Its members in their order, each once.
    pub agent_ids: Vec<AgentId>,
    /// Blocks that all its agents get.
    pub shared_block_ids: Vec<BlockId>,
    /// Project id.
    pub project_id: Option<String>,
    /// Left out of lists when true.
    pub hidden: Option<bool>,
}

/// The group, which must exist.
pub async fn find(app: &App, id: GroupId) -> Result<Group> {
    app.store.group(id).await?.ok_or_else(|| Error::not_found("Group", id))
}

/// The time zone of the agent that leads a group, or is about to: a schedule that names none speaks of its clock.
pub async fn zone(app: &App, leader: Option<AgentId>) -> Result<Option<String>> {
    match leader {
        Some(leader) => Ok(app.store.agent(leader).await?.map(|agent| agent.timezone)),
        None => Ok(None),
    }
}

/// Makes a group. Its shared blocks are attached to all its agents; a conflict when one of them has another block with
/// the label of a shared one.
pub async fn create(app: &App, spec: GroupSpec) -> Result<Group> {
    check::members(app, &spec.agent_ids).await?;
    check::manager(app, &spec.manager).await?;
    check::blocks(app, &spec.shared_block_ids).await?;
    let now = app.clock.now();
    let group = Group {
        id: GroupId(app.ids.uuid()),
        description: spec.description,
        turns_counter: spec.manager.first_turns_counter(),
        manager: spec.manager,
        agent_ids: spec.agent_ids,
        shared_block_ids: spec.shared_block_ids,
        last_processed_message_id: None,
        project_id: spec.project_id,
        template_id: None,
        base_template_id: None,
        hidden: spec.hidden,
        created_at: now,
        updated_at: now,
    };
    app.store.create_group(&group).await?;
    Ok(group)
}

/// Changes a group. `manager` makes the new settings of those that the group has: it is asked before anything is
/// changed, and again when nobody else can change the group, so that settings it does not name stay as they are then.
pub async fn change<E: From<Error>>(
    app: &App,
    group: Group,
    patch: GroupPatch,
    manager: Option<impl Fn(ManagerConfig) -> Result<ManagerConfig, E>>,
) -> Result<Group, E> {
    let id = group.id;
    if let Some(manager) = &manager {
        check::manager(app, &manager(group.manager)?).await?;
    }
    if let Some(ids) = &patch.agent_ids {
        check::members(app, ids).await?;
    }
    if let Some(ids) = &patch.shared_block_ids {
        check::blocks(app, ids).await?;
    }
    let changes = |group: &Group| {
        let manager = manager.as_ref().map(|manager| manager(group.manager.clone())).transpose()?;
        Ok::<_, E>(GroupPatch { manager, ..patch.clone() })
    };
    let changed = app.store.change_group(id, app.clock.now(), changes).await.map_err(Error::from)??;
    Ok(changed.ok_or_else(|| Error::not_found("Group", id))?)
}

/// Shares a block: every agent of the group gets it, and so does every one that joins later. A conflict when one of
/// them has another block with its label.
pub async fn attach_block(app: &App, id: GroupId, block: BlockId) -> Result<Group> {
    check::blocks(app, &[block]).await?;
    check::room(&find(app, id).await?, block)?;
    modify(app, id, GroupPatch { add_block: Some(block), ..GroupPatch::default() }).await
}

/// Stops sharing a block: every agent of the group loses it. The block itself stays.
pub async fn detach_block(app: &App, id: GroupId, block: BlockId) -> Result<Group> {
    if !find(app, id).await?.shared_block_ids.contains(&block) {
        return Err(Error::not_found("Block", block));
    }
    modify(app, id, GroupPatch { remove_block: Some(block), ..GroupPatch::default() }).await
}

async fn modify(app: &App, id: GroupId, patch: GroupPatch) -> Result<Group> {
    let group = app.store.modify_group(id, &patch, app.clock.now()).await?;
    group.ok_or_else(|| Error::not_found("Group", id))
}

/// Deletes a group. Its runs end, and with them the current runs of its agents; the agents stay, with the blocks that they
/// shared.
pub async fn delete(app: &App, id: GroupId) -> Result<()> {
    let group = find(app, id).await?;
    app.engine.end_group_runs(&group).await?;
    if !app.store.delete_group(id).await? {
        return Err(Error::not_found("Group", id));
    }
    // What its manager asked the group for is answered by nobody any more.
    if let ManagerConfig::Dynamic { manager_agent_id, .. } = group.manager {
        let deny = Command::DenyPending(Pending::Group(id.to_string()));
        match app.engine.command(manager_agent_id.default_conversation(), deny).await {
            Ok(_) | Err(CommandError::NotFound) => {}
            Err(error) => tracing::warn!(?error, group = %id, "a manager still waits for its deleted group"),
        }
    }
    Ok(())
}
