//! The one statement of a turn: fence, messages, step, run and its events. The fence comes first and feeds the
//! others, so where it matches nothing, nothing is written.

use engram_core::ports::{Commit, Fence};
use engram_domain::{ConversationId, RunErrorKind, StopReason, Usage};
use sqlx::{PgConnection, Postgres, postgres::PgArguments, query::QueryScalar};
use uuid::Uuid;

use super::messages::{Columns, message_aliases, message_targets, message_values};
use crate::{Result, error::db, json::AsJson, rows::without_nul, run_events::EventColumns};

/// For a run that is over nothing is written: it may have been cancelled, or carried out by another node. A turn of an agent with
/// sleep-time companions is counted in the commit that ends it: so often, and never in the middle of one.
/// What it does as somebody's companion is none (`companions/sleep_time.rs`).
macro_rules! turn_sql {
    ($logged:literal) => {
        concat!(
    "WITH fence AS (
        UPDATE conversations SET
            version = version + 1,
            next_seq = $52 + cardinality($5::uuid[]),
            last_message_at = CASE WHEN cardinality($5::uuid[]) > 0 THEN $4 ELSE last_message_at END,
            updated_at = $4,
            context_from = coalesce($20, context_from),
            summary_message_id = CASE WHEN $20 IS NULL THEN summary_message_id ELSE $21 END,
            prompt_meta = coalesce($22, prompt_meta),
            last_run_completion = CASE WHEN $31 THEN $4 ELSE last_run_completion END,
            last_stop_reason = CASE WHEN $31 THEN $25 ELSE last_stop_reason END,
            last_run_duration_ms = CASE WHEN $31
                THEN (SELECT (extract(epoch FROM $4 - r.created_at) * 1000)::bigint FROM runs r WHERE r.id = $23)
                ELSE last_run_duration_ms END
        WHERE id = $1 AND epoch = $2 AND next_seq = $3
          AND ($23::uuid IS NULL
               OR EXISTS (SELECT FROM runs o WHERE o.id = $23 AND o.status IN ('created', 'running')))
        RETURNING id, agent_id, organization_id
    ), appended AS (
        INSERT INTO messages (conversation_id, agent_id, ",
    message_targets!(),
    ") SELECT fence.id, fence.agent_id, ",
    message_values!(),
    " FROM fence, unnest($5::uuid[], $6::bigint[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
                        $12::text[], $13::text[], $14::uuid[], $15::uuid[], $16::text[], $17::integer[],
                        $18::boolean[], $19::timestamptz[]) AS u",
    message_aliases!(),
    "), moved AS (
        UPDATE runs r SET
            status = $24, stop_reason = $25, error = $26, attempts = $27, step_count = $28, ttft_ns = $29,
            completion_tokens = $30[1], prompt_tokens = $30[2], cached_tokens = $30[3],
            cache_write_tokens = $30[4], reasoning_tokens = $30[5],
            error_kind = $53, first_seq = coalesce(r.first_seq, $52), end_seq = $52 + cardinality($5::uuid[]),
            updated_at = $4, completed_at = CASE WHEN $31 THEN $4 END
        FROM fence
        WHERE r.id = $23 AND r.conversation_id = fence.id AND r.status IN ('created', 'running')
        RETURNING r.agent_id, r.run_type
    ), counted AS (
        UPDATE group_sleep g SET turns_counter = coalesce(g.turns_counter, -1) + 1
        FROM moved
        WHERE $31 AND $24 = 'completed' AND $25 <> 'requires_approval' AND $1 = moved.agent_id
          AND moved.run_type <> 'sleeptime'
          AND g.manager_agent_id = moved.agent_id AND g.manager_type IN ('sleeptime', 'voice_sleeptime')
    ), stepped AS (
        INSERT INTO steps (id, organization_id, run_id, agent_id, conversation_id, provider_name, model, model_handle, model_endpoint,
            context_window, completion_tokens, prompt_tokens, cached_tokens, cache_write_tokens, reasoning_tokens,
            stop_reason, status, error, feedback, tags, response, context_from, context_to, llm_ns, tool_ns, step_ns,
            created_at)
        SELECT $32, fence.organization_id, $33, fence.agent_id, fence.id, $34, $35, $36, $37, $38, $39[1], $39[2], $39[3], $39[4], $39[5],
            $40, $41, $42, $43, $44, $45, $46, $47, $48, $49, $50, $51
        FROM fence WHERE $32 IS NOT NULL
    )",
    $logged,
    " SELECT a.rev FROM fence JOIN agents a ON a.id = fence.agent_id"
)
    };
}

const SQL: &str = turn_sql!("");
/// As [`SQL`], for a run whose events are kept.
const SQL_LOGGED: &str = turn_sql!(
    ", logged AS (
        INSERT INTO run_events (run_id, seq, event)
        SELECT r.id, u.seq, u.event::json
        FROM fence, runs r, unnest($54::bigint[], $55::text[]) AS u (seq, event) WHERE r.id = $23
    )"
);

