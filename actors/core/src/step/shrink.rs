//! Compaction before a request, and the request itself.

use std::sync::Arc;

use engram_domain::{CompactionSettings, Content, Message, MessageId, Role, RunErrorKind, StopReason};

use super::{
    CommandOutcome, Effect, Env, RunError, State, finish,
    state::{self, Phase},
};
use crate::{
    compact,
    ports::{
        ChatReply, LlmError,
        llm::{ChatMessage, ChatRequest, Purpose, ToolChoice},
    },
    prompts, tokens,
};

/// Times that the context is shrunk for one request before the run gives up.
const MAX_SHRINKS: u8 = 4;

/// Tokens of messages from which on a prompt may be too large for a model whose window is not known: small local ones have
/// some thousands.
const SUSPICIOUS: usize = 4_000;

/// A compaction on its way.
#[derive(Debug, Clone)]
pub struct Shrinking {
    pub(super) attempt: u64,
    /// How many of the oldest messages leave.
    pub(super) cut: usize,
    pub(super) settings: Option<CompactionSettings>,
}

/// Calls the model, after a compaction if the request is too large.
pub(super) fn then_call(state: &mut State, env: &Env<'_>) -> Vec<Effect> {
    let Some(turn) = &state.turn else { return Vec::new() };
    if turn.step_count >= turn.input.max_steps {
        return finish::end(state, StopReason::MaxSteps, Vec::new(), None, env);
    }
    let config = state.config();
    let limit = compact::limit(&config);
    let shrunk = turn.shrunk;
    state.ensure_prompt(false, env);
    let used = state.context_tokens();
    let heavy = state.window.bytes() > compact::MOST_BYTES;
    if (used <= limit && !heavy) || shrunk >= MAX_SHRINKS {
        return call(state, env);
    }
    let fixed = used - state.window.tokens() - state.summary.as_ref().map_or(0, |m| m.tokens.unsigned_abs() as usize);
    if fixed >= limit {
        let error = RunError::new(
            RunErrorKind::LlmBadRequest,
            format!(
                "The system prompt, memory blocks and tools take {fixed} tokens; the context window of {} leaves room \
                 for {limit}. Shorten memory blocks, detach tools or raise context_window_limit.",
                config.context_window
            ),
        );
        return finish::fail(state, StopReason::ContextOverflowInSystem, error, env);
    }
    let settings = state.snapshot.agent.compaction.clone();
    let messages = state.window.to_vec();
    let by_tokens = if used > limit { compact::cut(&messages, target(limit, fixed, settings.as_ref())) } else { None };
    let by_bytes = if heavy { compact::cut_bytes(&messages, compact::MOST_BYTES / 2) } else { None };
    match by_tokens.max(by_bytes) {
        Some(cut) => begin_shrink(state, cut, settings),
        // Nothing can leave; the request shows long texts cut.
        None => call(state, env),
    }
}

/// Tokens that the messages that stay may have.
fn target(limit: usize, fixed: usize, settings: Option<&CompactionSettings>) -> usize {
    if settings.is_some_and(|s| s.mode.ends_with("all")) {
        return 0;
    }
    let share = settings.map_or(0.3, |s| s.sliding_window_percentage).clamp(0.05, 0.95);
    let room = limit - fixed;
    // The summary takes its part of what is left.
    (((room as f64) * (1.0 - share)) as usize).saturating_sub(room / 10)
}

/// The provider says that the prompt is too large although we counted otherwise: half of it leaves.
pub(super) fn after_overflow(state: &mut State) -> Option<Vec<Effect>> {
    let turn = state.turn.as_ref()?;
    if turn.shrunk >= MAX_SHRINKS {
        return None;
    }
    let target = state.window.tokens() / 2;
    let cut = compact::cut(&state.window.to_vec(), target)?;
    let settings = state.snapshot.agent.compaction.clone();
    Some(begin_shrink(state, cut, settings))
}

/// Whether a refusal that says nothing may mean that the prompt is too large. Once for a request: a refusal that goes on
/// means something else.
pub(super) fn may_be_too_large(state: &State) -> bool {
    state.turn.as_ref().is_some_and(|turn| turn.shrunk == 0) && state.window.tokens() >= SUSPICIOUS
}

fn begin_shrink(state: &mut State, cut: usize, settings: Option<CompactionSettings>) -> Vec<Effect> {
    let (shrinking, request) = plan(state, cut, settings);
    let attempt = shrinking.attempt;
    if let Some(turn) = &mut state.turn {
        turn.shrunk += 1;
        turn.phase = Phase::Shrinking(shrinking);
    }
    vec![Effect::Summarize { attempt, request: Box::new(request) }]
}

