//! What runs outside the mailbox: models, summarizers, tools. Each in a task of its own that sends
//! back an event, also when it panics.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use engram_core::{
    ports::{ChatReply, ChatRequest, DeltaSink, LlmError, LlmErrorKind, StoreError, ToolOutcome, tools::ToolContext},
    step::{Event, RunEnd, RunError},
};
use engram_domain::{JsonMap, MessageId, Run, RunId, StepId, StopReason, Tool, ToolCall};
use futures::FutureExt;

use crate::{
    Inner,
    agent::{Live, Msg},
    api::StreamEvent,
};

/// Calls the model. Pieces go to the run's stream under the ids in `pieces`.
pub(crate) fn call_llm(live: &Live, attempt: u64, request: ChatRequest, pieces: Option<(MessageId, StepId)>) {
    let inner = live.inner.clone();
    let myself = live.myself.clone();
    let cancel = live.outside.clone();
    let run = live.current;
    live.inner.tasks.spawn(async move {
        let clock = &inner.ports.clock;
        let started = clock.monotonic_ns();
        let first_token = Arc::new(AtomicI64::new(0));
        let sink = pieces.zip(run).map(|(ids, run)| delta_sink(&inner, run, ids, first_token.clone()));
        let call = AssertUnwindSafe(inner.ports.llm.chat(request, sink, cancel));
        let result = call.catch_unwind().await.unwrap_or_else(|_| Err(panicked()));
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
    inner: &Arc<Inner>,
    run: RunId,
    (message_id, step_id): (MessageId, StepId),
    first_token: Arc<AtomicI64>,
) -> DeltaSink {
    let inner = inner.clone();
    Arc::new(move |delta| {
        let clock = &inner.ports.clock;
        let _ = first_token.compare_exchange(0, clock.monotonic_ns(), Ordering::Relaxed, Ordering::Relaxed);
        inner.hub.publish(run, StreamEvent::Delta { message_id, step_id, at: clock.now(), delta });
    })
}

/// Calls the summarizer.
pub(crate) fn summarize(live: &Live, attempt: u64, request: ChatRequest) {
    let inner = live.inner.clone();
    let myself = live.myself.clone();
    let cancel = live.outside.clone();
    live.inner.tasks.spawn(async move {
        let call = AssertUnwindSafe(inner.ports.llm.chat(request, None, cancel));
        let result: Result<ChatReply, LlmError> = call.catch_unwind().await.unwrap_or_else(|_| Err(panicked()));
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
    live.inner.tasks.spawn(async move {
        let work = AssertUnwindSafe(inner.ports.tools.run(context, tool, args, cancel.clone())).catch_unwind();
        let outcome = tokio::select! {
            // A tool that does not listen to its token holds nobody up.
            () = cancel.cancelled() => return,
            outcome = work => outcome.unwrap_or_else(|_| {
                tracing::error!(tool = call.name, "a tool panicked");
                ToolOutcome::error(format!("{} failed inside the server.", call.name))
            }),
        };
        let _ = myself.send_message(Msg::Event(Event::ToolDone { attempt, outcome: Box::new(outcome) }));
    });
}

fn panicked() -> LlmError {
    tracing::error!("a provider adapter panicked");
    LlmError::new(LlmErrorKind::Server, "the provider adapter failed inside the server")
}

/// Ends a run that no actor drives, and tells whoever listens. True when this call ended it.
pub(crate) async fn end_unowned(
    inner: &Arc<Inner>,
    run: RunId,
    reason: StopReason,
    error: Option<RunError>,
) -> Result<bool, StoreError> {
    let message = error.as_ref().map(|e| e.message.as_str());
    let ended = inner.ports.store.end_run(run, reason, message, inner.ports.clock.now()).await?;
    if ended && let Some(row) = inner.ports.store.run(run).await? {
        inner.hub.publish(run, ended_event(&row, reason, error));
    }
    Ok(ended)
}

fn ended_event(row: &Run, reason: StopReason, error: Option<RunError>) -> StreamEvent {
    StreamEvent::Ended(Box::new(RunEnd {
        run_id: row.id,
        agent_id: row.agent_id,
        status: reason.status(),
        stop_reason: reason,
        usage: row.usage,
        step_count: row.step_count,
        context_tokens: 0,
        error,
    }))
}

/// After an actor's end: whoever listens to a run that is over, or that went with its agent, must hear
/// of it here. A run that is open goes on in another life.
pub(crate) fn report_if_over(inner: &Arc<Inner>, run: RunId) {
    let inner = inner.clone();
    tokio::spawn(async move {
        let event = match inner.ports.store.run(run).await {
            Ok(None) => {
                let error = RunError::new("not_found", "The agent was deleted during the run.");
                StreamEvent::Ended(Box::new(RunEnd {
                    run_id: run,
                    agent_id: engram_domain::AgentId(run.0),
                    status: StopReason::Error.status(),
                    stop_reason: StopReason::Error,
                    usage: engram_domain::Usage::default(),
                    step_count: 0,
                    context_tokens: 0,
                    error: Some(error),
                }))
            }
            Ok(Some(row)) if row.status.is_terminal() => {
                // The last commit happened and its acknowledgement was lost: what it said was not
                // published either.
                match inner.ports.store.messages_of(run).await {
                    Ok(messages) => inner.hub.publish_missing(run, messages),
                    Err(error) => tracing::warn!(%error, %run, "the messages of an ended run could not be read"),
                }
                let error = row.error.as_ref().map(|message| RunError::new("internal_error", message.clone()));
                ended_event(&row, row.stop_reason.unwrap_or(StopReason::Error), error)
            }
            Ok(Some(_)) | Err(_) => return,
        };
        inner.hub.publish(run, event);
    });
}

/// Notes that an actor died of a run.
pub(crate) fn count_death(inner: &Inner, run: RunId) {
    *inner.deaths.entry(run).or_insert(0) += 1;
}
