//! Results of calls, each put behind those of the calls before it.

use engram_domain::{BlockId, ToolCall, ToolReturn, ToolStatus};

use super::{Env, State, open_calls, state::Acting};
use crate::{
    memory::{self, Edit, EditContext},
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
            arguments: rules::canonical(&call.arguments),
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
        let outcome = edit_blocks(state, acting, *outcome, env);
        acting.writes.extend(outcome.writes.iter().cloned());
        let limit = state.snapshot.tools.get(&call.name).map_or(i32::MAX, |t| t.return_char_limit);
        answer(state, acting, &call, outcome, limit, env);
    }
}

/// Makes the edits of blocks that a tool outside the step wants. A block that was changed meanwhile keeps what it has:
/// the tool cannot be asked again, so the model is told.
fn edit_blocks(state: &mut State, acting: &mut Acting, outcome: ToolOutcome, env: &Env<'_>) -> ToolOutcome {
    if outcome.blocks.is_empty() {
        return outcome;
    }
    let edit = with_edit_context(env, |context| memory::set_values(&outcome.blocks, &state.snapshot.blocks, context));
    match edit {
        Ok(edit) => {
            take_edit(state, acting, edit);
            outcome
        }
        Err(why) => outcome.with_refused_edits(&why),
    }
}

pub(super) fn with_edit_context<T>(env: &Env<'_>, edit: impl FnOnce(&mut EditContext<'_>) -> T) -> T {
    let mut new_block = || BlockId(env.ids.uuid());
    edit(&mut EditContext { now: env.now, new_block: &mut new_block })
}

/// Takes an edit into the state and into the next commit. What is told to the model of it is given back.
pub(super) fn take_edit(state: &mut State, acting: &mut Acting, edit: Edit) -> String {
    if !edit.writes.is_empty() {
        acting.blocks.extend(edit.writes);
        state.snapshot.blocks = edit.blocks;
        // The prompt shows the old memory until it is compiled again.
        state.compiled_rev = None;
    }
    edit.text
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
