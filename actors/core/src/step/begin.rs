//! The beginning of a run, or its resumption after a crash.

use std::sync::Arc;

use engram_domain::{
    Content, Message, Role, Run, RunErrorKind, RunStatus, StopReason, ToolCall, ToolReturn, ToolStatus,
    run::{Decision, InputMessage, MAX_ATTEMPTS},
};

use super::{
    Effect, Env, RunError, State, act, finish, open_calls, reply, shrink,
    state::{Acting, Phase, Turn, Wishes},
};
use crate::{
    initial_messages, package,
    rules::{self, Called},
    tokens,
};

pub(super) fn start(state: &mut State, run: Run, env: &Env<'_>) -> Vec<Effect> {
    if state.is_busy() || run.status.is_terminal() {
        return Vec::new();
    }
    let resumed = run.status == RunStatus::Running;
    let attempts = run.attempts + 1;
    let interrupts = run.interrupts;
    // What is resumed may have begun with a decision, which names no group; what it wrote does.
    let wrote = || state.window.iter().rev().find(|m| m.run_id == Some(run.id)).and_then(|m| m.group_id.clone());
    let group_id = run.input.messages.iter().find_map(|m| m.group_id.clone()).or_else(wrote);
    state.turn = Some(Turn {
        run_id: run.id,
        input: Arc::new(run.input),
        // Replaced before anybody looks.
        phase: Phase::Thinking {
            attempt: 0,
            step: state.draft_step(env),
            message_id: engram_domain::MessageId(run.id.0),
        },
        group_id,
        attempts,
        usage: run.usage,
        step_count: run.step_count,
        started_ns: env.mono_ns,
        ttft_ns: run.ttft_ns,
        called: Vec::new(),
        shrunk: 0,
        empty: 0,
    });
    if resumed { resume(state, env) } else { begin(state, interrupts, env) }
}

fn begin(state: &mut State, interrupts: bool, env: &Env<'_>) -> Vec<Effect> {
    let Some(turn) = &state.turn else { return Vec::new() };
    let input = turn.input.clone();
    state.ensure_prompt(false, env);
    let mut messages = Vec::new();
    if let Some(request) = state.pending_approval().cloned() {
        if input.decisions.is_empty() && interrupts {
            messages = open_calls::deny(state, &request, "The request was interrupted by a new message.", env);
        } else if input.decisions.is_empty() {
            let message = format!(
                "The agent is waiting for approval of a tool call: answer request {} before sending a new message.",
                request.id
            );
            let error = RunError { about: Some(request.id), ..RunError::new(RunErrorKind::PendingApproval, message) };
            return finish::fail(state, StopReason::Error, error, env);
        } else {
            return decide(state, &request, &input.decisions, env);
        }
    }
    if !input.decisions.is_empty() && input.messages.is_empty() {
        let error = RunError::new(RunErrorKind::NoPendingApproval, "No tool call is waiting for approval.");
        return finish::fail(state, StopReason::Error, error, env);
    }
    // A run that ended while nobody drove it may have left calls open; no model takes those.
    messages.extend(open_calls::close(state, open_calls::LOST, env));
    messages.extend(append_input(state, &input.messages, env));
    let mut commit = state.commit(messages.clone(), env);
    commit.run = state.run_update();
    let mut effects = vec![Effect::Commit(Box::new(commit))];
    effects.extend(messages.into_iter().map(Effect::Publish));
    effects.extend(shrink::then_call(state, env));
    effects
}

fn append_input(state: &mut State, messages: &[InputMessage], env: &Env<'_>) -> Vec<Arc<Message>> {
    let contents: Vec<Content> = messages.iter().map(initial_messages::content).collect();
    let tokens = tokens::messages(contents.iter());
    messages
        .iter()
        .zip(contents.into_iter().zip(tokens))
        .map(|(m, (content, tokens))| {
            let mut message = state.draft_counted(m.role, content, tokens, None, env);
            if m.role == Role::User {
                message.tokens = message.tokens.saturating_add(package::TIME_TOKENS);
            }
            message.name.clone_from(&m.name);
            message.otid.clone_from(&m.otid);
            message.sender_id.clone_from(&m.sender_id);
            message.group_id.clone_from(&m.group_id);
            state.push(message)
        })
        .collect()
}

/// The client's decision on the calls of `request`: what it allows is carried out, what it denies or ran
/// itself gets its result, and the run goes on.
fn decide(state: &mut State, request: &Arc<Message>, decisions: &[Decision], env: &Env<'_>) -> Vec<Effect> {
    if let Some(turn) = &mut state.turn {
        turn.group_id.clone_from(&request.group_id);
    }
    let mut message = state.draft(
        Role::Approval,
        Content::Decisions { request_id: Some(request.id), decisions: decisions.to_vec() },
        None,
        env,
    );
    message.tokens = 0;
    let answer = state.push(message);
    // The step that asked is recorded already.
    let step = state.draft_step(env);
    // The rules speak of what was called before the request, in the run that made it.
    recall_calls(state, request.run_id);
    let mut todo = Vec::new();
    let mut results = Vec::new();
    for call in request.content.calls() {
        match decided_on(state, call, decisions) {
            Decided::Run => todo.push(call.clone()),
            Decided::Result(result) => results.push(result),
        }
    }
    let mut fresh = vec![answer];
    for result in results {
        note_called(state, request, &result);
        fresh.push(state.push_return(result, Some(step.id), env));
    }
    let acting = Acting {
        step,
        committed: true,
        fresh,
        todo,
        lost: vec![],
        running: vec![],
        wishes: Wishes { reason: Some("Continuing: tool call was decided on.".into()), ..Wishes::default() },
        blocks: vec![],
        writes: vec![],
        reply: None,
        tools_started_ns: env.mono_ns,
    };
    act::go_on(state, acting, env)
}

