//! What runs outside the mailbox: models, summarizers, tools. Each in a task of its own that sends
//! back an event, also when it panics.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use engram_core::{
    ports::{ChatRequest, DeltaSink, StoreError, tools::ToolContext},
    step::{Event, RunError},
};
use engram_domain::{JsonMap, MessageId, RunId, StepId, StopReason, Tool};

use crate::{
    Inner,
    agent::{Live, Msg},
    api::StreamEvent,
    calls, insight,
};

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
        let result = calls::chat(&inner, agent, request, sink, cancel, &span, &first_token).await;
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
        let result = calls::chat(&inner, agent, request, None, cancel, &span, &AtomicI64::new(0)).await;
        if let Err(error) = &result {
            tracing::warn!(%error, "no summary; the messages leave the context all the same");
        }
        let _ = myself.send_message(Msg::Event(Event::SummaryDone { attempt, result: result.map(Box::new) }));
    });
}

/// Runs a tool.
pub(crate) fn run_tool(live: &Live, attempt: u64, tool: Arc<Tool>, args: JsonMap, context: ToolContext) {
    let inner = live.inner.clone();
    let myself = live.myself.clone();
    let cancel = live.outside.clone();
    let span = insight::tool_span(&live.span, &tool);
    live.inner.tasks.spawn(async move {
        // None: it was cancelled, and nobody waits for it any more.
        if let Some(outcome) = calls::tool(&inner, context, tool, args, cancel, span).await {
            let _ = myself.send_message(Msg::Event(Event::ToolDone { attempt, outcome: Box::new(outcome) }));
        }
    });
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
