//! Archives of passages and which agents use them.

use engram_domain::{AgentId, Archive, ArchiveId, OrgId, Time};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Page, Result, ScopedStore,
    error::db,
    json::AsJson,
    keyset::{Key, push_equals},
    rows::{ArchiveRow, archive_columns},
    weight::{self, Weight},
};

const KEY: Key = Key { from: "archives r", column: "r.created_at", id: "r.id" };

/// Which archives are wanted. The default: all.
#[derive(Debug, Clone, Default)]
pub struct ArchiveFilter {
    /// With exactly this name.
    pub name: Option<String>,
    /// Attached to this agent.
    pub agent_id: Option<AgentId>,
}

impl ScopedStore {
    /// An archive.
    pub async fn archive(&self, id: ArchiveId) -> Result<Option<Archive>> {
        sqlx::query_as::<_, ArchiveRow>(concat!(
            "SELECT ",
            archive_columns!(),
            " FROM archives r WHERE r.id = $1 AND r.organization_id = coalesce($2, r.organization_id)"
        ))
        .bind(id.0)
        .bind(self.org())
        .fetch_optional(&self.store.queries)
        .await
        .map_err(db)?
        .map(Archive::try_from)
        .transpose()
    }

    /// A page of archives.
    pub async fn archives(&self, filter: &ArchiveFilter, page: Page) -> Result<Vec<Archive>> {
        let mut q = weight::ARCHIVE.open(page, concat!("SELECT ", archive_columns!(), " FROM archives r WHERE true"));
        self.push_scope(&mut q, "r.organization_id");
        push_equals(&mut q, "r.name", filter.name.as_deref());
        if let Some(agent) = filter.agent_id {
            q.push(" AND r.id IN (SELECT archive_id FROM agent_archives WHERE agent_id = ")
                .push_bind(agent.0)
                .push(")");
        }
        self.push_page(&mut q, KEY, page).await?;
        Weight::close(page, &mut q);
        collect(q.build_query_as().fetch_all(&self.store.queries).await.map_err(db)?)
    }

    /// An agent's archives; the first is the one that is written to.
    pub async fn archives_of_agent(&self, agent: AgentId) -> Result<Vec<Archive>> {
        let rows = sqlx::query_as(concat!(
            "SELECT ",
            archive_columns!(),
            " FROM agent_archives ar JOIN archives r ON r.id = ar.archive_id WHERE ar.agent_id = $1 \
             AND r.organization_id = coalesce($2, r.organization_id) ORDER BY ar.position, r.id"
        ))
        .bind(agent.0)
        .bind(self.org())
        .fetch_all(&self.store.queries)
        .await
        .map_err(db)?;
        collect(rows)
    }

    /// Creates an archive.
    pub async fn create_archive(&self, archive: &Archive) -> Result<()> {
        let mut conn = self.store.queries.acquire().await.map_err(db)?;
        insert(&mut conn, self.owner()?, archive).await
    }

    /// The archive that the agent writes to: its first one; where it has none, `fresh` is created and
    /// attached. None when there is no such agent. Two calls at once agree on one archive.
    pub async fn default_archive(&self, agent: AgentId, fresh: &Archive) -> Result<Option<Archive>> {
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        let organization: Option<Uuid> = sqlx::query_scalar(
            "SELECT organization_id FROM agents
                 WHERE id = $1 AND organization_id = coalesce($2, organization_id) FOR NO KEY UPDATE",
        )
        .bind(agent.0)
        .bind(self.org())
        .fetch_optional(&mut *tx)
        .await
        .map_err(db)?;
        let Some(organization) = organization else { return Ok(None) };
        let row = sqlx::query_as::<_, ArchiveRow>(concat!(
            "SELECT ",
            archive_columns!(),
            " FROM agent_archives ar JOIN archives r ON r.id = ar.archive_id WHERE ar.agent_id = $1 \
             ORDER BY ar.position, r.id LIMIT 1"
        ))
        .bind(agent.0)
        .fetch_optional(&mut *tx)
        .await
        .map_err(db)?;
        if let Some(row) = row {
            return Archive::try_from(row).map(Some);
        }
        insert(&mut tx, OrgId(organization), fresh).await?;
        crate::agents::link_archive(&mut tx, agent, fresh.id).await?;
        crate::agents::bump(&mut tx, &[agent.0]).await?;
        tx.commit().await.map_err(db)?;
        Ok(Some(fresh.clone()))
    }

    /// Changes name and description; `None` leaves a member as it is, an inner `None` clears it.
    pub async fn modify_archive(
        &self,
        id: ArchiveId,
        name: Option<&str>,
        description: Option<Option<&str>>,
        now: Time,
    ) -> Result<Option<Archive>> {
        sqlx::query(
            "UPDATE archives SET name = COALESCE($2, name), \
             description = CASE WHEN $3 THEN $4 ELSE description END, updated_at = $5 \
             WHERE id = $1 AND organization_id = coalesce($6, organization_id)",
        )
        .bind(id.0)
        .bind(name)
        .bind(description.is_some())
        .bind(description.flatten())
        .bind(now)
        .bind(self.org())
        .execute(&self.store.queries)
        .await
        .map_err(db)?;
        self.archive(id).await
    }

    /// Deletes an archive with its passages and takes it from every agent that has it. False when
    /// there is no such archive.
    pub async fn delete_archive(&self, id: ArchiveId) -> Result<bool> {
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        bump_owners(&mut tx, id).await?;
        let done =
            sqlx::query("DELETE FROM archives WHERE id = $1 AND organization_id = coalesce($2, organization_id)")
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
}

fn collect(rows: Vec<ArchiveRow>) -> Result<Vec<Archive>> {
    rows.into_iter().map(Archive::try_from).collect()
}

/// Tells every agent that has the archive to load again: the prompt says how much is in it.
pub(crate) async fn bump_owners(conn: &mut PgConnection, archive: ArchiveId) -> Result<()> {
    let owners: Vec<Uuid> = sqlx::query_scalar("SELECT agent_id FROM agent_archives WHERE archive_id = $1")
        .bind(archive.0)
        .fetch_all(&mut *conn)
        .await
        .map_err(db)?;
    crate::agents::bump(conn, &owners).await
}

async fn insert(conn: &mut PgConnection, organization: OrgId, a: &Archive) -> Result<()> {
    sqlx::query(
        "INSERT INTO archives (id, name, description, embedding, metadata, created_at, updated_at, organization_id) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(a.id.0)
    .bind(&a.name)
    .bind(&a.description)
    .bind(AsJson(&a.embedding))
    .bind(a.metadata.as_ref().map(AsJson))
    .bind(a.created_at)
    .bind(a.updated_at)
    .bind(organization.0)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}
