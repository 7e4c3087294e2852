//! What the engine tells the world about itself: metrics by the `metrics` facade, and the spans of a turn.
//!
//! Invariants: without a recorder or a subscriber all of it is as good as free; no label can take more than a
//! bounded number of values, whatever callers send (an id is never a label); neither a label nor a span carries the
//! text of a message, an argument or a secret. To add a metric: a constant, a function, a line in [`describe`], a line
//! in `docs/OPERATIONS.md` (a test compares).

use std::time::Duration;

use engram_core::ports::LlmErrorKind;
use engram_domain::{Run, RunErrorKind, RunId, RunStatus, StepId, StopReason, Time, Tool};
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use tracing::{
    Span,
    field::{Empty, display},
    info_span,
};

use crate::{
    Duty,
    labels::{MODELS, PROVIDERS, TOOLS},
};

const TURNS: &str = "engram_turns_total";
const TURN_SECONDS: &str = "engram_turn_seconds";
const COMMITS: &str = "engram_commits_total";
const COMMIT_SECONDS: &str = "engram_commit_seconds";
const FENCED: &str = "engram_fenced_commits_total";
const LIVE: &str = "engram_live_agents";
const QUEUED: &str = "engram_queued_runs";
const ACTIVATIONS: &str = "engram_activations_total";
const PASSIVATIONS: &str = "engram_passivations_total";
const FORWARDED: &str = "engram_forwarded_total";
const RECOVERED: &str = "engram_recovered_runs_total";
const LLM_SECONDS: &str = "engram_llm_seconds";
const LLM_WAIT: &str = "engram_llm_wait_seconds";
const LLM_WAITING: &str = "engram_llm_waiting_calls";
const LLM_FIRST_TOKEN: &str = "engram_llm_first_token_seconds";
const TOOL_SECONDS: &str = "engram_tool_seconds";
const ERRORS: &str = "engram_errors_total";
const DUTY_SUCCESS: &str = "engram_duty_last_success_seconds";
const DUTY_FAILURES: &str = "engram_duty_failures_total";

/// Tells the recorder what the engine's metrics mean, and in which unit they are.
pub fn describe() {
    describe_counter!(TURNS, "Runs that this node brought to their end, by status and stop reason");
    describe_histogram!(TURN_SECONDS, Unit::Seconds, "Time of a run from its beginning in this actor to its end");
    describe_counter!(COMMITS, "Commits by outcome: done, fenced, conflict, unavailable, refused");
    describe_histogram!(COMMIT_SECONDS, Unit::Seconds, "Time of one commit in the database");
    describe_counter!(FENCED, "Commits that the database refused because another owner has the conversation");
    describe_gauge!(LIVE, "Agents that live on this node");
    describe_gauge!(QUEUED, "Runs that wait their turn in the agents of this node");
    describe_counter!(ACTIVATIONS, "Agents that were woken, by outcome");
    describe_counter!(PASSIVATIONS, "Agents that went to sleep, by reason");
    describe_counter!(FORWARDED, "Requests that were carried to the node that owns their conversation");
    describe_counter!(RECOVERED, "Runs that this node took over because nobody drove them");
    describe_histogram!(LLM_SECONDS, Unit::Seconds, "Time of one model call, without its wait for a place");
    describe_histogram!(LLM_WAIT, Unit::Seconds, "How long a model call waited for a place");
    describe_gauge!(LLM_WAITING, "Model calls that wait for a place");
    describe_histogram!(LLM_FIRST_TOKEN, Unit::Seconds, "Time from a model call to the first piece of its answer");
    describe_histogram!(TOOL_SECONDS, Unit::Seconds, "Time of one tool call");
    describe_counter!(ERRORS, "What went wrong, by kind");
    describe_gauge!(DUTY_SUCCESS, Unit::Seconds, "When a duty of this node was last performed, as Unix time");
    describe_counter!(DUTY_FAILURES, "How often a duty of this node failed");
    // Those that one alerts on are there before they happen.
    counter!(FENCED).increment(0);
    counter!(RECOVERED).increment(0);
    gauge!(QUEUED).increment(0);
    gauge!(LLM_WAITING).set(0);
    for duty in Duty::ALL {
        counter!(DUTY_FAILURES, "duty" => duty.name()).increment(0);
    }
}

/// A run came to its end here. `took`: from its beginning in this actor.
pub fn turn_ended(status: RunStatus, stop: StopReason, took: Duration) {
    counter!(TURNS, "status" => status.as_str(), "stop_reason" => stop.as_str()).increment(1);
    histogram!(TURN_SECONDS).record(took);
}

/// The database answered a commit: `done`, `fenced`, `conflict`, `unavailable` or `refused`.
pub fn commit(outcome: &'static str, took: Duration) {
    counter!(COMMITS, "outcome" => outcome).increment(1);
    histogram!(COMMIT_SECONDS).record(took);
    match outcome {
        "fenced" => fenced(),
        "unavailable" => error("database_unavailable"),
        "refused" => error("database_refused"),
        _ => {}
    }
}

/// Another owner has the conversation. [`commit`] counts its own; this is for every other write.
pub fn fenced() {
    counter!(FENCED).increment(1);
}

