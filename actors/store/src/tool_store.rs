//! What tools read while they run.

use std::collections::HashSet;

use async_trait::async_trait;
use engram_core::ports::tools::{MessageQuery, PassageQuery, Told, ToolStore};
use engram_domain::{AgentId, Archive, ArchiveId, ConversationId, Message, Passage, RunId, Scope};
use pgvector::Vector;
use sqlx::{FromRow, Postgres, QueryBuilder};
use uuid::Uuid;

use crate::{
    Store, StoreError,
    error::db,
    keyset::{push_contains, push_tags},
    messages::push_agent,
    rows::{PassageRow, message_columns, passage_columns},
};

#[derive(FromRow)]
struct Scored {
    #[sqlx(flatten)]
    row: PassageRow,
    score: f32,
}

#[async_trait]
impl ToolStore for Store {
    async fn archives(&self, agent: AgentId) -> Result<Vec<Archive>, StoreError> {
        self.scoped(Scope::System).archives_of_agent(agent).await
    }

    async fn has_agent(&self, from: AgentId, to: AgentId) -> Result<bool, StoreError> {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM agents f JOIN agents t ON t.organization_id = f.organization_id
                            WHERE f.id = $1 AND t.id = $2)",
        )
        .bind(from.0)
        .bind(to.0)
        .fetch_one(&self.queries)
        .await
        .map_err(db)
    }

    async fn agents_by_tags(
        &self,
        from: AgentId,
        all: &[String],
        some: &[String],
        limit: i64,
    ) -> Result<Vec<AgentId>, StoreError> {
        let ids: Vec<Uuid> = sqlx::query_scalar(
            "SELECT id FROM agents
             WHERE tags @> $1 AND (cardinality($2::text[]) = 0 OR tags && $2) AND hidden IS NOT TRUE
               AND organization_id = (SELECT organization_id FROM agents WHERE id = $4)
             ORDER BY created_at, id LIMIT $3",
        )
        .bind(all)
        .bind(some)
        .bind(limit)
        .bind(from.0)
        .fetch_all(&self.queries)
        .await
        .map_err(db)?;
        Ok(ids.into_iter().map(AgentId).collect())
    }

    async fn told(&self, run: RunId) -> Result<Option<Told>, StoreError> {
        self.told_to_companion(run).await
    }

    async fn supervised_by(&self, agent: AgentId) -> Result<Vec<AgentId>, StoreError> {
        let ids: Vec<Uuid> = sqlx::query_scalar(
            "SELECT m.agent_id FROM groups g JOIN group_agents m ON m.group_id = g.id
             WHERE g.manager_agent_id = $1 AND g.manager_type = 'supervisor' AND m.agent_id <> $1
             ORDER BY g.created_at, g.id, m.position",
        )
        .bind(agent.0)
        .fetch_all(&self.queries)
        .await
        .map_err(db)?;
        let mut seen = HashSet::new();
        Ok(ids.into_iter().filter(|id| seen.insert(*id)).map(AgentId).collect())
    }

    async fn search_passages(
        &self,
        archives: &[ArchiveId],
        query: &PassageQuery,
    ) -> Result<Vec<(Passage, f32)>, StoreError> {
        let ids: Vec<Uuid> = archives.iter().map(|id| id.0).collect();
        let mut q = QueryBuilder::new(concat!("SELECT ", passage_columns!(), ", NULL::vector AS embedding, "));
        match &query.embedding {
            // Materialized, so that no distance is taken before the lengths are known to be equal.
            Some(vector) => q
                .push("(1 - (p.embedding <=> ")
                .push_bind(Vector::from(vector.clone()))
                .push("))::real AS score FROM (SELECT * FROM passages WHERE vector_dims(embedding) = ")
                .push_bind(i32::try_from(vector.len()).unwrap_or(i32::MAX))
                .push(" AND archive_id = ANY(")
                .push_bind(ids)
                .push(") OFFSET 0) p WHERE true"),
            None => q.push("0::real AS score FROM passages p WHERE p.archive_id = ANY(").push_bind(ids).push(")"),
        };
        push_contains(&mut q, "p.text", query.text.as_deref());
        push_tags(&mut q, "p.tags", &query.tags, query.match_all);
        if let Some(since) = query.since {
            q.push(" AND p.created_at >= ").push_bind(since);
        }
        if let Some(until) = query.until {
            q.push(" AND p.created_at < ").push_bind(until);
        }
        q.push(" ORDER BY score DESC, p.created_at DESC, p.seq DESC LIMIT ").push_bind(query.limit);
        q.push(" OFFSET ").push_bind(query.offset);
        let mut search = self.search().await?;
        let rows = q.build_query_as::<Scored>().fetch_all(search.get()).await;
        search.done(rows)?.into_iter().map(|s| Ok((Passage::try_from(s.row)?, s.score))).collect()
    }

    async fn search_messages(
        &self,
        agent: AgentId,
        conversation: Option<ConversationId>,
        query: &MessageQuery,
    ) -> Result<Vec<Message>, StoreError> {
        let mut q = QueryBuilder::new(concat!("SELECT ", message_columns!(), " FROM messages m"));
        let words = !query.words.is_empty();
        if words {
            push_found(&mut q, query);
        }
        // Empty for what only the machinery says: compiled prompts, heartbeats, searches.
        q.push(" WHERE m.search <> ''");
        match conversation {
            Some(conversation) => drop(q.push(" AND m.conversation_id = ").push_bind(conversation.0)),
            None => push_agent(&mut q, Some(agent)),
        }
        if !query.roles.is_empty() {
            let roles: Vec<&str> = query.roles.iter().map(|r| r.as_str()).collect();
            q.push(" AND m.role = ANY(").push_bind(roles).push(")");
        }
        if let Some(since) = query.since {
            q.push(" AND m.created_at >= ").push_bind(since);
        }
        if let Some(until) = query.until {
            q.push(" AND m.created_at < ").push_bind(until);
        }
        if let Some(run) = query.not_of_run {
            q.push(" AND m.run_id IS DISTINCT FROM ").push_bind(run.0);
        }
        if words {
            q.push(" AND found.hits > 0");
        }
        q.push(" ORDER BY ");
        if words {
            q.push("found.hits DESC, ");
        }
        q.push("m.created_at DESC, m.seq DESC LIMIT ").push_bind(query.limit);
        q.push(" OFFSET ").push_bind(query.offset);
        self.find(q).await
    }
}

/// Joins `found.hits`: how many of the words a message contains; more than all of them where it
/// contains the phrase. `OFFSET 0` keeps the planner from writing the lowered text out once a word.
fn push_found(q: &mut QueryBuilder<Postgres>, query: &MessageQuery) {
    q.push(" CROSS JOIN LATERAL (SELECT lower(m.search) AS text OFFSET 0) lowered CROSS JOIN LATERAL (SELECT (");
    q.push("(SELECT count(*) FROM unnest(").push_bind(query.words.clone());
    q.push("::text[]) AS word WHERE strpos(lowered.text, lower(word)) > 0)");
    if let Some(phrase) = &query.phrase {
        q.push(" + CASE WHEN strpos(lowered.text, lower(").push_bind(phrase.clone());
        q.push(")) > 0 THEN 1000000 ELSE 0 END");
    }
    q.push(") AS hits OFFSET 0) found");
}
