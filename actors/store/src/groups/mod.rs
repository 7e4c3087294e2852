//! Groups of agents.
//!
//! Invariants: every agent of a group, its manager too, has the group's shared blocks among its own
//! (`agent_blocks`); a group goes with its manager, an agent that goes leaves its groups. An agent
//! that leaves a group keeps the blocks, and so do all when the group is deleted: nobody loses memory
//! that was not asked for. A block that is detached from the group is taken from all of them
//! that do not share it in another group.

mod list;
mod modify;
mod share;
mod sleep;

use std::collections::HashMap;

use engram_domain::{AgentId, Group, GroupId, OrgId, Scope};
use sqlx::PgConnection;
use uuid::Uuid;

pub use list::GroupFilter;
pub use modify::GroupPatch;

use crate::{
    Result, ScopedStore,
    again::again,
    error::db,
    rows::{GroupRow, ManagerColumns, group_columns, group_tables, manager_columns},
    scoped::org,
};

impl ScopedStore {
    /// A group.
    pub async fn group(&self, id: GroupId) -> Result<Option<Group>> {
        let mut conn = self.store.queries.acquire().await.map_err(db)?;
        read(&mut conn, self.scope, id).await
    }

    /// Creates a group and gives its shared blocks to its agents. [`StoreError::Conflict`](crate::StoreError::Conflict) when
    /// one of them has another block with a shared one's label.
    pub async fn create_group(&self, group: &Group) -> Result<()> {
        again(async || {
            let mut tx = self.store.queries.begin().await.map_err(db)?;
            insert(&mut tx, self.owner()?, group).await?;
            tx.commit().await.map_err(db)
        })
        .await
    }

    /// Deletes a group. Its agents stay, and keep their blocks. False when there is no such group.
    pub async fn delete_group(&self, id: GroupId) -> Result<bool> {
        again(|| self.try_delete_group(id)).await
    }

    async fn try_delete_group(&self, id: GroupId) -> Result<bool> {
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        // Before the group: whoever deletes the agent locks them in this order, too.
        let manager: Option<Uuid> = sqlx::query_scalar(
            "SELECT manager_agent_id FROM groups WHERE id = $1 AND manager_type IN ('supervisor', 'voice_sleeptime')",
        )
        .bind(id.0)
        .fetch_optional(&mut *tx)
        .await
        .map_err(db)?
        .flatten();
        crate::agents::bump(&mut tx, manager.as_slice()).await?;
        let done = sqlx::query("DELETE FROM groups WHERE id = $1 AND organization_id = coalesce($2, organization_id)")
            .bind(id.0)
            .bind(self.org())
            .execute(&mut *tx)
            .await
            .map_err(db)?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        tx.commit().await.map_err(db)?;
        Ok(true)
    }

    /// The group that each of these agents manages: of several the one that works in the background,
    /// else the newest.
    pub(crate) async fn managed_groups(&self, agents: &[Uuid]) -> Result<HashMap<AgentId, Group>> {
        let rows = sqlx::query_as::<_, GroupRow>(concat!(
            "SELECT DISTINCT ON (g.manager_agent_id) ",
            group_columns!(),
            " FROM ",
            group_tables!(),
            " WHERE g.manager_agent_id = ANY($1) AND g.organization_id = coalesce($2, g.organization_id) ORDER BY g.manager_agent_id, \
             g.manager_type IN ('sleeptime', 'voice_sleeptime') DESC, g.created_at DESC, g.id DESC"
        ))
        .bind(agents)
        .bind(self.org())
        .fetch_all(&self.store.queries)
        .await
        .map_err(db)?;
        let groups = rows.into_iter().map(Group::try_from).collect::<Result<Vec<_>>>()?;
        Ok(groups.into_iter().filter_map(|g| Some((g.manager.manager_agent_id()?, g))).collect())
    }
}

/// A group, for whoever reads one among other things.
pub(crate) async fn read(conn: &mut PgConnection, scope: Scope, id: GroupId) -> Result<Option<Group>> {
    sqlx::query_as::<_, GroupRow>(concat!(
        "SELECT ",
        group_columns!(),
        " FROM ",
        group_tables!(),
        " WHERE g.id = $1 AND g.organization_id = coalesce($2, g.organization_id)"
    ))
    .bind(id.0)
    .bind(org(scope))
    .fetch_optional(conn)
    .await
    .map_err(db)?
    .map(Group::try_from)
    .transpose()
}

/// Inserts a group with its members and its blocks, for whoever creates one among other things.
pub(crate) async fn insert(conn: &mut PgConnection, organization: OrgId, g: &Group) -> Result<()> {
    share::check_manager(conn, organization, &g.manager).await?;
    let query = sqlx::query(concat!(
        "INSERT INTO groups (",
        manager_columns!(),
        ", id, organization_id, description, project_id, template_id, base_template_id, hidden, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    ));
    ManagerColumns::from(&g.manager)
        .bind(query)
        .bind(g.id.0)
        .bind(organization.0)
        .bind(&g.description)
        .bind(&g.project_id)
        .bind(&g.template_id)
        .bind(&g.base_template_id)
        .bind(g.hidden)
        .bind(g.created_at)
        .bind(g.updated_at)
        .execute(&mut *conn)
        .await
        .map_err(db)?;
    sleep::write(conn, None, g).await?;
    share::set_members(conn, g).await?;
    share::set_blocks(conn, g).await?;
    share::give(conn, g).await?;
    share::begin_at_context(conn, g).await?;
    share::tell_managers(conn, &[&g.manager]).await
}
