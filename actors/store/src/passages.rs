//! Passages of archives: lists, search by vector, and their writing.
//!
//! Invariant: a passage's vector has the length of its archive's; the caller embeds with the
//! archive's own model, and the write checks it.

use engram_domain::{AgentId, ArchiveId, JsonMap, Passage, PassageId, Scope, Time};
use pgvector::Vector;
use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use crate::{
    PAGE_BYTES, Page, Result, ScopedStore, StoreError,
    archives::bump_owners,
    error::db,
    json::AsJson,
    keyset::{push_contains, push_tags},
    rows::{PassageRow, passage_columns},
    scoped::org,
    weight::{self, Weight},
};

/// Which passages are wanted. The default: all.
#[derive(Debug, Clone, Default)]
pub struct PassageFilter {
    /// In one of these archives; any when absent.
    pub archives: Option<Vec<ArchiveId>>,
    /// In an archive of this agent.
    pub agent_id: Option<AgentId>,
    /// With these words in the text.
    pub search: Option<String>,
    /// With any of these tags, or all of them.
    pub tags: Vec<String>,
    /// Whether all of `tags` are needed.
    pub match_all_tags: bool,
    /// Not older.
    pub start: Option<Time>,
    /// Not newer.
    pub end: Option<Time>,
}

/// Changes of a passage; `None` leaves a member as it is.
#[derive(Debug, Clone, Default)]
pub struct PassagePatch {
    /// New text with its vector.
    pub text: Option<(String, Vec<f32>)>,
    /// New tags, all of them.
    pub tags: Option<Vec<String>>,
    /// New free-form data.
    pub metadata: Option<JsonMap>,
}

#[derive(FromRow)]
struct Scored {
    #[sqlx(flatten)]
    row: PassageRow,
    score: f64,
}

impl ScopedStore {
    /// A passage with its vector.
    pub async fn passage(&self, id: PassageId) -> Result<Option<Passage>> {
        sqlx::query_as::<_, PassageRow>(concat!(
            "SELECT ",
            passage_columns!(),
            ", p.embedding FROM passages p JOIN archives r ON r.id = p.archive_id
              WHERE p.id = $1 AND r.organization_id = coalesce($2, r.organization_id)"
        ))
        .bind(id.0)
        .bind(self.org())
        .fetch_optional(&self.store.queries)
        .await
        .map_err(db)?
        .map(Passage::try_from)
        .transpose()
    }

    /// Appends the condition that passages `p` lie in archives of this scope.
    fn push_archive_scope(&self, q: &mut QueryBuilder<Postgres>) {
        if let Some(org) = self.org() {
            q.push(" AND EXISTS (SELECT FROM archives o WHERE o.id = p.archive_id AND o.organization_id = ");
            q.push_bind(org).push(")");
        }
    }

    /// A page of passages by time, with their vectors.
    pub async fn passages(&self, filter: &PassageFilter, page: Page) -> Result<Vec<Passage>> {
        let mut q = weight::PASSAGE.open(page, concat!("SELECT ", passage_columns!(), ", p.embedding FROM passages p"));
        push_where(&mut q, filter);
        self.push_archive_scope(&mut q);
        let (direction, follows, precedes) = page.sql();
        for (cursor, comparison) in [(page.after, follows), (page.before, precedes)] {
            let Some(id) = cursor else { continue };
            let place: Option<(Time, i64)> = sqlx::query_as(
                "SELECT p.created_at, p.seq FROM passages p JOIN archives r ON r.id = p.archive_id
                 WHERE p.id = $1 AND r.organization_id = coalesce($2, r.organization_id)",
            )
            .bind(id)
            .bind(self.org())
            .fetch_optional(&self.store.queries)
            .await
            .map_err(db)?;
            let Some((at, seq)) = place else { continue };
            q.push(format_args!(" AND (p.created_at, p.seq) {comparison} ("));
            q.push_bind(at).push(", ").push_bind(seq).push(")");
        }
        q.push(format_args!(" ORDER BY p.created_at {direction}, p.seq {direction} LIMIT ")).push_bind(page.limit);
        Weight::close(page, &mut q);
        let rows = if filter.search.is_some() {
            let mut search = self.store.search().await?;
            let rows = q.build_query_as::<PassageRow>().fetch_all(search.get()).await;
            search.done(rows)?
        } else {
            q.build_query_as::<PassageRow>().fetch_all(&self.store.queries).await.map_err(db)?
        };
        rows.into_iter().map(Passage::try_from).collect()
    }

    /// The passages closest to a vector with their cosine similarity, best first. The archives of
    /// the filter must have vectors of its length.
    pub async fn nearest_passages(
        &self,
        filter: &PassageFilter,
        vector: &[f32],
        limit: i64,
    ) -> Result<Vec<(Passage, f64)>> {
        let page = Page { most_bytes: Some(PAGE_BYTES), ..Page::newest(limit) };
        let mut q =
            weight::PASSAGE.open(page, concat!("SELECT ", passage_columns!(), ", p.embedding, 1 - (p.embedding <=> "));
        q.push_bind(Vector::from(vector.to_vec())).push(") AS score FROM passages p");
        push_where(&mut q, filter);
        self.push_archive_scope(&mut q);
        q.push(" AND p.embedding IS NOT NULL ORDER BY score DESC, p.seq DESC LIMIT ").push_bind(limit);
        Weight::close(page, &mut q);
        let mut search = self.store.search().await?;
        let rows = q.build_query_as::<Scored>().fetch_all(search.get()).await;
        search.done(rows)?.into_iter().map(|s| Ok((Passage::try_from(s.row)?, s.score))).collect()
    }