/// A model call is over. `took` is without the wait for a place; `first_token` from the same beginning.
pub fn llm_call(
    provider: &str,
    model: &str,
    outcome: Result<(), LlmErrorKind>,
    took: Duration,
    first_token: Option<Duration>,
) {
    // A name that no provider knows is whatever a caller has typed.
    let known = outcome != Err(LlmErrorKind::UnknownModel);
    let provider = PROVIDERS.label(provider, known);
    let model = MODELS.label(model, known);
    if let Some(first) = first_token {
        histogram!(LLM_FIRST_TOKEN, "provider" => provider.clone(), "model" => model.clone()).record(first);
    }
    let word = outcome.map_or_else(LlmErrorKind::as_str, |()| "ok");
    histogram!(LLM_SECONDS, "provider" => provider, "model" => model, "outcome" => word).record(took);
    if let Err(kind) = outcome
        && kind != LlmErrorKind::Cancelled
    {
        error(RunErrorKind::from(kind).to_string());
    }
}

/// How long a call waited for a place at its provider.
pub fn llm_waited(provider: &str, took: Duration) {
    histogram!(LLM_WAIT, "provider" => PROVIDERS.label(provider, true)).record(took);
}

/// Model calls that wait for a place at this moment.
pub fn llm_waiting(calls: usize) {
    gauge!(LLM_WAITING).set(calls as f64);
}

/// A tool call is over. `ok`: the tool did what it should; a result that says what was wrong with the arguments is
/// not.
pub fn tool_call(tool: &Tool, ok: bool, took: Duration) {
    let outcome = if ok { "ok" } else { "error" };
    histogram!(TOOL_SECONDS, "tool" => tool_label(tool), "outcome" => outcome).record(took);
    if !ok {
        error("tool_error");
    }
}

/// An agent was woken: `ok`, `owned` (another node has it), `gone`, or `unavailable`.
pub fn activation(outcome: &'static str) {
    counter!(ACTIVATIONS, "outcome" => outcome).increment(1);
}

/// An agent left memory: `idle`, `pressure`, `draining`, `fenced`, `failed`.
pub fn passivation(reason: &'static str) {
    counter!(PASSIVATIONS, "reason" => reason).increment(1);
}

/// Agents that live on this node.
pub fn live(agents: usize) {
    gauge!(LIVE).set(agents as f64);
}

/// Something was carried to the owner of its conversation: which kind of request, and what became of it.
pub fn forwarded(kind: &'static str, outcome: &'static str) {
    counter!(FORWARDED, "kind" => kind, "outcome" => outcome).increment(1);
}

/// Runs were taken over because nobody drove them.
pub fn recovered(runs: u64) {
    counter!(RECOVERED).increment(runs);
}

/// Something went wrong that no other function here counts. `kind` is one of a handful of words.
pub fn error(kind: impl Into<metrics::SharedString>) {
    counter!(ERRORS, "kind" => kind.into()).increment(1);
}

/// A duty was performed.
pub fn duty_done(duty: &'static str, now: Time) {
    gauge!(DUTY_SUCCESS, "duty" => duty).set(now.timestamp_millis() as f64 / 1_000.0);
}

/// A duty failed.
pub fn duty_failed(duty: &'static str) {
    counter!(DUTY_FAILURES, "duty" => duty).increment(1);
    error(duty);
}

/// One actor's share of the runs that wait on this node. It takes its share along when it is dropped, so an actor
/// that panics leaves none behind.
#[derive(Debug, Default)]
pub struct QueueDepth(usize);

impl QueueDepth {
    /// The actor's queue is this long now.
    pub fn set(&mut self, runs: usize) {
        if runs != self.0 {
            gauge!(QUEUED).increment(runs as f64 - self.0 as f64);
            self.0 = runs;
        }
    }
}

impl Drop for QueueDepth {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// The span of a run in its actor. `cause` is the span of the request that brought it; [`Span::none`] when the run was
/// found. A caller that waits has both in one trace; a request that does not wait is only linked, since its own span
/// would otherwise last as long as the run.
pub fn turn_span(run: &Run, cause: &Span) -> Span {
    let (run_id, agent_id) = (run.id, run.agent_id.map(display));
    let conversation_id = run.owner;
    if run.background || cause.is_none() {
        let span = info_span!(
            parent: None, "turn", %run_id, agent_id, %conversation_id, status = Empty, stop_reason = Empty
        );
        span.follows_from(cause);
        span
    } else {
        info_span!(
            parent: cause, "turn", %run_id, agent_id, %conversation_id, status = Empty, stop_reason = Empty
        )
    }
}

/// Says in the span of the request that is handled which run it is about.
pub fn about_run(run: RunId) {
    Span::current().record("run_id", display(run));
}

/// Writes the end of a run into its span.
pub fn end_turn_span(turn: &Span, status: RunStatus, stop: StopReason) {
    turn.record("status", status.as_str()).record("stop_reason", stop.as_str());
}

/// The span of a step, below its turn's.
pub fn step_span(turn: &Span, step_id: StepId) -> Span {
    info_span!(parent: turn, "step", %step_id)
}

/// The span of a model call, below its step's (or its turn's, for a summary).
pub fn llm_span(parent: &Span, provider: &str, model: &str) -> Span {
    info_span!(parent: parent, "llm", provider, model)
}

/// The span of a tool call, below its step's.
pub fn tool_span(parent: &Span, tool: &Tool) -> Span {
    info_span!(parent: parent, "tool", name = tool.name)
}

/// Tools that come with the server by their name, all others by where they come from.
fn tool_label(tool: &Tool) -> metrics::SharedString {
    if tool.kind.comes_with_server() { TOOLS.label(&tool.name, true) } else { tool.kind.as_str().into() }
}

#[cfg(test)]
mod tests;