/// The statement with its parameters. It returns the agent's revision, or no row when fenced.
pub(super) fn statement(fence: Fence, commit: &Commit) -> Result<QueryScalar<'static, Postgres, i64, PgArguments>> {
    let messages = Columns::of(&commit.append)?;
    let mark = commit.context;
    let run = commit.run.as_ref();
    let step = commit.step.as_deref();
    let statement = sqlx::query_scalar(if commit.events.is_empty() { SQL } else { SQL_LOGGED })
        .bind(fence.conversation_id.0)
        .bind(fence.epoch)
        .bind(commit.expect_seq)
        .bind(commit.now)
        .bind(messages.ids)
        .bind(messages.seqs)
        .bind(messages.roles)
        .bind(messages.contents)
        .bind(messages.searches)
        .bind(messages.names)
        .bind(messages.otids)
        .bind(messages.senders)
        .bind(messages.groups)
        .bind(messages.steps)
        .bind(messages.runs)
        .bind(messages.models)
        .bind(messages.tokens)
        .bind(messages.errors)
        .bind(messages.times)
        .bind(mark.map(|m| m.context_from))
        .bind(mark.and_then(|m| m.summary_message_id).map(Uuid::from))
        .bind(commit.prompt_meta.clone().map(AsJson))
        // 23: the run
        .bind(run.map(|r| r.id.0))
        .bind(run.map(|r| r.status.as_str()))
        .bind(run.and_then(|r| r.stop_reason).map(StopReason::as_str))
        .bind(run.and_then(|r| r.error.clone()).map(without_nul))
        .bind(run.map(|r| r.attempts))
        .bind(run.map(|r| r.step_count))
        .bind(run.and_then(|r| r.ttft_ns))
        .bind(run.map(|r| tokens(r.usage)))
        .bind(run.is_some_and(|r| r.status.is_terminal()))
        // 32: the step
        .bind(step.map(|s| s.id.0))
        .bind(step.map(|s| s.run_id.0))
        .bind(step.map(|s| s.provider_name.clone()))
        .bind(step.map(|s| s.model.clone()))
        .bind(step.and_then(|s| s.model_handle.clone()))
        .bind(step.and_then(|s| s.model_endpoint.clone()))
        .bind(step.map(|s| s.context_window))
        .bind(step.map(|s| tokens(s.usage)))
        .bind(step.and_then(|s| s.stop_reason).map(StopReason::as_str))
        .bind(step.map(|s| s.status.as_str()))
        .bind(step.and_then(|s| s.error.clone()).map(without_nul))
        .bind(step.and_then(|s| s.feedback.clone()))
        .bind(step.map(|s| s.tags.clone()))
        .bind(step.and_then(|s| s.response.clone()).map(AsJson))
        .bind(step.map(|s| s.context_range.0))
        .bind(step.map(|s| s.context_range.1))
        .bind(step.map(|s| s.llm_ns))
        .bind(step.and_then(|s| s.tool_ns))
        .bind(step.map(|s| s.step_ns))
        .bind(step.map(|s| s.created_at))
        .bind(first_seq(commit))
        .bind(run.and_then(|r| r.error_kind.as_ref().map(RunErrorKind::to_string)));
    if commit.events.is_empty() {
        return Ok(statement);
    }
    let events = EventColumns::of(&commit.events);
    Ok(statement.bind(events.seqs).bind(events.events))
}

/// `seq` of the first message that a commit appends.
pub(super) fn first_seq(commit: &Commit) -> i64 {
    commit.delete_from.unwrap_or(commit.expect_seq)
}

/// The counts of a usage, in the order of the columns.
fn tokens(usage: Usage) -> Vec<i64> {
    vec![
        usage.completion_tokens,
        usage.prompt_tokens,
        usage.cached_input_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
    ]
}

/// Locks the conversation if the commit may happen, for what must be done before the statement.
pub(super) async fn lock(conn: &mut PgConnection, fence: Fence, expect_seq: i64) -> Result<bool> {
    let found: Option<i32> = sqlx::query_scalar(
        "SELECT 1 FROM conversations WHERE id = $1 AND epoch = $2 AND next_seq = $3 FOR NO KEY UPDATE",
    )
    .bind(fence.conversation_id.0)
    .bind(fence.epoch)
    .bind(expect_seq)
    .fetch_optional(conn)
    .await
    .map_err(db)?;
    Ok(found.is_some())
}

/// The revision as this transaction has left it.
pub(super) async fn agent_rev(conn: &mut PgConnection, conversation: ConversationId) -> Result<i64> {
    sqlx::query_scalar("SELECT a.rev FROM conversations c JOIN agents a ON a.id = c.agent_id WHERE c.id = $1")
        .bind(conversation.0)
        .fetch_one(conn)
        .await
        .map_err(db)
}