    /// Stores passages of one archive, all of them or none. [`StoreError::Invalid`] when there is no
    /// such archive.
    pub async fn insert_passages(&self, archive: ArchiveId, passages: &[Passage]) -> Result<()> {
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        for passage in passages {
            insert(&mut tx, self.scope, archive, passage).await?;
        }
        bump_owners(&mut tx, archive).await?;
        tx.commit().await.map_err(db)
    }

    /// Changes a passage and returns it.
    pub async fn modify_passage(&self, id: PassageId, patch: &PassagePatch, now: Time) -> Result<Option<Passage>> {
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        let (text, vector) = patch.text.as_ref().map(|(t, v)| (t.clone(), Vector::from(v.clone()))).unzip();
        let archive: Option<Uuid> = sqlx::query_scalar(
            "UPDATE passages SET text = COALESCE($2, text), embedding = COALESCE($3, embedding), \
             tags = COALESCE($4, tags), metadata = COALESCE($5, metadata), updated_at = $6 WHERE id = $1 \
             AND EXISTS (SELECT FROM archives r WHERE r.id = archive_id \
                         AND r.organization_id = coalesce($7, r.organization_id)) RETURNING archive_id",
        )
        .bind(id.0)
        .bind(text)
        .bind(vector)
        .bind(&patch.tags)
        .bind(patch.metadata.as_ref().map(AsJson))
        .bind(now)
        .bind(self.org())
        .fetch_optional(&mut *tx)
        .await
        .map_err(db)?;
        let Some(archive) = archive else { return Ok(None) };
        bump_owners(&mut tx, archive.into()).await?;
        tx.commit().await.map_err(db)?;
        self.passage(id).await
    }

    /// Deletes a passage of one of these archives. False when there is no such passage in them.
    pub async fn delete_passage(&self, archives: &[ArchiveId], id: PassageId) -> Result<bool> {
        let archives: Vec<Uuid> = archives.iter().map(|a| a.0).collect();
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        let archive: Option<Uuid> = sqlx::query_scalar(
            "DELETE FROM passages p USING archives r
                 WHERE p.id = $1 AND p.archive_id = ANY ($2) AND r.id = p.archive_id
                   AND r.organization_id = coalesce($3, r.organization_id) RETURNING p.archive_id",
        )
        .bind(id.0)
        .bind(archives)
        .bind(self.org())
        .fetch_optional(&mut *tx)
        .await
        .map_err(db)?;
        let Some(archive) = archive else { return Ok(false) };
        bump_owners(&mut tx, archive.into()).await?;
        tx.commit().await.map_err(db)?;
        Ok(true)
    }

    /// Bytes that the vectors of all passages take.
    pub async fn embedding_bytes(&self) -> Result<i64> {
        let mut search = self.store.search().await?;
        let bytes = sqlx::query_scalar(
            "SELECT COALESCE(sum(vector_dims(p.embedding)::bigint * 4), 0)::bigint FROM passages p \
             JOIN archives r ON r.id = p.archive_id WHERE r.organization_id = coalesce($1, r.organization_id)",
        )
        .bind(self.org())
        .fetch_one(search.get())
        .await;
        search.done(bytes)
    }
}

async fn insert(conn: &mut PgConnection, scope: Scope, archive: ArchiveId, p: &Passage) -> Result<()> {
    // The archive's dimension is read here and not trusted from the caller.
    let done = sqlx::query(
        "INSERT INTO passages (id, archive_id, source_id, text, embedding, tags, metadata, created_at, updated_at) \
         SELECT $1, r.id, $3, $4, $5, $6, $7, $8, $9 FROM archives r \
         WHERE r.id = $2 AND (r.embedding->>'embedding_dim')::int = vector_dims($5::vector) \
         AND r.organization_id = coalesce($10, r.organization_id)",
    )
    .bind(p.id.0)
    .bind(archive.0)
    .bind(p.source_id.map(|s| s.0))
    .bind(&p.text)
    .bind(Vector::from(p.embedding.clone()))
    .bind(&p.tags)
    .bind(AsJson(&p.metadata))
    .bind(p.created_at)
    .bind(p.updated_at)
    .bind(org(scope))
    .execute(conn)
    .await
    .map_err(db)?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Invalid(format!(
            "the archive {archive} does not exist or does not hold vectors of {} numbers",
            p.embedding.len()
        )));
    }
    Ok(())
}

fn push_where(q: &mut QueryBuilder<Postgres>, f: &PassageFilter) {
    q.push(" WHERE true");
    if let Some(archives) = &f.archives {
        let ids: Vec<Uuid> = archives.iter().map(|a| a.0).collect();
        q.push(" AND p.archive_id = ANY (").push_bind(ids).push(")");
    }
    if let Some(agent) = f.agent_id {
        q.push(" AND p.archive_id IN (SELECT archive_id FROM agent_archives WHERE agent_id = ");
        q.push_bind(agent.0).push(")");
    }
    push_contains(q, "p.text", f.search.as_deref());
    push_tags(q, "p.tags", &f.tags, f.match_all_tags);
    if let Some(start) = f.start {
        q.push(" AND p.created_at >= ").push_bind(start);
    }
    if let Some(end) = f.end {
        q.push(" AND p.created_at <= ").push_bind(end);
    }
}
