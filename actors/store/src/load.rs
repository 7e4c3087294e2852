//! What a live agent holds. As much as its context window, never its history.
//!
//! The agent's row with its revision is read first: whatever changes while the rest is read makes
//! the revision look old, and the next commit or run tells the actor to load again.

use std::sync::Arc;

use async_trait::async_trait;
use engram_core::ports::{
    Loaded, Snapshots,
    store::{AgentSnapshot, MessageBuffer},
};
use engram_domain::{
    Agent, AgentId, Archive, Block, Conversation, ConversationId, Message,
    group::{DEFAULT_MAX_BUFFER, DEFAULT_MIN_BUFFER},
};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::{
    Result, ScopedStore, Store,
    error::db,
    rows::{
        AgentRow, ArchiveRow, BlockRow, ConversationRow, EnvRow, MessageRow, agent_columns, archive_columns,
        block_columns, conversation_columns, message_columns,
    },
    secrets::Vault,
};

/// Tags of archives that a prompt names: the first ones.
const MOST_TAGS: i64 = 1_000;

impl ScopedStore {
    /// What the actor of a conversation would hold.
    ///
    /// # Errors
    /// Those of the database, and a row that cannot be read.
    pub async fn load(&self, id: ConversationId) -> Result<Option<Loaded>> {
        if self.conversation(id).await?.is_none() {
            return Ok(None);
        }
        self.store.load(id).await
    }

    /// An agent's configuration as its actor would hold it.
    ///
    /// # Errors
    /// Those of the database, and a row that cannot be read.
    pub async fn load_snapshot(&self, id: AgentId) -> Result<Option<AgentSnapshot>> {
        if !self.agent_exists(id).await? {
            return Ok(None);
        }
        let mut conn = self.store.queries.acquire().await.map_err(db)?;
        self.store.snapshot(&mut conn, id).await
    }
}

#[async_trait]
impl Snapshots for Store {
    /// Over one connection.
    async fn load(&self, id: ConversationId) -> Result<Option<Loaded>> {
        let mut conn = self.pool.acquire().await.map_err(db)?;
        let Some(row) = conversation(&mut conn, id).await? else { return Ok(None) };
        let prompt_meta = row.prompt_meta();
        let conversation = Conversation::try_from(row)?;
        let Some(mut snapshot) = self.snapshot(&mut conn, conversation.agent_id).await? else { return Ok(None) };
        isolate(&mut conn, &conversation, &mut snapshot.blocks).await?;
        let context = context(&mut conn, &conversation).await?;
        Ok(Some(Loaded { snapshot, conversation, prompt_meta, context }))
    }

    async fn load_snapshot(&self, id: AgentId) -> Result<Option<AgentSnapshot>> {
        let mut conn = self.pool.acquire().await.map_err(db)?;
        self.snapshot(&mut conn, id).await
    }
}

impl Store {
    async fn snapshot(&self, conn: &mut PgConnection, id: AgentId) -> Result<Option<AgentSnapshot>> {
        let Some((agent, buffer)) = agent(conn, id, &self.vault).await? else { return Ok(None) };
        let archives = archives(conn, id).await?;
        let ids: Vec<Uuid> = archives.iter().map(|a| a.id.0).collect();
        let (archival_count, archival_tags) =
            if ids.is_empty() { (0, Vec::new()) } else { archival(conn, &ids).await? };
        Ok(Some(AgentSnapshot {
            agent: Arc::new(agent),
            blocks: blocks(conn, id).await?,
            tools: Arc::new(self.tools.of_agent(conn, id).await?),
            archives: Arc::new(archives),
            archival_count,
            archival_tags,
            buffer,
        }))
    }
}

/// The row of a conversation.
pub(crate) async fn conversation(conn: &mut PgConnection, id: ConversationId) -> Result<Option<ConversationRow>> {
    sqlx::query_as(concat!("SELECT ", conversation_columns!(), " FROM conversations c WHERE c.id = $1"))
        .bind(id.0)
        .fetch_optional(conn)
        .await
        .map_err(db)
}

#[derive(FromRow)]
struct Configured {
    #[sqlx(flatten)]
    agent: AgentRow,
    most: Option<i32>,
    least: Option<i32>,
}

