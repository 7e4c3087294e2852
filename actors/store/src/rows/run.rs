//! `runs`.

use engram_domain::{
    AgentId, ConversationId, GroupId, Run, RunErrorKind, RunId, RunStatus, RunType, StopReason, Time, Usage,
};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    StoreError,
    json::{RawJson, corrupt},
};

/// Columns of [`RunRow`], for `FROM runs r`. Whom clients see as the agent of a group's run is not kept with the run: the
/// run must outlive a member that is deleted.
macro_rules! run_columns {
    () => {
        "r.id, coalesce(r.agent_id, CASE WHEN r.group_id IS NOT NULL THEN ( \
             SELECT coalesce(g.manager_agent_id, (SELECT ga.agent_id FROM group_agents ga WHERE ga.group_id = g.id \
                                                  ORDER BY ga.position LIMIT 1)) \
             FROM groups g WHERE g.id = r.group_id) END) AS agent_id, \
         r.conversation_id, r.group_id, r.parent_run_id, r.status, r.stop_reason, r.input, r.background, r.run_type, r.metadata, \
         r.callback_url, r.interrupts, r.error, r.error_kind, r.attempts, r.step_count, r.completion_tokens, r.prompt_tokens, r.cached_tokens, \
         r.cache_write_tokens, r.reasoning_tokens, r.ttft_ns, r.created_at, r.updated_at, r.completed_at"
    };
}
pub(crate) use run_columns;

#[derive(FromRow)]
pub(crate) struct RunRow {
    pub id: Uuid,
    agent_id: Option<Uuid>,
    conversation_id: Option<Uuid>,
    group_id: Option<Uuid>,
    parent_run_id: Option<Uuid>,
    status: String,
    stop_reason: Option<String>,
    input: RawJson,
    background: bool,
    run_type: String,
    metadata: RawJson,
    callback_url: Option<String>,
    interrupts: bool,
    error: Option<String>,
    error_kind: Option<String>,
    attempts: i32,
    step_count: i32,
    completion_tokens: i64,
    prompt_tokens: i64,
    cached_tokens: i64,
    cache_write_tokens: i64,
    reasoning_tokens: i64,
    ttft_ns: Option<i64>,
    created_at: Time,
    updated_at: Time,
    completed_at: Option<Time>,
}

impl TryFrom<RunRow> for Run {
    type Error = StoreError;

    fn try_from(row: RunRow) -> Result<Self, StoreError> {
        const T: &str = "runs";
        let id = row.id;
        Ok(Self {
            id: id.into(),
            agent_id: row.agent_id.map(AgentId),
            owner: match (row.conversation_id, row.group_id) {
                (Some(conversation), None) => ConversationId(conversation).into(),
                (None, Some(group)) => GroupId(group).into(),
                _ => return Err(corrupt(T, "group_id", id, "a run belongs to a conversation or to a group")),
            },
            parent: row.parent_run_id.map(RunId),
            status: RunStatus::parse(&row.status)
                .ok_or_else(|| corrupt(T, "status", id, format!("no such status: {}", row.status)))?,
            stop_reason: row.stop_reason.as_deref().and_then(StopReason::parse),
            input: row.input.parse(T, "input", id)?,
            background: row.background,
            run_type: RunType::parse(&row.run_type),
            metadata: row.metadata.parse(T, "metadata", id)?,
            callback_url: row.callback_url,
            interrupts: row.interrupts,
            error: row.error,
            error_kind: row.error_kind.as_deref().map(RunErrorKind::parse),
            attempts: row.attempts,
            step_count: row.step_count,
            usage: Usage {
                completion_tokens: row.completion_tokens,
                prompt_tokens: row.prompt_tokens,
                cached_input_tokens: row.cached_tokens,
                cache_write_tokens: row.cache_write_tokens,
                reasoning_tokens: row.reasoning_tokens,
            },
            ttft_ns: row.ttft_ns,
            created_at: row.created_at,
            updated_at: row.updated_at,
            completed_at: row.completed_at,
        })
    }
}
