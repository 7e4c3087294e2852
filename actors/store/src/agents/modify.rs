//! Changing an agent.

use engram_domain::{
    Agent, AgentId, BlockId, BusyPolicy, CompactionSettings, EmbeddingConfig, EnvVar, Json, JsonMap, LlmConfig, Scope,
    StopReason, Time, ToolId, ToolRule,
};
use sqlx::{PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::{
    ContextCut, NewCompanion, companion, context,
    create::{attach_blocks, attach_tools, replace_env},
};
use crate::{Result, ScopedStore, again::again, error::db, json::AsJson, scoped::org};

/// Changes of an agent; `None` leaves a member as it is. An inner `None` clears it.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "every member is the member of `Agent` of the same name")]
pub struct AgentPatch {
    pub name: Option<String>,
    pub description: Option<Option<String>>,
    pub system: Option<String>,
    pub llm: Option<LlmConfig>,
    pub embedding: Option<EmbeddingConfig>,
    pub model_settings: Option<Json>,
    pub compaction: Option<CompactionSettings>,
    pub response_format: Option<Option<Json>>,
    pub tool_rules: Option<Vec<ToolRule>>,
    pub tags: Option<Vec<String>>,
    pub metadata: Option<JsonMap>,
    pub message_buffer_autoclear: Option<bool>,
    pub enable_sleeptime: Option<bool>,
    pub timezone: Option<String>,
    pub busy_policy: Option<BusyPolicy>,
    pub max_files_open: Option<i32>,
    pub per_file_view_window_char_limit: Option<i32>,
    pub hidden: Option<Option<bool>>,
    pub project_id: Option<Option<String>>,
    pub template_id: Option<Option<String>>,
    pub base_template_id: Option<Option<String>>,
    /// All its variables.
    pub env: Option<Vec<EnvVar>>,
    /// All its tools.
    pub tool_ids: Option<Vec<ToolId>>,
    /// All its blocks, in the order of the prompt.
    pub block_ids: Option<Vec<BlockId>>,
    pub last_run_completion: Option<Time>,
    pub last_run_duration_ms: Option<i64>,
    pub last_stop_reason: Option<StopReason>,
}

impl AgentPatch {
    /// Makes the changes to an agent in memory, but for its tools and blocks, which are rows of their own.
    pub fn apply(self, agent: &mut Agent) {
        macro_rules! set {
            ($($member:ident),*) => {$(
                if let Some(value) = self.$member {
                    agent.$member = value;
                }
            )*};
            (optional $($member:ident),*) => {$(
                if let Some(value) = self.$member {
                    agent.$member = Some(value);
                }
            )*};
        }
        set!(name, description, system, llm, embedding, response_format, tool_rules, tags, metadata, env);
        set!(message_buffer_autoclear, timezone, busy_policy, max_files_open, per_file_view_window_char_limit);
        set!(hidden, project_id, template_id, base_template_id);
        set!(optional model_settings, compaction, enable_sleeptime);
        set!(optional last_run_completion, last_run_duration_ms, last_stop_reason);
    }
}

/// What becomes of an agent's companions when the agent is changed.
#[derive(Debug, Clone)]
pub enum CompanionChange {
    /// It gets one, unless it leads a background group already.
    Add(Box<NewCompanion>),
    /// It loses them, as with [`ScopedStore::remove_companions`].
    Remove,
}

impl ScopedStore {
    /// Changes an agent, its companions and what it has in context in one transaction. False when there is no such agent.
    /// Errors are those of [`ScopedStore::modify_agent`]; [`crate::StoreError::Invalid`] when a block that agent and companion
    /// should share is gone; [`crate::StoreError::Conflict`] when messages should leave the context and the agent is busy, or
    /// its context has changed. Then nothing is changed.
    ///
    /// Where messages leave the context, the conversation's actor has lost it: its next commit is refused.
    pub async fn change_agent(
        &self,
        id: AgentId,
        patch: &AgentPatch,
        companions: Option<&CompanionChange>,
        cut: Option<&ContextCut>,
        now: Time,
    ) -> Result<bool> {
        again(|| self.try_change_agent(id, patch, companions, cut, now)).await
    }

    async fn try_change_agent(
        &self,
        id: AgentId,
        patch: &AgentPatch,
        companions: Option<&CompanionChange>,
        cut: Option<&ContextCut>,
        now: Time,
    ) -> Result<bool> {
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        if let Some(cut) = cut {
            context::cut(&mut tx, self.scope, id, cut, now).await?;
        }
        if matches!(companions, Some(CompanionChange::Remove)) {
            companion::lock_with_companions(&mut tx, id).await?;
        }
        if !modify(&mut tx, self, id, patch, now).await? {
            return Ok(false);
        }
        match companions {
            // The row of the agent is locked by now, so that of two requests the second finds the group of the first.
            Some(CompanionChange::Add(new)) => {
                companion::insert_unless_leading(&mut tx, &self.store.vault, id, new).await?;
            }
            Some(CompanionChange::Remove) => companion::remove(&mut tx, id).await?,
            None => {}
        }
        tx.commit().await.map_err(db)?;
        Ok(true)
    }

    /// Changes an agent in one transaction. False when there is no such agent. A tool or a block
    /// that does not exist is [`crate::StoreError::Invalid`], two blocks of one label are
    /// [`crate::StoreError::Conflict`]; then nothing is changed.
    pub async fn modify_agent(&self, id: AgentId, patch: &AgentPatch, now: Time) -> Result<bool> {
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        if !modify(&mut tx, self, id, patch, now).await? {
            return Ok(false);
        }
        tx.commit().await.map_err(db)?;
        Ok(true)
    }

    /// Changes the rules of an agent by a function of the present ones. None when there is no such
    /// agent. The row is locked in between, so two changes do not lose one another.
    pub async fn modify_rules(
        &self,
        id: AgentId,
        now: Time,
        change: impl FnOnce(&mut Vec<ToolRule>) + Send,
    ) -> Result<Option<()>> {
        let mut tx = self.store.queries.begin().await.map_err(db)?;
        let row: Option<(crate::json::RawJson,)> = sqlx::query_as(
            "SELECT tool_rules FROM agents
                 WHERE id = $1 AND organization_id = coalesce($2, organization_id) FOR NO KEY UPDATE",
        )
        .bind(id.0)
        .bind(self.org())
        .fetch_optional(&mut *tx)
        .await
        .map_err(db)?;
        let Some((raw,)) = row else { return Ok(None) };
        let mut rules: Vec<ToolRule> = raw.parse("agents", "tool_rules", id)?;
        change(&mut rules);
        let patch = AgentPatch { tool_rules: Some(rules), ..AgentPatch::default() };
        update_row(&mut tx, self.scope, id, &patch, now).await?;
        tx.commit().await.map_err(db)?;
        Ok(Some(()))
    }
}

/// All changes of a patch, for whoever makes others with them.
async fn modify(
    conn: &mut PgConnection,
    store: &ScopedStore,
    id: AgentId,
    patch: &AgentPatch,
    now: Time,
) -> Result<bool> {
    let scope = store.scope;
    if !update_row(conn, scope, id, patch, now).await? {
        return Ok(false);
    }
    if let Some(env) = &patch.env {
        replace_env(conn, &store.store.vault, id, env).await?;
    }
    if let Some(tools) = &patch.tool_ids {
        replace_tools(conn, id, tools).await?;
    }
    if let Some(blocks) = &patch.block_ids {
        replace_blocks(conn, id, blocks).await?;
    }
    if patch.last_run_completion.is_some() || patch.last_run_duration_ms.is_some() || patch.last_stop_reason.is_some() {
        // Neither the fence nor anything an actor holds is touched by these columns.
        sqlx::query(
            "UPDATE conversations SET last_run_completion = COALESCE($2, last_run_completion), \
             last_run_duration_ms = COALESCE($3, last_run_duration_ms), \
             last_stop_reason = COALESCE($4, last_stop_reason) WHERE id = $1",
        )
        .bind(id.0)
        .bind(patch.last_run_completion)
        .bind(patch.last_run_duration_ms)
        .bind(patch.last_stop_reason.map(StopReason::as_str))
        .execute(conn)
        .await
        .map_err(db)?;
    }
    Ok(true)
}

async fn update_row(conn: &mut PgConnection, scope: Scope, id: AgentId, p: &AgentPatch, now: Time) -> Result<bool> {
    let mut q: QueryBuilder<Postgres> = QueryBuilder::new("UPDATE agents SET rev = rev + 1, updated_at = ");
    q.push_bind(now);
    macro_rules! set {
        ($($member:ident),*) => {$(
            if let Some(value) = &p.$member {
                q.push(concat!(", ", stringify!($member), " = ")).push_bind(value.clone());
            }
        )*};
        (json $($member:ident),*) => {$(
            if let Some(value) = &p.$member {
                q.push(concat!(", ", stringify!($member), " = ")).push_bind(AsJson(value.clone()));
            }
        )*};
    }
    set!(
        name,
        description,
        system,
        tags,
        message_buffer_autoclear,
        enable_sleeptime,
        timezone,
        max_files_open,
        per_file_view_window_char_limit,
        hidden,
        project_id,
        template_id,
        base_template_id
    );
    set!(json llm, embedding, model_settings, compaction, tool_rules, metadata);
    if let Some(policy) = p.busy_policy {
        q.push(", busy_policy = ").push_bind(policy.as_str());
    }
    if let Some(format) = &p.response_format {
        q.push(", response_format = ").push_bind(format.clone().map(AsJson));
    }
    q.push(" WHERE id = ").push_bind(id.0);
    if let Some(org) = org(scope) {
        q.push(" AND organization_id = ").push_bind(org);
    }
    Ok(q.build().execute(conn).await.map_err(db)?.rows_affected() > 0)
}

async fn replace_tools(conn: &mut PgConnection, id: AgentId, tools: &[ToolId]) -> Result<()> {
    let keep: Vec<Uuid> = tools.iter().map(|t| t.0).collect();
    sqlx::query("DELETE FROM agent_tools WHERE agent_id = $1 AND tool_id <> ALL($2)")
        .bind(id.0)
        .bind(keep)
        .execute(&mut *conn)
        .await
        .map_err(db)?;
    attach_tools(conn, id, tools).await
}

/// The order may change too, so all of them are taken off first.
async fn replace_blocks(conn: &mut PgConnection, id: AgentId, blocks: &[BlockId]) -> Result<()> {
    let ids: Vec<Uuid> = blocks.iter().map(|b| b.0).collect();
    sqlx::query("DELETE FROM agent_blocks WHERE agent_id = $1").bind(id.0).execute(&mut *conn).await.map_err(db)?;
    let labelled: Vec<(Uuid, String)> = sqlx::query_as(
        "SELECT b.id, b.label FROM unnest($1::uuid[]) WITH ORDINALITY AS n (id, place) \
         JOIN blocks b ON b.id = n.id AND b.organization_id = (SELECT organization_id FROM agents WHERE id = $2) \
         ORDER BY n.place",
    )
    .bind(&ids)
    .bind(id.0)
    .fetch_all(&mut *conn)
    .await
    .map_err(db)?;
    if let Some(missing) = ids.iter().find(|id| !labelled.iter().any(|(found, _)| found == *id)) {
        return Err(crate::StoreError::Invalid(format!("the block {} does not exist", BlockId(*missing))));
    }
    let blocks: Vec<(BlockId, String)> = labelled.into_iter().map(|(id, label)| (BlockId(id), label)).collect();
    attach_blocks(conn, id, &blocks).await
}
