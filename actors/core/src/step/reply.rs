//! What the model answered, or that it did not.

use engram_domain::{Content, JsonMap, Message, Role, RunErrorKind, StopReason, ToolCall, message::Reasoning};

use super::{
    Effect, Env, RunError, State, act, finish,
    request::{INNER_THOUGHTS, THINKING},
    shrink,
    state::{Acting, Phase, ReplyFacts, StepDraft, Wishes},
};
use crate::{
    ports::{ChatReply, LlmError, LlmErrorKind, llm::Ending},
    rules,
};

/// Times that a run asks again after an answer with nothing in it.
const EMPTY_RETRIES: u8 = 2;

pub(super) fn done(
    state: &mut State,
    attempt: u64,
    reply: ChatReply,
    took_ns: i64,
    first_token_ns: Option<i64>,
    env: &Env<'_>,
) -> Vec<Effect> {
    let Some((step, message_id)) = thinking(state, attempt) else { return Vec::new() };
    let Some(turn) = &mut state.turn else { return Vec::new() };
    turn.usage.add(reply.usage);
    turn.step_count += 1;
    turn.shrunk = 0;
    if turn.ttft_ns.is_none() {
        turn.ttft_ns = Some(first_token_ns.unwrap_or(env.mono_ns) - turn.started_ns);
    }
    let facts = Box::new(ReplyFacts::of(&reply, took_ns));
    if reply.text.is_none() && reply.calls.is_empty() {
        return nothing_said(state, &reply, step, facts, env);
    }
    let heartbeats = state.snapshot.agent.agent_type.has_heartbeats();
    let ending = reply.ending;
    let message = assistant_message(state, reply, message_id, &step, heartbeats, env);
    let calls = message.content.calls().to_vec();
    if calls.is_empty() {
        return plain_text(state, message, ending, step, facts, env);
    }
    let waits = calls.iter().any(|c| waits_for_client(state, c));
    if waits {
        return ask_client(state, message, step, facts, env);
    }
    let assistant = state.push(message);
    let acting = Acting {
        step,
        fresh: vec![assistant],
        committed: false,
        todo: calls,
        lost: vec![],
        running: vec![],
        wishes: Wishes::default(),
        blocks: vec![],
        writes: vec![],
        reply: Some(facts),
        tools_started_ns: env.mono_ns,
    };
    act::go_on(state, acting, env)
}

pub(super) fn failed(state: &mut State, attempt: u64, error: &LlmError, took_ns: i64, env: &Env<'_>) -> Vec<Effect> {
    let Some((step, _)) = thinking(state, attempt) else { return Vec::new() };
    let too_large = match error.kind {
        LlmErrorKind::ContextOverflow => true,
        LlmErrorKind::Unexplained => shrink::may_be_too_large(state),
        _ => false,
    };
    if too_large && let Some(effects) = shrink::after_overflow(state) {
        return effects;
    }
    let reason = match error.kind {
        LlmErrorKind::InvalidResponse => StopReason::InvalidLlmResponse,
        LlmErrorKind::ContextOverflow => StopReason::MaxTokensExceeded,
        _ => StopReason::LlmApiError,
    };
    let cause = RunError::new(error.kind.into(), error.message.clone());
    finish::fail_step(state, reason, cause, &step, took_ns, env)
}

/// Why a turn ends with an answer that ended so.
fn stop_reason(ending: Ending) -> StopReason {
    match ending {
        Ending::Whole => StopReason::EndTurn,
        Ending::Length => StopReason::MaxTokensExceeded,
        // The API has no word for a filter; this one stands for whatever a provider refuses.
        Ending::Filter => StopReason::LlmApiError,
    }
}

/// The step that waits for this attempt's answer; none when the answer comes too late.
fn thinking(state: &State, attempt: u64) -> Option<(StepDraft, engram_domain::MessageId)> {
    match &state.turn.as_ref()?.phase {
        Phase::Thinking { attempt: current, step, message_id } if *current == attempt => {
            Some((step.clone(), *message_id))
        }
        _ => None,
    }
}

