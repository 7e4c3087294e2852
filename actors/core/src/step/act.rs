//! Carrying out the calls of one answer in their order: one after the other, or neighbours at once where their tools
//! allow it.
//!
//! Edits of memory happen here and now; everything else is an effect. Calls whose effect lies
//! outside our database wait until the message with them is committed, so that a crash knows of
//! them. The others are committed together with their results.

use std::{collections::BTreeMap, sync::Arc};

use engram_domain::{JsonMap, StopReason, Tool, ToolCall, ToolEffect};

use super::{
    Effect, Env, State, finish,
    request::HEARTBEAT,
    results::{self, answer},
    state::{Acting, Phase, ReplyFacts, Running},
};
use crate::{
    builtin::{self, BuiltinTool, RunBy},
    memory,
    ports::{ToolOutcome, tools::ToolContext},
    rules::{self, Called},
};

/// Times that the very same call is carried out in one run.
const SAME_CALL_LIMIT: usize = 5;
/// Times that a model may repeat itself in one run before its turn ends: the last few it was told to do something else.
const STUCK: usize = SAME_CALL_LIMIT + 3;

/// Carries out what can be done now; what comes back is the rest. The rules are checked for calls
/// that the client allowed too; approval is not asked for twice.
pub(super) fn go_on(state: &mut State, mut acting: Acting, env: &Env<'_>) -> Vec<Effect> {
    while !acting.todo.is_empty() {
        let call = acting.todo.remove(0);
        if acting.lost.contains(&call.id) {
            results::record_loss(state, &mut acting, &call, env);
            continue;
        }
        match examine(state, &call) {
            Err(refusal) => {
                acting.wishes.reason = Some(refusal.reason.to_owned());
                answer(state, &mut acting, &call, ToolOutcome::error(refusal.text), i32::MAX, env);
            }
            Ok((tool, args)) => {
                if args.wants_heartbeat {
                    acting.wishes.heartbeat = true;
                }
                let Some(RunBy::InStep(function)) = BuiltinTool::of(&tool).map(|t| t.run) else {
                    return run_outside(state, acting, Ready { call, tool, args: args.args }, env);
                };
                let outcome = run_inside(state, &mut acting, function, &tool.name, &args.args, env);
                answer(state, &mut acting, &call, outcome, tool.return_char_limit, env);
            }
        }
    }
    settle(state, acting, env)
}

/// A tool is done. Its result is stored once those of the calls before it are there.
pub(super) fn tool_done(state: &mut State, attempt: u64, outcome: ToolOutcome, env: &Env<'_>) -> Vec<Effect> {
    let Some(turn) = &mut state.turn else { return Vec::new() };
    let Phase::Acting(acting) = &mut turn.phase else { return Vec::new() };
    let mut acting = (**acting).clone();
    let waits = |r: &&mut Running| r.attempt == attempt && r.outcome.is_none();
    let Some(running) = acting.running.iter_mut().find(waits) else { return Vec::new() };
    running.outcome = Some(Box::new(outcome));
    results::take_ready(state, &mut acting, env);
    if acting.running.is_empty() {
        return go_on(state, acting, env);
    }
    // The others take time. A result whose call is in the database is safe before they are done.
    let effects = if acting.committed { commit_fresh(state, &mut acting, env) } else { Vec::new() };
    if let Some(turn) = &mut state.turn {
        turn.phase = Phase::Acting(Box::new(acting));
    }
    effects
}

/// How often a call with these [`rules::canonical`] arguments was made.
fn repeats(called: &[Called], name: &str, arguments: &str) -> usize {
    called.iter().filter(|c| c.name == name && c.arguments == arguments).count()
}

/// Whether the model does not get on: it makes one call over and over, or nothing but calls that fail in the same way.
fn is_stuck(called: &[Called]) -> bool {
    let Some(last) = called.last() else { return false };
    // What an earlier life has called is known without its arguments.
    if !last.arguments.is_empty() && repeats(called, &last.name, &last.arguments) >= STUCK {
        return true;
    }
    let fails_alike = |c: &&Called| !c.ok && c.name == last.name && c.text == last.text;
    called.iter().rev().take_while(fails_alike).count() >= STUCK
}

struct Refusal {
    text: String,
    reason: &'static str,
}

struct Checked {
    args: JsonMap,
    wants_heartbeat: bool,
}

