//! Changing a group.

use std::convert::Infallible;

use engram_domain::{AgentId, BlockId, Group, GroupId, ManagerConfig, OrgId, Time};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{read, share, sleep};
use crate::{
    Result, ScopedStore,
    again::again,
    error::db,
    rows::{ManagerColumns, manager_columns},
};

/// Changes of a group; what is none stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GroupPatch {
    /// New description.
    pub description: Option<String>,
    /// New settings, of the type that the group has.
    pub manager: Option<ManagerConfig>,
    /// New members in their order, each once.
    pub agent_ids: Option<Vec<AgentId>>,
    /// All shared blocks, each once. Agents get the new ones and lose those that are gone.
    pub shared_block_ids: Option<Vec<BlockId>>,
    /// One more shared block.
    pub add_block: Option<BlockId>,
    /// One shared block less.
    pub remove_block: Option<BlockId>,
    /// New project id.
    pub project_id: Option<String>,
    /// Whether it is left out of lists.
    pub hidden: Option<bool>,
}

impl ScopedStore {
    /// Changes a group and returns what it is now, or none when there is no such group.
    /// [`crate::StoreError::Conflict`] as for its creation.
    pub async fn modify_group(&self, id: GroupId, patch: &GroupPatch, now: Time) -> Result<Option<Group>> {
        let Ok(group) = self.change_group(id, now, |_| Ok::<_, Infallible>(patch.clone())).await?;
        Ok(group)
    }

    /// As [`Self::modify_group`], with changes that are made from the group as it is when nobody else can change it. The
    /// inner error is theirs; nothing happens then.
    pub async fn change_group<E>(
        &self,
        id: GroupId,
        now: Time,
        changes: impl Fn(&Group) -> std::result::Result<GroupPatch, E>,
    ) -> Result<std::result::Result<Option<Group>, E>> {
        again(|| self.try_change_group(id, now, &changes)).await
    }

    async fn try_change_group<E>(
        &self,
        id: GroupId,
        now: Time,
        changes: impl Fn(&Group) -> std::result::Result<GroupPatch, E>,
    ) -> Result<std::result::Result<Option<Group>, E>> {
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        // A statement of its own, so that the next one sees what the former holder of the lock has done.
        sqlx::query("SELECT FROM groups WHERE id = $1 FOR NO KEY UPDATE")
            .bind(id.0)
            .execute(&mut *tx)
            .await
            .map_err(db)?;
        sqlx::query("SELECT FROM group_sleep WHERE group_id = $1 FOR NO KEY UPDATE")
            .bind(id.0)
            .execute(&mut *tx)
            .await
            .map_err(db)?;
        let Some(before) = read(&mut tx, self.scope, id).await? else { return Ok(Ok(None)) };
        let mut after = match changes(&before) {
            Ok(patch) => apply(before.clone(), &patch),
            Err(error) => return Ok(Err(error)),
        };
        if after == before {
            return Ok(Ok(Some(before)));
        }
        after.updated_at = now;
        update(&mut tx, &before, &after).await?;
        if after.agent_ids != before.agent_ids {
            share::set_members(&mut tx, &after).await?;
        }
        if after.shared_block_ids != before.shared_block_ids {
            share::set_blocks(&mut tx, &after).await?;
            let gone: Vec<BlockId> =
                before.shared_block_ids.iter().copied().filter(|b| !after.shared_block_ids.contains(b)).collect();
            share::take(&mut tx, &after, &gone).await?;
        }
        share::give(&mut tx, &after).await?;
        if after.manager != before.manager {
            share::tell_managers(&mut tx, &[&before.manager, &after.manager]).await?;
            if after.manager.manager_agent_id() != before.manager.manager_agent_id() {
                share::begin_at_context(&mut tx, &after).await?;
            }
        }
        tx.commit().await.map_err(db)?;
        Ok(Ok(Some(after)))
    }
}

fn apply(mut g: Group, p: &GroupPatch) -> Group {
    if let Some(description) = &p.description {
        g.description.clone_from(description);
    }
    if let Some(manager) = &p.manager {
        g.turns_counter = g.turns_counter.or(manager.first_turns_counter());
        g.manager = manager.clone();
    }
    if let Some(agent_ids) = &p.agent_ids {
        g.agent_ids.clone_from(agent_ids);
    }
    if let Some(blocks) = &p.shared_block_ids {
        g.shared_block_ids.clone_from(blocks);
    }
    if let Some(block) = p.add_block.filter(|b| !g.shared_block_ids.contains(b)) {
        g.shared_block_ids.push(block);
    }
    if let Some(block) = p.remove_block {
        g.shared_block_ids.retain(|b| *b != block);
    }
    if p.project_id.is_some() {
        g.project_id.clone_from(&p.project_id);
    }
    g.hidden = p.hidden.or(g.hidden);
    g
}

async fn update(conn: &mut PgConnection, before: &Group, g: &Group) -> Result<()> {
    if g.manager.manager_agent_id() != before.manager.manager_agent_id() {
        let organization: Uuid = sqlx::query_scalar("SELECT organization_id FROM groups WHERE id = $1")
            .bind(g.id.0)
            .fetch_one(&mut *conn)
            .await
            .map_err(db)?;
        share::check_manager(conn, OrgId(organization), &g.manager).await?;
    }
    let query = sqlx::query(concat!(
        "UPDATE groups SET (",
        manager_columns!(),
        ", description, project_id, hidden, updated_at) = ($1, $2, $3, $4, $6, $7, $8, $9) WHERE id = $5",
    ));
    ManagerColumns::from(&g.manager)
        .bind(query)
        .bind(g.id.0)
        .bind(&g.description)
        .bind(&g.project_id)
        .bind(g.hidden)
        .bind(g.updated_at)
        .execute(&mut *conn)
        .await
        .map_err(db)?;
    sleep::write(conn, Some(before), g).await
}
