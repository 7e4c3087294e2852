//! The end of a step and the end of a run.

use std::sync::Arc;

use engram_domain::{Content, Message, Role, RunErrorKind, RunId, RunStatus, Step, StepStatus, StopReason};

use super::{
    Effect, Env, RunEnd, RunError, State, buffer, open_calls, results, shrink,
    state::{Phase, ReplyFacts, StepDraft},
    window::Window,
};
use crate::{
    package,
    ports::{
        Write,
        store::{BlockWrite, ContextMark},
    },
};

/// What a step changes besides messages.
#[derive(Default)]
pub(super) struct Extras {
    pub(super) blocks: Vec<BlockWrite>,
    pub(super) writes: Vec<Write>,
    pub(super) tool_ns: Option<i64>,
}

/// The run ends as it should.
pub(super) fn end(
    state: &mut State,
    reason: StopReason,
    fresh: Vec<Arc<Message>>,
    step: Option<(StepDraft, Box<ReplyFacts>)>,
    env: &Env<'_>,
) -> Vec<Effect> {
    end_with(state, reason, fresh, step, Extras::default(), env)
}

/// As [`end`], with more to commit.
pub(super) fn end_with(
    state: &mut State,
    reason: StopReason,
    fresh: Vec<Arc<Message>>,
    step: Option<(StepDraft, Box<ReplyFacts>)>,
    extras: Extras,
    env: &Env<'_>,
) -> Vec<Effect> {
    let record = step.map(|(draft, facts)| {
        step_record(state, &draft, &facts, StepStatus::Success, Some(reason), None, extras.tool_ns, env)
    });
    terminal(state, reason, None, fresh, record.flatten(), extras, env)
}

/// The run ends with an error before or between steps.
pub(super) fn fail(state: &mut State, reason: StopReason, error: RunError, env: &Env<'_>) -> Vec<Effect> {
    let fresh = if error.kind == RunErrorKind::PendingApproval {
        Vec::new()
    } else {
        open_calls::close(state, "The run failed before this tool returned.", env)
    };
    terminal(state, reason, Some(error), fresh, None, Extras::default(), env)
}

/// The run ends with an error in a step.
pub(super) fn fail_step(
    state: &mut State,
    reason: StopReason,
    error: RunError,
    draft: &StepDraft,
    took_ns: i64,
    env: &Env<'_>,
) -> Vec<Effect> {
    let facts = ReplyFacts { usage: engram_domain::Usage::default(), raw: None, llm_ns: took_ns };
    let record =
        step_record(state, draft, &facts, StepStatus::Failed, Some(reason), Some(error.message.clone()), None, env);
    terminal(state, reason, Some(error), Vec::new(), record, Extras::default(), env)
}

/// Somebody wants the run to end. Calls without results get one that says so.
pub(super) fn cancel(state: &mut State, run_id: RunId, env: &Env<'_>) -> Vec<Effect> {
    let Some(turn) = state.turn.as_ref().filter(|t| t.run_id == run_id) else { return Vec::new() };
    let why = "The run was cancelled before this tool returned.";
    let acting = if let Phase::Acting(acting) = &turn.phase { Some((**acting).clone()) } else { None };
    let (mut fresh, extras, step) = match acting {
        Some(mut acting) => {
            results::take_all(state, &mut acting, why, env);
            let extras = Extras { blocks: acting.blocks, writes: acting.writes, tool_ns: None };
            (acting.fresh, extras, acting.reply.map(|facts| (acting.step, facts)))
        }
        None => (Vec::new(), Extras::default(), None),
    };
    fresh.extend(open_calls::close(state, why, env));
    let record = step.and_then(|(draft, facts)| {
        step_record(state, &draft, &facts, StepStatus::Cancelled, Some(StopReason::Cancelled), None, None, env)
    });
    let mut effects = vec![Effect::Abort];
    effects.extend(terminal(state, StopReason::Cancelled, None, fresh, record, extras, env));
    effects
}

/// The step is over and another one follows. `told` is what an agent with heartbeats is told.
pub(super) fn next_step(
    state: &mut State,
    fresh: Vec<Arc<Message>>,
    told: Option<&str>,
    step: StepDraft,
    facts: Box<ReplyFacts>,
    env: &Env<'_>,
) -> Vec<Effect> {
    next_step_with(state, fresh, told, step, facts, Extras::default(), env)
}

