//! Results of calls, each put behind those of the calls before it.

use engram_domain::{ToolCall, ToolReturn, ToolStatus};

use super::{Env, State, open_calls, state::Acting};
use crate::{
    package,
    ports::ToolOutcome,
    rules::{self, Called},
};

/// Pairs a call with its result, which may decide how the turn goes on.
pub(super) fn answer(
    state: &mut State,
    acting: &mut Acting,
    call: &ToolCall,
    outcome: ToolOutcome,
    limit: i32,
    env: &Env<'_>,
) {
    let rules = state.rules();
    if outcome.status == ToolStatus::Error {
        acting.wishes.reason.get_or_insert_with(|| "Function call failed, returning control".into());
    } else if rules::is_terminal(&rules, &call.name) {
        acting.wishes.terminal = true;
    } else if let Some(reason) = rules::continues(&rules, &call.name) {
        acting.wishes.reason.get_or_insert_with(|| reason.into());
    }
    let text = package::clip_return(outcome.text, limit);
    record(state, acting, call, ToolOutcome { text, ..outcome }, env);
}

/// Pairs a call with its result.
fn record(state: &mut State, acting: &mut Acting, call: &ToolCall, outcome: ToolOutcome, env: &Env<'_>) {
    let ToolOutcome { status, text, stdout, stderr, .. } = outcome;
    if let Some(turn) = &mut state.turn {
        turn.called.push(Called {
            name: call.name.clone(),
            arguments: call.arguments.clone(),
            ok: status == ToolStatus::Success,
            text: text.clone(),
        });
    }
    let result = ToolReturn { tool_call_id: call.id.clone(), name: call.name.clone(), status, text, stdout, stderr };
    let message = state.push_return(result, Some(acting.step.id), env);
    acting.fresh.push(message);
}

/// Pairs a call with the news that a crash has lost its result.
pub(super) fn record_loss(state: &mut State, acting: &mut Acting, call: &ToolCall, env: &Env<'_>) {
    record(state, acting, call, ToolOutcome::error(open_calls::LOST), env);
}

/// Takes the results that have come, up to the first call that still runs.
pub(super) fn take_ready(state: &mut State, acting: &mut Acting, env: &Env<'_>) {
    while let Some(outcome) = acting.running.first_mut().and_then(|first| first.outcome.take()) {
        let call = acting.running.remove(0).call;
        acting.writes.extend(outcome.writes.iter().cloned());
        let limit = state.snapshot.tools.get(&call.name).map_or(i32::MAX, |t| t.return_char_limit);
        answer(state, acting, &call, *outcome, limit, env);
    }
}

/// Takes the results that have come; calls that still run get `why` for theirs.
pub(super) fn take_all(state: &mut State, acting: &mut Acting, why: &str, env: &Env<'_>) {
    let asked = open_calls::find(state).map(|(message, _)| message);
    loop {
        take_ready(state, acting, env);
        let Some(asked) = asked.as_deref().filter(|_| !acting.running.is_empty()) else { return };
        let call = acting.running.remove(0).call;
        let lost = state.push_loss(&call, why.to_owned(), asked, env);
        acting.fresh.push(lost);
    }
}