/// Whether the call may be carried out, and with which arguments.
fn examine(state: &State, call: &ToolCall) -> Result<(Arc<Tool>, Checked), Refusal> {
    let called = state.turn.as_ref().map_or(&[][..], |t| t.called.as_slice());
    let allowed = state.allowed();
    let tool = state.snapshot.tools.get(&call.name).filter(|_| allowed.tools.contains(&call.name));
    let Some(tool) = tool else {
        return Err(Refusal {
            text: rules::violation(&call.name, &allowed.tools),
            reason: "Continuing: tool rule violation.",
        });
    };
    let refused = |text: String| Refusal { text, reason: "Function call failed, returning control" };
    if repeats(called, &call.name, &rules::canonical(&call.arguments)) >= SAME_CALL_LIMIT {
        return Err(refused(format!(
            "{} was called {SAME_CALL_LIMIT} times with the same arguments in this turn. Do something else, or end \
             your turn.",
            call.name
        )));
    }
    let text = if call.arguments.trim().is_empty() { "{}" } else { call.arguments.as_str() };
    let mut args: JsonMap = serde_json::from_str(text).map_err(|e| {
        refused(format!("The arguments of {} are not a JSON object: {e}. Call it again with valid JSON.", call.name))
    })?;
    let wants_heartbeat = match args.shift_remove(HEARTBEAT) {
        Some(serde_json::Value::Bool(b)) => b,
        Some(serde_json::Value::String(s)) => s.eq_ignore_ascii_case("true"),
        _ => false,
    };
    for (key, value) in rules::prefilled(&state.rules(), called, &call.name) {
        args.insert(key, value);
    }
    builtin::prepare(tool, &mut args).map_err(refused)?;
    Ok((tool.clone(), Checked { args, wants_heartbeat }))
}

fn run_inside(
    state: &mut State,
    acting: &mut Acting,
    function: memory::EditFn,
    name: &str,
    args: &JsonMap,
    env: &Env<'_>,
) -> ToolOutcome {
    let edit =
        results::with_edit_context(env, |context| memory::apply(function, args, &state.snapshot.blocks, context));
    match edit {
        Ok(edit) => {
            let text = results::take_edit(state, acting, edit);
            ToolOutcome::ok(text)
        }
        Err(text) => {
            let mut outcome = ToolOutcome::error(text.clone());
            outcome.stderr = vec![compact_error(name, &text)];
            outcome
        }
    }
}

fn compact_error(name: &str, text: &str) -> String {
    let mut line = format!("Error executing function {name}: ValueError: {text}");
    if let Some((cut, _)) = line.char_indices().nth(500) {
        line.truncate(cut);
    }
    line
}

/// A call that may run outside, with what it needs.
struct Ready {
    call: ToolCall,
    tool: Arc<Tool>,
    args: JsonMap,
}

/// The calls behind `first` that may run at once with it, taken out of what is to do. They are examined as they would be
/// if the ones before them had worked already; where a result decides, nothing runs at once.
fn companions(state: &mut State, acting: &mut Acting, first: Ready) -> Vec<Ready> {
    let mut together = vec![first];
    let history = state.turn.as_ref().map_or(0, |t| t.called.len());
    while let (Some(last), Some(next)) = (together.last(), acting.todo.first()) {
        if !last.tool.enable_parallel_execution || rules::decides_by_result(&state.rules(), &last.tool.name) {
            break;
        }
        let done = Called {
            name: last.call.name.clone(),
            arguments: rules::canonical(&last.call.arguments),
            ok: true,
            text: String::new(),
        };
        if let Some(turn) = &mut state.turn {
            turn.called.push(done);
        }
        let Ok((tool, checked)) = examine(state, next) else { break };
        if acting.lost.contains(&next.id) || !tool.enable_parallel_execution || !runs_outside(&tool) {
            break;
        }
        acting.wishes.heartbeat |= checked.wants_heartbeat;
        together.push(Ready { call: acting.todo.remove(0), tool, args: checked.args });
    }
    if let Some(turn) = &mut state.turn {
        turn.called.truncate(history);
    }
    together
}

/// Whether a call of the tool takes time, because the step function does not execute it itself.
fn runs_outside(tool: &Tool) -> bool {
    !matches!(BuiltinTool::of(tool).map(|t| t.run), Some(RunBy::InStep(_)))
}

