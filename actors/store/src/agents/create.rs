//! Creating an agent.

use engram_core::ports::store::PromptMeta;
use engram_domain::{Agent, AgentId, Block, BlockId, EnvVar, IdentityId, Message, OrgId, ToolId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    HIDDEN, Result, ScopedStore, StoreError, commit::MessageColumns, error::db, json::AsJson, rows::env_place,
    secrets::Vault,
};

/// All that becomes rows when an agent is created.
#[derive(Debug, Clone)]
pub struct NewAgent {
    /// Its configuration, variables included.
    pub agent: Agent,
    /// Blocks to create.
    pub blocks: Vec<Block>,
    /// All its blocks with their labels, new and existing, in the order of the prompt.
    pub block_order: Vec<(BlockId, String)>,
    /// Its tools.
    pub tool_ids: Vec<ToolId>,
    /// First messages of its default conversation, `seq` from 0; the first is the system prompt.
    pub messages: Vec<Message>,
    /// What the last section of that prompt was made of.
    pub prompt_meta: PromptMeta,
}

impl ScopedStore {
    /// Creates an agent. All of it happens or none of it.
    pub async fn create_agent(&self, new: &NewAgent) -> Result<()> {
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        insert(&mut tx, &self.store.vault, self.owner()?, new).await?;
        tx.commit().await.map_err(db)
    }
}

/// All rows of a new agent, for whoever creates one among other things.
pub(super) async fn insert(conn: &mut PgConnection, vault: &Vault, organization: OrgId, new: &NewAgent) -> Result<()> {
    insert_agent(conn, organization, &new.agent).await?;
    insert_identities(conn, new.agent.id, &new.agent.identity_ids).await?;
    replace_env(conn, vault, new.agent.id, &new.agent.env).await?;
    for block in &new.blocks {
        crate::blocks::insert(conn, organization, block).await?;
    }
    attach_blocks(conn, new.agent.id, &new.block_order).await?;
    attach_tools(conn, new.agent.id, &new.tool_ids).await?;
    insert_conversation(conn, organization, new).await
}

/// The agent's default conversation: it has the agent's own UUID.
async fn insert_conversation(conn: &mut PgConnection, organization: OrgId, new: &NewAgent) -> Result<()> {
    let Some(system) = new.messages.first() else {
        return Err(StoreError::Invalid("a conversation begins with the system message".into()));
    };
    let next_seq = i64::try_from(new.messages.len()).unwrap_or(i64::MAX);
    sqlx::query(
        "INSERT INTO conversations (id, organization_id, agent_id, system_message_id, context_from, next_seq, \
         prompt_meta, last_message_at, created_at, updated_at) VALUES ($1, $6, $1, $2, 1, $3, $4, $5, $5, $5)",
    )
    .bind(new.agent.id.0)
    .bind(system.id.0)
    .bind(next_seq)
    .bind(AsJson(&new.prompt_meta))
    .bind(new.agent.created_at)
    .bind(organization.0)
    .execute(&mut *conn)
    .await
    .map_err(db)?;
    MessageColumns::of(&new.messages)?.insert(conn, new.agent.id.0, new.agent.id.0).await
}