/// What to ask the summarizer for.
pub(super) fn plan(state: &mut State, cut: usize, settings: Option<CompactionSettings>) -> (Shrinking, ChatRequest) {
    let attempt = state.next_attempt();
    let mut config = (*state.config()).clone();
    if let Some(handle) = settings.as_ref().and_then(|s| s.model.clone()) {
        state::use_handle(&mut config, handle);
    }
    let prompt = settings.as_ref().and_then(|s| s.prompt.clone()).unwrap_or_else(|| prompts::summarizer().to_owned());
    let limit = compact::limit(&config);
    let instructions = tokens::count(&prompt);
    let room = limit.saturating_sub(instructions + 64);
    let earlier = state.summary.as_ref().map(|m| m.content.plain_text());
    let transcript = compact::transcript(earlier.as_deref(), &state.window.to_vec()[..cut], room);
    let request = ChatRequest {
        config: Arc::new(config),
        purpose: Purpose::Summarization,
        tokens: instructions + tokens::count(&transcript),
        messages: [
            ChatMessage::System(prompt),
            ChatMessage::User { parts: vec![engram_domain::Part::text(transcript)], name: None },
        ]
        .into_iter()
        .collect(),
        tools: Arc::new([]),
        tool_choice: ToolChoice::Auto,
        response_format: None,
        stream: false,
    };
    (Shrinking { attempt, cut, settings }, request)
}

/// The summarizer is done or failed; either way the messages leave.
pub(super) fn done(
    state: &mut State,
    attempt: u64,
    result: Result<Box<ChatReply>, LlmError>,
    env: &Env<'_>,
) -> Vec<Effect> {
    let text = result.ok().and_then(|r| r.text.clone());
    if state.maintenance.as_ref().is_some_and(|m| m.attempt == attempt) {
        let Some(shrinking) = state.maintenance.take() else { return Vec::new() };
        let before = state.context_len();
        let (mut effects, summary) = apply(state, &shrinking, text.as_deref(), env);
        let after = state.context_len();
        effects.push(Effect::Answer(Some(Box::new(CommandOutcome::Compacted {
            summary: Some(summary.content.plain_text()),
            before,
            after,
        }))));
        return effects;
    }
    let Some(Phase::Shrinking(shrinking)) = state.turn.as_ref().map(|t| &t.phase) else { return Vec::new() };
    if shrinking.attempt != attempt {
        return Vec::new();
    }
    let shrinking = shrinking.clone();
    let (mut effects, summary) = apply(state, &shrinking, text.as_deref(), env);
    effects.push(Effect::Publish(summary));
    effects.extend(then_call(state, env));
    effects
}

/// Moves the beginning of the context behind what leaves and puts a summary in its place.
fn apply(state: &mut State, shrinking: &Shrinking, text: Option<&str>, env: &Env<'_>) -> (Vec<Effect>, Arc<Message>) {
    let cut = shrinking.cut.min(state.window.len());
    let tokens_before = state.context_tokens();
    let before = state.context_len();
    let left = state.window.take_front(cut);
    state.conversation.context_from = state.window.first().map_or(state.conversation.next_seq, |m| m.seq);
    let hidden = usize::try_from(state.conversation.context_from - 1).unwrap_or(left.len()).max(left.len());
    let window = usize::try_from(state.config().context_window).unwrap_or(0);
    let notice = compact::notice(hidden, text, shrinking.settings.as_ref(), window);
    let stats = serde_json::json!({
        "trigger": if state.turn.is_some() { "context_window_exceeded" } else { "requested" },
        "context_tokens_before": tokens_before,
        "context_tokens_after": tokens_before.saturating_sub(compact::total(&left)),
        "context_window": window,
        "messages_count_before": before,
        "messages_count_after": before - left.len() + 1,
    });
    let draft = state.draft(Role::Summary, Content::Summary { text: notice, stats }, None, env);
    let summary: Arc<Message> = Arc::new(draft);
    state.conversation.summary_message_id = Some(summary.id);
    state.summary = Some(summary.clone());
    // The prompt's metadata says how many messages are out of context: this is the time to say so.
    state.ensure_prompt(true, env);
    let mut commit = state.commit(vec![summary.clone()], env);
    commit.context = Some(state.mark());
    commit.run = state.run_update();
    (vec![Effect::Commit(Box::new(commit))], summary)
}

fn call(state: &mut State, env: &Env<'_>) -> Vec<Effect> {
    let attempt = state.next_attempt();
    let step = state.draft_step(env);
    let step_id = step.id;
    let message_id = MessageId(env.ids.uuid());
    let Some(turn) = &mut state.turn else { return Vec::new() };
    turn.phase = Phase::Thinking { attempt, step, message_id };
    let stream_tokens = turn.input.stream_tokens;
    vec![Effect::CallLlm { attempt, message_id, step_id, stream_tokens }]
}
