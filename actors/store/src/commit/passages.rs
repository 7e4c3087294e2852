//! Passages that a tool stores.

use engram_domain::{AgentId, EmbeddingConfig, Passage, Time};
use pgvector::Vector;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Result, StoreError, agents,
    error::db,
    json::{AsJson, RawJson},
    rows::without_nul,
};

/// Stores a passage in the agent's default archive, whatever `passage.archive_id` says; only an
/// archive that has to be created gets that id.
pub(super) async fn insert(conn: &mut PgConnection, passage: &Passage, agent: AgentId, now: Time) -> Result<()> {
    let (archive, embedding) = match default_archive(conn, agent).await? {
        Some(found) => found,
        None => create_archive(conn, agent, passage.archive_id.0, now).await?,
    };
    let dim = usize::try_from(embedding.embedding_dim).unwrap_or_default();
    if passage.embedding.len() != dim {
        return Err(StoreError::Invalid(format!(
            "the passage's embedding has {} numbers, the archive's model gives {dim}",
            passage.embedding.len()
        )));
    }
    sqlx::query(
        "INSERT INTO passages (id, archive_id, source_id, text, embedding, tags, metadata, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(passage.id.0)
    .bind(archive)
    .bind(passage.source_id.map(|id| id.0))
    .bind(without_nul(passage.text.clone()))
    .bind(Vector::from(passage.embedding.clone()))
    .bind(&passage.tags)
    .bind(AsJson(&passage.metadata))
    .bind(passage.created_at)
    .bind(passage.updated_at)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

async fn default_archive(conn: &mut PgConnection, agent: AgentId) -> Result<Option<(Uuid, EmbeddingConfig)>> {
    let row: Option<(Uuid, RawJson)> = sqlx::query_as(
        "SELECT r.id, r.embedding FROM agent_archives x JOIN archives r ON r.id = x.archive_id
         WHERE x.agent_id = $1 ORDER BY x.position LIMIT 1",
    )
    .bind(agent.0)
    .fetch_optional(conn)
    .await
    .map_err(db)?;
    row.map(|(id, embedding)| Ok((id, embedding.parse("archives", "embedding", id)?))).transpose()
}

/// Named after the agent, with its embedding model. The agent's row is locked first, so that two of
/// its conversations do not create one each.
async fn create_archive(
    conn: &mut PgConnection,
    agent: AgentId,
    id: Uuid,
    now: Time,
) -> Result<(Uuid, EmbeddingConfig)> {
    agents::bump(&mut *conn, &[agent.0]).await?;
    if let Some(found) = default_archive(conn, agent).await? {
        return Ok(found);
    }
    let (id, embedding): (Uuid, RawJson) = sqlx::query_as(
        "INSERT INTO archives (id, organization_id, name, embedding, created_at, updated_at)
         SELECT coalesce(nullif($2, '00000000-0000-0000-0000-000000000000'::uuid), gen_random_uuid()),
                a.organization_id, a.name || '''s archive', a.embedding, $3, $3
         FROM agents a WHERE a.id = $1 RETURNING id, embedding",
    )
    .bind(agent.0)
    .bind(id)
    .bind(now)
    .fetch_optional(&mut *conn)
    .await
    .map_err(db)?
    .ok_or_else(|| StoreError::Invalid("the agent does not exist".into()))?;
    sqlx::query("INSERT INTO agent_archives (agent_id, archive_id, position) VALUES ($1, $2, 0)")
        .bind(agent.0)
        .bind(id)
        .execute(conn)
        .await
        .map_err(db)?;
    Ok((id, embedding.parse("archives", "embedding", id)?))
}