/// An answer with nothing in it: the end of a turn after tool calls, else a reason to ask again.
fn nothing_said(
    state: &mut State,
    reply: &ChatReply,
    step: StepDraft,
    facts: Box<ReplyFacts>,
    env: &Env<'_>,
) -> Vec<Effect> {
    let cut = match reply.ending {
        Ending::Whole => None,
        Ending::Length => {
            Some((RunErrorKind::LlmError, "The model used up max_tokens before it said anything. Raise max_tokens."))
        }
        // Asking again would bring the same, and costs.
        Ending::Filter => Some((
            RunErrorKind::LlmBadRequest,
            "The provider's content filter stopped the answer before anything was said.",
        )),
    };
    if let Some((kind, message)) = cut {
        let error = RunError::new(kind, message);
        return finish::fail_step(state, stop_reason(reply.ending), error, &step, facts.llm_ns, env);
    }
    let Some(turn) = &mut state.turn else { return Vec::new() };
    if turn.called.iter().any(|c| c.ok) {
        return finish::end(state, StopReason::EndTurn, Vec::new(), Some((step, facts)), env);
    }
    turn.empty += 1;
    if turn.empty <= EMPTY_RETRIES {
        return shrink::then_call(state, env);
    }
    let error = RunError::new(RunErrorKind::LlmError, "The model answered with nothing, repeatedly.");
    finish::fail_step(state, StopReason::InvalidLlmResponse, error, &step, facts.llm_ns, env)
}

/// The answer as a message of the conversation. Not in the window yet.
fn assistant_message(
    state: &mut State,
    reply: ChatReply,
    id: engram_domain::MessageId,
    step: &StepDraft,
    heartbeats: bool,
    env: &Env<'_>,
) -> Message {
    let ChatReply { mut reasoning, mut text, mut calls, .. } = reply;
    if heartbeats && !calls.is_empty() {
        // Words beside a call are thoughts: these agents speak through a tool.
        if let Some(thought) = text.take().filter(|t| !t.trim().is_empty()) {
            reasoning.push(Reasoning::Text { text: thought, native: false, signature: None });
        }
    }
    for call in &mut calls {
        let own = state.snapshot.tools.get(&call.name).map(|t| &t.json_schema["parameters"]["properties"]);
        if let Some(thought) = take_thoughts(call, own) {
            reasoning.push(Reasoning::Text { text: thought, native: false, signature: None });
        }
    }
    let model = state.config().model.clone();
    let mut message = state.draft(Role::Assistant, Content::Assistant { reasoning, text, calls }, Some(step.id), env);
    message.id = id;
    message.model = Some(model);
    message
}

/// Takes the thoughts out of a call's arguments, unless the tool has a parameter `own` of that name.
/// Arguments that are not an object stay as they are.
fn take_thoughts(call: &mut ToolCall, own: Option<&engram_domain::Json>) -> Option<String> {
    if !call.arguments.contains(THINKING) && !call.arguments.contains(INNER_THOUGHTS) {
        return None;
    }
    let mut args: JsonMap = serde_json::from_str(&call.arguments).ok()?;
    let ours = |name: &&str| own.is_none_or(|properties| properties.get(*name).is_none());
    let thought = [THINKING, INNER_THOUGHTS].into_iter().filter(ours).find_map(|k| args.shift_remove(k))?;
    call.arguments = serde_json::to_string(&args).ok()?;
    thought.as_str().filter(|t| !t.is_empty()).map(str::to_owned)
}

/// Plain words end the turn, unless a tool must be called before it may end.
fn plain_text(
    state: &mut State,
    message: Message,
    ending: Ending,
    step: StepDraft,
    facts: Box<ReplyFacts>,
    env: &Env<'_>,
) -> Vec<Effect> {
    let assistant = state.push(message);
    let required = state
        .turn
        .as_ref()
        .map(|t| rules::still_required(&state.snapshot.agent.tool_rules, &t.called).join(", "))
        .unwrap_or_default();
    if required.is_empty() {
        return finish::end(state, stop_reason(ending), vec![assistant], Some((step, facts)), env);
    }
    let reason = format!("ToolRuleViolated: You must call {required} at least once to exit the loop.");
    finish::next_step(state, vec![assistant], Some(&reason), step, facts, env)
}

/// Whether the client must say something before the call is carried out.
pub(super) fn waits_for_client(state: &State, call: &ToolCall) -> bool {
    rules::needs_approval(&state.snapshot.agent.tool_rules, &call.name) && state.snapshot.tools.contains_key(&call.name)
        || state.turn.as_ref().is_some_and(|t| t.input.client_tools.iter().any(|c| c.name == call.name))
}

/// Calls that wait for the client: the message is kept with role `approval`, and the run ends. What
/// the client decides comes with a later run.
fn ask_client(
    state: &mut State,
    mut message: Message,
    step: StepDraft,
    facts: Box<ReplyFacts>,
    env: &Env<'_>,
) -> Vec<Effect> {
    message.role = Role::Approval;
    let request = state.push(message);
    finish::end(state, StopReason::RequiresApproval, vec![request], Some((step, facts)), env)
}