/// The agent, and how long its context may be where it leads a voice group; of several the one that came first.
async fn agent(conn: &mut PgConnection, id: AgentId, vault: &Vault) -> Result<Option<(Agent, Option<MessageBuffer>)>> {
    let row: Option<Configured> = sqlx::query_as(concat!(
        "SELECT ",
        agent_columns!(),
        ", v.most, v.least FROM agents a LEFT JOIN conversations d ON d.id = a.id
         LEFT JOIN LATERAL (
            SELECT coalesce(s.max_message_buffer_length, $2) AS most, coalesce(s.min_message_buffer_length, $3) AS least
            FROM group_sleep s JOIN groups g ON g.id = s.group_id
            WHERE s.manager_agent_id = a.id AND s.manager_type = 'voice_sleeptime'
            ORDER BY g.created_at, g.id LIMIT 1
         ) v ON true WHERE a.id = $1"
    ))
    .bind(id.0)
    .bind(DEFAULT_MAX_BUFFER)
    .bind(DEFAULT_MIN_BUFFER)
    .fetch_optional(&mut *conn)
    .await
    .map_err(db)?;
    let Some(Configured { agent, most, least }) = row else { return Ok(None) };
    let env: Vec<EnvRow> =
        sqlx::query_as("SELECT id, agent_id, key, value, description FROM agent_env WHERE agent_id = $1 ORDER BY key")
            .bind(id.0)
            .fetch_all(conn)
            .await
            .map_err(db)?;
    let length = |n: Option<i32>| n.and_then(|n| usize::try_from(n).ok());
    let buffer = length(most).zip(length(least)).map(|(most, least)| MessageBuffer { most, least });
    let agent = agent.into_agent(env.into_iter().map(|row| row.open(vault)).collect::<Result<_>>()?)?;
    Ok(Some((agent, buffer)))
}

async fn blocks(conn: &mut PgConnection, id: AgentId) -> Result<Vec<Arc<Block>>> {
    let rows: Vec<BlockRow> = sqlx::query_as(concat!(
        "SELECT ",
        block_columns!(),
        " FROM agent_blocks x JOIN blocks b ON b.id = x.block_id WHERE x.agent_id = $1 ORDER BY x.position, b.id"
    ))
    .bind(id.0)
    .fetch_all(conn)
    .await
    .map_err(db)?;
    rows.into_iter().map(|row| Block::try_from(row).map(Arc::new)).collect()
}

/// Puts the conversation's own blocks in the place of the agent's blocks of the same label.
async fn isolate(conn: &mut PgConnection, conversation: &Conversation, blocks: &mut [Arc<Block>]) -> Result<()> {
    if conversation.isolated_block_ids.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = conversation.isolated_block_ids.iter().map(|id| id.0).collect();
    let rows: Vec<BlockRow> =
        sqlx::query_as(concat!("SELECT ", block_columns!(), " FROM blocks b WHERE b.id = ANY($1)"))
            .bind(ids)
            .fetch_all(conn)
            .await
            .map_err(db)?;
    for row in rows {
        let own = Block::try_from(row)?;
        if let Some(shared) = blocks.iter_mut().find(|b| b.label == own.label) {
            *shared = Arc::new(own);
        }
    }
    Ok(())
}

async fn archives(conn: &mut PgConnection, id: AgentId) -> Result<Vec<Archive>> {
    let rows: Vec<ArchiveRow> = sqlx::query_as(concat!(
        "SELECT ",
        archive_columns!(),
        " FROM agent_archives x JOIN archives r ON r.id = x.archive_id WHERE x.agent_id = $1 ORDER BY x.position, r.id"
    ))
    .bind(id.0)
    .fetch_all(conn)
    .await
    .map_err(db)?;
    rows.into_iter().map(Archive::try_from).collect()
}

async fn archival(conn: &mut PgConnection, archives: &[Uuid]) -> Result<(i64, Vec<String>)> {
    sqlx::query_as(
        "SELECT (SELECT count(*) FROM passages WHERE archive_id = ANY($1)),
                ARRAY(SELECT tag FROM (SELECT DISTINCT unnest(tags) AS tag FROM passages
                                       WHERE archive_id = ANY($1) AND tags <> '{}') AS t
                      ORDER BY tag COLLATE \"C\" LIMIT $2)",
    )
    .bind(archives)
    .bind(MOST_TAGS)
    .fetch_one(conn)
    .await
    .map_err(db)
}

/// The system message, the summary, and what came after it, in this order.
pub(crate) async fn context(conn: &mut PgConnection, c: &Conversation) -> Result<Vec<Arc<Message>>> {
    let rows: Vec<MessageRow> = sqlx::query_as(concat!(
        "SELECT ",
        message_columns!(),
        " FROM messages m WHERE m.conversation_id = $1 AND m.seq >= $2
         UNION ALL
         SELECT ",
        message_columns!(),
        " FROM messages m WHERE m.id = ANY($3) AND m.conversation_id = $1 AND m.seq < $2"
    ))
    .bind(c.id.0)
    .bind(c.context_from)
    .bind([Some(c.system_message_id.0), c.summary_message_id.map(Uuid::from)])
    .fetch_all(conn)
    .await
    .map_err(db)?;
    let mut messages: Vec<Message> = rows.into_iter().map(Message::try_from).collect::<Result<_>>()?;
    messages.sort_by_key(|m| {
        let place = if m.id == c.system_message_id {
            0
        } else if Some(m.id) == c.summary_message_id {
            1
        } else {
            2
        };
        (place, m.seq)
    });
    Ok(messages.into_iter().map(Arc::new).collect())
}