fn run_outside(state: &mut State, mut acting: Acting, first: Ready, env: &Env<'_>) -> Vec<Effect> {
    let calls = companions(state, &mut acting, first);
    let mut effects = Vec::new();
    // What follows takes time. A result that is there is safe before it; an edit of memory that waited
    // could meet a block that somebody else has changed meanwhile, and could not be taken back.
    let known_first = calls.iter().any(|c| matches!(c.tool.effect, ToolEffect::Once | ToolEffect::Journaled));
    if known_first || acting.committed || !acting.blocks.is_empty() {
        effects = commit_fresh(state, &mut acting, env);
    }
    let agent = state.snapshot.agent.clone();
    let vars: BTreeMap<_, _> = agent.env.iter().map(|v| (v.key.clone(), v.value.clone())).collect();
    for Ready { call, tool, args } in calls {
        let attempt = state.next_attempt();
        acting.running.push(Running { attempt, call: call.clone(), outcome: None });
        let context = ToolContext {
            env: vars.clone(),
            agent: agent.clone(),
            conversation_id: state.conversation.id,
            run_id: state.turn.as_ref().map(|t| t.run_id),
            call_id: call.id.clone(),
            chain: state.turn.as_ref().map(|t| t.input.chain.clone()).unwrap_or_default(),
            hops: state.turn.as_ref().map_or(0, |t| t.input.hops),
            blocks: state.snapshot.blocks.clone(),
        };
        effects.push(Effect::RunTool { attempt, call, tool, args, context: Box::new(context) });
    }
    if let Some(turn) = &mut state.turn {
        turn.phase = Phase::Acting(Box::new(acting));
    }
    effects
}

/// Commits and publishes what this step has made so far.
fn commit_fresh(state: &mut State, acting: &mut Acting, env: &Env<'_>) -> Vec<Effect> {
    let fresh = std::mem::take(&mut acting.fresh);
    if fresh.is_empty() {
        return Vec::new();
    }
    let mut commit = state.commit(fresh.clone(), env);
    commit.blocks = std::mem::take(&mut acting.blocks);
    commit.writes = std::mem::take(&mut acting.writes);
    commit.run = state.run_update();
    acting.committed = true;
    let mut effects = vec![Effect::Commit(Box::new(commit))];
    effects.extend(fresh.into_iter().map(Effect::Publish));
    effects
}

/// All calls are done: the turn ends or goes on.
fn settle(state: &mut State, acting: Acting, env: &Env<'_>) -> Vec<Effect> {
    let Acting { step, fresh, wishes, blocks, writes, reply, tools_started_ns, .. } = acting;
    let facts = reply.unwrap_or_else(|| {
        // The model was called by an earlier life, or by an earlier run.
        Box::new(ReplyFacts { usage: engram_domain::Usage::default(), raw: None, llm_ns: 0 })
    });
    let extras = finish::Extras { blocks, writes, tool_ns: Some(env.mono_ns - tools_started_ns) };
    let heartbeats = state.snapshot.agent.agent_type.has_heartbeats();
    let required =
        state.turn.as_ref().map(|t| rules::still_required(&state.rules(), &t.called).join(", ")).unwrap_or_default();
    let forced = state.allowed().forced;
    if state.turn.as_ref().is_some_and(|turn| is_stuck(&turn.called)) {
        return finish::end_with(state, StopReason::MaxSteps, fresh, Some((step, facts)), extras, env);
    }
    if wishes.terminal && required.is_empty() {
        let reason = if heartbeats && !wishes.heartbeat { StopReason::EndTurn } else { StopReason::ToolRule };
        return finish::end_with(state, reason, fresh, Some((step, facts)), extras, env);
    }
    let reason =
        if !required.is_empty() && (wishes.terminal || (heartbeats && !wishes.heartbeat && wishes.reason.is_none())) {
            Some(format!("ToolRuleViolated: You must call {required} at least once to exit the loop."))
        } else if let Some(reason) = wishes.reason {
            Some(reason)
        } else if wishes.heartbeat {
            Some("Function called using request_heartbeat=true, returning control".into())
        } else if forced {
            Some("Continuing: child tool rule.".into())
        } else {
            None
        };
    match reason {
        None if heartbeats => finish::end_with(state, StopReason::EndTurn, fresh, Some((step, facts)), extras, env),
        reason => {
            let told = reason.filter(|_| heartbeats);
            finish::next_step_with(state, fresh, told.as_deref(), step, facts, extras, env)
        }
    }
}