async fn insert_agent(conn: &mut PgConnection, organization: OrgId, a: &Agent) -> Result<()> {
    sqlx::query(
        "INSERT INTO agents (id, name, description, agent_type, system, llm, embedding, model_settings, compaction, \
         response_format, tool_rules, tags, metadata, organization_id, message_buffer_autoclear, enable_sleeptime, \
         timezone, max_files_open, per_file_view_window_char_limit, hidden, project_id, template_id, \
         base_template_id, created_at, updated_at, rev, busy_policy) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, \
         $22, $23, $24, $25, $26, $27)",
    )
    .bind(a.id.0)
    .bind(&a.name)
    .bind(&a.description)
    .bind(a.agent_type.as_str())
    .bind(&a.system)
    .bind(AsJson(&a.llm))
    .bind(AsJson(&a.embedding))
    .bind(a.model_settings.as_ref().map(AsJson))
    .bind(a.compaction.as_ref().map(AsJson))
    .bind(a.response_format.as_ref().map(AsJson))
    .bind(AsJson(&a.tool_rules))
    .bind(&a.tags)
    .bind(AsJson(&a.metadata))
    .bind(organization.0)
    .bind(a.message_buffer_autoclear)
    .bind(a.enable_sleeptime)
    .bind(&a.timezone)
    .bind(a.max_files_open)
    .bind(a.per_file_view_window_char_limit)
    .bind(a.hidden)
    .bind(&a.project_id)
    .bind(&a.template_id)
    .bind(&a.base_template_id)
    .bind(a.created_at)
    .bind(a.updated_at)
    .bind(a.rev)
    .bind(a.busy_policy.as_str())
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

async fn insert_identities(conn: &mut PgConnection, agent: AgentId, identities: &[IdentityId]) -> Result<()> {
    if identities.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = identities.iter().map(|i| i.0).collect();
    sqlx::query(
        "INSERT INTO agent_identities (agent_id, identity_id, position) \
         SELECT $1, n.id, n.place FROM unnest($2::uuid[]) WITH ORDINALITY AS n (id, place) ON CONFLICT DO NOTHING",
    )
    .bind(agent.0)
    .bind(ids)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// Makes these the agent's variables; a key that it had keeps its id, and its value where only [`HIDDEN`] is known of it.
pub(super) async fn replace_env(conn: &mut PgConnection, vault: &Vault, agent: AgentId, env: &[EnvVar]) -> Result<()> {
    let keys: Vec<&str> = env.iter().map(|e| e.key.as_str()).collect();
    sqlx::query("DELETE FROM agent_env WHERE agent_id = $1 AND key <> ALL($2)")
        .bind(agent.0)
        .bind(&keys)
        .execute(&mut *conn)
        .await
        .map_err(db)?;
    let told: Vec<&EnvVar> = env.iter().filter(|variable| variable.value != HIDDEN).collect();
    if told.is_empty() {
        return Ok(());
    }
    let sealer = vault.sealer(&mut *conn).await?;
    for variable in told {
        let value = sealer.seal(&env_place(agent.0, &variable.key), &variable.value)?;
        sqlx::query(
            "INSERT INTO agent_env (id, agent_id, key, value, description) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (agent_id, key) DO UPDATE SET value = EXCLUDED.value, \
             description = COALESCE(EXCLUDED.description, agent_env.description)",
        )
        .bind(variable.id.0)
        .bind(agent.0)
        .bind(&variable.key)
        .bind(value)
        .bind(&variable.description)
        .execute(&mut *conn)
        .await
        .map_err(db)?;
    }
    Ok(())
}

/// Attaches blocks behind those that the agent has. One of another organization is one that does not exist.
pub(super) async fn attach_blocks(conn: &mut PgConnection, agent: AgentId, blocks: &[(BlockId, String)]) -> Result<()> {
    let (ids, labels): (Vec<Uuid>, Vec<&str>) = blocks.iter().map(|(id, label)| (id.0, label.as_str())).unzip();
    sqlx::query(
        "INSERT INTO agent_blocks (agent_id, block_id, position, label) \
         SELECT $1, (SELECT b.id FROM blocks b WHERE b.id = n.id AND b.organization_id = \
                     (SELECT organization_id FROM agents WHERE id = $1)), \
         n.place + COALESCE((SELECT max(position) FROM agent_blocks WHERE agent_id = $1), 0), n.label \
         FROM unnest($2::uuid[], $3::text[]) WITH ORDINALITY AS n (id, label, place)",
    )
    .bind(agent.0)
    .bind(ids)
    .bind(labels)
    .execute(&mut *conn)
    .await
    .map_err(db)?;
    if blocks.is_empty() { Ok(()) } else { crate::blocks::check_sizes(conn, &[agent.0]).await }
}

/// Attaches tools behind those that the agent has; one that it has already stays where it is. One of
/// another organization is one that does not exist.
pub(super) async fn attach_tools(conn: &mut PgConnection, agent: AgentId, tools: &[ToolId]) -> Result<()> {
    let ids: Vec<Uuid> = tools.iter().map(|t| t.0).collect();
    sqlx::query(
        "INSERT INTO agent_tools (agent_id, tool_id, position) \
         SELECT $1, (SELECT t.id FROM tools t WHERE t.id = n.id AND t.organization_id = \
                     (SELECT organization_id FROM agents WHERE id = $1)), \
         n.place + COALESCE((SELECT max(position) FROM agent_tools WHERE agent_id = $1), 0) \
         FROM unnest($2::uuid[]) WITH ORDINALITY AS n (id, place) ON CONFLICT DO NOTHING",
    )
    .bind(agent.0)
    .bind(ids)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}
