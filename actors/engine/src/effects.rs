//! What runs outside the mailbox: models, summarizers, tools. Each in a task of its own that sends
//! back an event, also when it panics.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use engram_core::{
    ports::{ChatReply, ChatRequest, DeltaSink, LlmError, LlmErrorKind, StoreError, ToolOutcome, tools::ToolContext},
    step::{Event, RunError},
};
use engram_domain::{AgentId, JsonMap, MessageId, RunId, StepId, StopReason, Tool, ToolCall, ToolStatus};
use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use crate::{
    Inner,
    agent::{Live, Msg},
    api::StreamEvent,
    insight,
};

/// How long a cancelled call may take to end by itself.
const CANCEL_PATIENCE: Duration = Duration::from_millis(200);

/// Calls the model. Pieces go to the run's stream under the ids in `writing`, when they are wanted.
pub(crate) fn call_llm(
    live: &Live,
    attempt: u64,
    request: ChatRequest,
    writing: (MessageId, StepId),
    stream_tokens: bool,
) {
    let inner = live.inner.clone();
    let myself = live.myself.clone();
    let cancel = live.outside.clone();
    let run = live.current;
    let agent = live.state.snapshot.agent.id;
    let first_token = Arc::new(AtomicI64::new(0));
    let sink = run.filter(|_| stream_tokens).map(|run| delta_sink(live, run, writing, first_token.clone()));
    let span = insight::step_span(&live.span, writing.1);
    live.inner.tasks.spawn(async move {
        let clock = &inner.ports.clock;
        let started = clock.monotonic_ns();
        let result = chat(&inner, agent, request, sink, cancel, &span, &first_token).await;
        let took_ns = clock.monotonic_ns() - started;
        let event = match result {
            Ok(reply) => Event::LlmDone {
                attempt,
                reply: Box::new(reply),
                took_ns,
                first_token_ns: Some(first_token.load(Ordering::Relaxed)).filter(|t| *t != 0),
            },
            Err(error) => Event::LlmFailed { attempt, error, took_ns },
        };
        let _ = myself.send_message(Msg::Event(event));
    });
}

/// One call of a model: it waits for its place, and it ends when it is cancelled, also if the adapter does
/// not listen.
async fn chat(
    inner: &Arc<Inner>,
    agent: AgentId,
    request: ChatRequest,
    sink: Option<DeltaSink>,
    cancel: CancellationToken,
    parent: &Span,
    first_token: &AtomicI64,
) -> Result<ChatReply, LlmError> {
    let config = request.config.clone();
    let provider = config.provider_name.as_deref().unwrap_or(&config.model_endpoint_type);
    let cancelled = || LlmError::new(LlmErrorKind::Cancelled, "the call was cancelled");
    let waiting = Instant::now();
    let Some(_pass) = inner.gate.enter(provider, agent, &cancel).await else { return Err(cancelled()) };
    insight::llm_waited(provider, waiting.elapsed());
    let started = Instant::now();
    let started_ns = inner.ports.clock.monotonic_ns();
    let call = AssertUnwindSafe(inner.ports.llm.chat(request, sink, cancel.clone())).catch_unwind();
    let call = call.instrument(insight::llm_span(parent, provider, &config.model));
    let result = tokio::select! {
        biased;
        result = call => result.unwrap_or_else(|_| Err(panicked())),
        // A moment for the adapter to say so itself and close its connection in order.
        () = async { cancel.cancelled().await; tokio::time::sleep(CANCEL_PATIENCE).await } => Err(cancelled()),
    };
    let first = u64::try_from(first_token.load(Ordering::Relaxed) - started_ns).ok().map(Duration::from_nanos);
    let outcome = result.as_ref().map(|_| ()).map_err(|error| error.kind);
    insight::llm_call(provider, &config.model, outcome, started.elapsed(), first);
    result
}

fn delta_sink(
    live: &Live,
    run: RunId,
    (message_id, step_id): (MessageId, StepId),
    first_token: Arc<AtomicI64>,
) -> DeltaSink {
    let inner = live.inner.clone();
    let journal = live.journal.as_ref().map(crate::journal::Journal::sink);
    Arc::new(move |delta| {
        let clock = &inner.ports.clock;
        let _ = first_token.compare_exchange(0, clock.monotonic_ns(), Ordering::Relaxed, Ordering::Relaxed);
        let event = StreamEvent::Delta { message_id, step_id, at: clock.now(), delta };
        match &journal {
            Some(keep) => keep(event),
            None => inner.hub.publish(run, None, event),
        }
    })
}

/// Calls the summarizer.
pub(crate) fn summarize(live: &Live, attempt: u64, request: ChatRequest) {
    let inner = live.inner.clone();
    let myself = live.myself.clone();
    let cancel = live.outside.clone();
    let agent = live.state.snapshot.agent.id;
    let span = live.span.clone();
    live.inner.tasks.spawn(async move {
        let result = chat(&inner, agent, request, None, cancel, &span, &AtomicI64::new(0)).await;
        if let Err(error) = &result {
            tracing::warn!(%error, "no summary; the messages leave the context all the same");
        }
        let _ = myself.send_message(Msg::Event(Event::SummaryDone { attempt, result: result.map(Box::new) }));
    });
}

/// Runs a tool.
pub(crate) fn run_tool(
    live: &Live,
    attempt: u64,
    call: ToolCall,
    tool: Arc<Tool>,
    args: JsonMap,
    context: ToolContext,
) {
    let inner = live.inner.clone();
    let myself = live.myself.clone();
    let cancel = live.outside.clone();
    let span = insight::tool_span(&live.span, &tool);
    let limit = live.inner.settings.tool_timeout;
    live.inner.tasks.spawn(async move {
        let started = Instant::now();
        let about = tool.clone();
        let work = AssertUnwindSafe(inner.ports.tools.run(context, tool, args, cancel.clone())).catch_unwind();
        let outcome = tokio::select! {
            // A tool that does not listen to its token holds nobody up.
            () = cancel.cancelled() => return,
            outcome = tokio::time::timeout(limit, work.instrument(span)) => match outcome {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_)) => {
                    tracing::error!(tool = call.name, "a tool panicked");
                    ToolOutcome::error(format!("{} failed inside the server.", call.name))
                }
                Err(_) => ToolOutcome::error(format!("{} gave no result within {} s.", call.name, limit.as_secs())),
            },
        };
        insight::tool_call(&about, outcome.status == ToolStatus::Success, started.elapsed());
        let _ = myself.send_message(Msg::Event(Event::ToolDone { attempt, outcome: Box::new(outcome) }));
    });
}

fn panicked() -> LlmError {
    tracing::error!("a provider adapter panicked");
    LlmError::new(LlmErrorKind::Server, "the provider adapter failed inside the server")
}

/// Ends a run that no actor drives; whoever listens reads its end from the database. True when this call
/// ended it.
pub(crate) async fn end_unowned(
    inner: &Inner,
    run: RunId,
    reason: StopReason,
    error: Option<RunError>,
) -> Result<bool, StoreError> {
    let message = error.as_ref().map(|e| e.message.as_str());
    let ended = inner.ports.store.end_run(run, reason, message, inner.ports.clock.now()).await?;
    inner.hub.leave(run);
    Ok(ended)
}

/// Notes that an actor died of a run.
pub(crate) fn count_death(inner: &Inner, run: RunId) {
    insight::error("actor_died");
    *inner.deaths.entry(run).or_insert(0) += 1;
}