/// As [`next_step`], with more to commit.
pub(super) fn next_step_with(
    state: &mut State,
    mut fresh: Vec<Arc<Message>>,
    told: Option<&str>,
    step: StepDraft,
    facts: Box<ReplyFacts>,
    extras: Extras,
    env: &Env<'_>,
) -> Vec<Effect> {
    let max_steps = state.turn.as_ref().map_or(0, |t| t.input.max_steps);
    if state.turn.as_ref().is_some_and(|t| t.step_count >= max_steps) {
        return end_with(state, StopReason::MaxSteps, fresh, Some((step, facts)), extras, env);
    }
    if let Some(reason) = told {
        let text = package::heartbeat(reason, env.now, &state.snapshot.agent.timezone);
        let message = state.draft(Role::User, Content::text(text), Some(step.id), env);
        fresh.push(state.push(message));
    }
    let record = step_record(state, &step, &facts, StepStatus::Success, None, None, extras.tool_ns, env);
    if let Some(turn) = &mut state.turn {
        // It gets on: only a run that does not is poison.
        turn.attempts = 0;
    }
    let mut commit = state.commit(fresh.clone(), env);
    commit.blocks = extras.blocks;
    commit.writes = extras.writes;
    commit.step = record;
    commit.run = state.run_update();
    let mut effects = vec![Effect::Commit(Box::new(commit))];
    effects.extend(fresh.into_iter().filter(|m| m.role != Role::User).map(Effect::Publish));
    effects.extend(shrink::then_call(state, env));
    effects
}

#[expect(clippy::too_many_arguments, reason = "one call site for each kind of end; a struct would only rename them")]
fn step_record(
    state: &State,
    draft: &StepDraft,
    facts: &ReplyFacts,
    status: StepStatus,
    stop_reason: Option<StopReason>,
    error: Option<String>,
    tool_ns: Option<i64>,
    env: &Env<'_>,
) -> Option<Box<Step>> {
    let turn = state.turn.as_ref()?;
    let config = state.config();
    Some(Box::new(Step {
        id: draft.id,
        run_id: turn.run_id,
        agent_id: state.snapshot.agent.id,
        conversation_id: state.conversation.id,
        provider_name: config.provider_name.clone().unwrap_or_else(|| config.model_endpoint_type.clone()),
        model: config.model.clone(),
        model_handle: Some(config.handle()),
        model_endpoint: config.model_endpoint.clone(),
        context_window: config.context_window,
        usage: facts.usage,
        stop_reason,
        status,
        error,
        feedback: None,
        tags: Vec::new(),
        response: facts.raw.clone(),
        context_range: draft.context_range,
        llm_ns: facts.llm_ns,
        tool_ns,
        step_ns: env.mono_ns - draft.started_ns,
        created_at: draft.created_at,
    }))
}

/// The last commit of a run, and the news of its end.
fn terminal(
    state: &mut State,
    reason: StopReason,
    error: Option<RunError>,
    fresh: Vec<Arc<Message>>,
    record: Option<Box<Step>>,
    extras: Extras,
    env: &Env<'_>,
) -> Vec<Effect> {
    let Some(mut update) = state.run_update() else { return Vec::new() };
    update.status = reason.status();
    update.stop_reason = Some(reason);
    update.error = error.as_ref().map(|e| e.message.clone());
    update.error_kind = error.as_ref().map(|e| e.kind.clone());
    // An answer that was cut is an answer, although its run counts as failed.
    let answered = error.is_none() && reason.status() != RunStatus::Cancelled;
    let mark = answered.then(|| buffer::evict(state, env)).flatten();
    let mut commit = state.commit(fresh.clone(), env);
    commit.blocks = extras.blocks;
    commit.writes = extras.writes;
    commit.step = record;
    commit.context = mark;
    let end = RunEnd {
        run_id: update.id,
        status: update.status,
        stop_reason: reason,
        usage: update.usage,
        step_count: update.step_count,
        context_tokens: i64::try_from(state.context_tokens()).unwrap_or(i64::MAX),
        error,
    };
    commit.run = Some(update);
    if state.snapshot.agent.message_buffer_autoclear
        && (answered || reason.status() == RunStatus::Cancelled)
        && state.pending_approval().is_none()
    {
        state.window = Window::default();
        state.summary = None;
        state.conversation.summary_message_id = None;
        state.conversation.context_from = state.conversation.next_seq;
        commit.context = Some(ContextMark { summary_message_id: None, context_from: state.conversation.context_from });
    }
    state.turn = None;
    let mut effects = vec![Effect::Commit(Box::new(commit))];
    effects.extend(fresh.into_iter().map(Effect::Publish));
    effects.push(Effect::Ended(Box::new(end)));
    effects
}