/// What the client decided on a call.
enum Decided {
    Run,
    Result(ToolReturn),
}

fn decided_on(state: &State, call: &ToolCall, decisions: &[Decision]) -> Decided {
    let result = |status, text: String, stdout: Vec<String>, stderr: Vec<String>| {
        Decided::Result(ToolReturn {
            tool_call_id: call.id.clone(),
            name: call.name.clone(),
            status,
            text,
            stdout,
            stderr,
        })
    };
    for decision in decisions {
        match decision {
            Decision::Approval { tool_call_id, approve, reason }
                if tool_call_id.as_ref().is_none_or(|id| *id == call.id) =>
            {
                if *approve {
                    return Decided::Run;
                }
                let reason = reason.as_deref().map_or(String::new(), |r| format!(" User reason: {r}"));
                return result(
                    ToolStatus::Error,
                    format!("Error: request to call tool denied.{reason}"),
                    vec![],
                    vec![],
                );
            }
            Decision::Return { tool_call_id, text, ok, stdout, stderr } if *tool_call_id == call.id => {
                let status = if *ok { ToolStatus::Success } else { ToolStatus::Error };
                return result(status, text.clone(), stdout.clone(), stderr.clone());
            }
            _ => {}
        }
    }
    if !reply::waits_for_client(state, call) {
        // It stood beside one that had to wait.
        return Decided::Run;
    }
    result(ToolStatus::Error, "Error: request to call tool was not answered by the client.".into(), vec![], vec![])
}

fn note_called(state: &mut State, request: &Message, result: &ToolReturn) {
    let arguments = request
        .content
        .calls()
        .iter()
        .find(|c| c.id == result.tool_call_id)
        .map(|c| rules::canonical(&c.arguments))
        .unwrap_or_default();
    if let Some(turn) = &mut state.turn {
        turn.called.push(Called {
            name: result.name.clone(),
            arguments,
            ok: result.status == ToolStatus::Success,
            text: result.text.clone(),
        });
    }
}

/// Goes on where the last life stopped. What the database holds tells where that was: after a
/// message of somebody or a result, the model is next; after calls without results, they are.
fn resume(state: &mut State, env: &Env<'_>) -> Vec<Effect> {
    let Some(turn) = &state.turn else { return Vec::new() };
    let (run_id, attempts) = (turn.run_id, turn.attempts);
    let waiting = state.pending_approval().is_some();
    recall_calls(state, Some(run_id));
    let open = open_calls::find(state);
    if attempts > MAX_ATTEMPTS {
        let error = RunError::new(
            RunErrorKind::Internal,
            format!("The run was interrupted {MAX_ATTEMPTS} times and is given up."),
        );
        return finish::fail(state, StopReason::Error, error, env);
    }
    state.ensure_prompt(false, env);
    let mut commit = state.commit(Vec::new(), env);
    commit.run = state.run_update();
    let mut effects = vec![Effect::Commit(Box::new(commit))];
    // The message with the calls may be of an earlier run, whose client has allowed them in this one.
    let Some((assistant, calls)) = open.filter(|_| !waiting) else {
        effects.extend(shrink::then_call(state, env));
        return effects;
    };
    let mut step = state.draft_step(env);
    if let Some(id) = assistant.step_id.filter(|_| assistant.role != Role::Approval) {
        // Begun by an earlier life, which did not live to record it.
        step.id = id;
    }
    let lost = open_calls::maybe_begun(state, &assistant, &calls);
    let acting = Acting {
        step,
        committed: true,
        fresh: vec![],
        todo: calls,
        lost,
        running: vec![],
        wishes: Wishes { reason: Some("Continuing after an interruption.".into()), ..Wishes::default() },
        blocks: vec![],
        writes: vec![],
        reply: None,
        tools_started_ns: env.mono_ns,
    };
    effects.extend(act::go_on(state, acting, env));
    effects
}

/// The calls that a run has made, as far as they are in context.
fn recall_calls(state: &mut State, run_id: Option<engram_domain::RunId>) {
    let Some(turn) = &mut state.turn else { return };
    for message in state.window.iter().filter(|m| m.run_id.is_some() && m.run_id == run_id) {
        if let Content::ToolReturn(r) = &message.content {
            turn.called.push(Called {
                name: r.name.clone(),
                arguments: String::new(),
                ok: r.status == ToolStatus::Success,
                text: r.text.clone(),
            });
        }
    }
}
