//! One call of a model or of a tool: its place, its time, its cancel, its panic.
//!
//! Invariant: what is decided here is decided nowhere else. Adapters have the limits of the protocols that they speak,
//! and end when their future is dropped.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use engram_core::ports::{ChatReply, ChatRequest, DeltaSink, LlmError, LlmErrorKind, ToolOutcome, tools::ToolContext};
use engram_domain::{AgentId, JsonMap, Tool, ToolStatus};
use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use crate::{Engine, Inner, metrics};

/// How long a cancelled call of a model may take to end by itself, and to close its connection in order.
const CANCEL_PATIENCE: Duration = Duration::from_millis(200);

/// Calls a model: waits for a place, and no longer than [`crate::EngineSettings::llm_timeout`] for the answer.
pub(crate) async fn chat(
    inner: &Inner,
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
    let Some(_permit) = inner.limiter.acquire(provider, agent, &cancel).await else { return Err(cancelled()) };
    metrics::llm_waited(provider, waiting.elapsed());
    let started = Instant::now();
    let started_ns = inner.ports.clock.monotonic_ns();
    let limit = inner.settings.llm_timeout;
    let call = AssertUnwindSafe(inner.ports.llm.chat(request, sink, cancel.clone())).catch_unwind();
    let call = call.instrument(metrics::llm_span(parent, provider, &config.model));
    let result = tokio::select! {
        biased;
        result = tokio::time::timeout(limit, call) => match result {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(panicked()),
            Err(_) => Err(LlmError::new(
                LlmErrorKind::Timeout,
                format!("{provider} did not answer within {} s", limit.as_secs_f64()),
            )),
        },
        () = async { cancel.cancelled().await; tokio::time::sleep(CANCEL_PATIENCE).await } => Err(cancelled()),
    };
    let first = u64::try_from(first_token.load(Ordering::Relaxed) - started_ns).ok().map(Duration::from_nanos);
    let outcome = result.as_ref().map(|_| ()).map_err(|error| error.kind);
    metrics::llm_call(provider, &config.model, outcome, started.elapsed(), first);
    result
}

fn panicked() -> LlmError {
    tracing::error!("a provider adapter panicked");
    LlmError::new(LlmErrorKind::Server, "the provider adapter failed inside the server")
}

/// Runs a tool, no longer than [`crate::EngineSettings::tool_timeout`]. None when it was cancelled: a tool that does
/// not listen to its token holds nobody up.
pub(crate) async fn tool(
    inner: &Inner,
    context: ToolContext,
    tool: Arc<Tool>,
    args: JsonMap,
    cancel: CancellationToken,
    span: Span,
) -> Option<ToolOutcome> {
    let started = Instant::now();
    let limit = inner.settings.tool_timeout;
    let work = AssertUnwindSafe(inner.ports.tools.run(context, tool.clone(), args, cancel.clone())).catch_unwind();
    let outcome = tokio::select! {
        () = cancel.cancelled() => return None,
        outcome = tokio::time::timeout(limit, work.instrument(span)) => match outcome {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => {
                tracing::error!(tool = tool.name, "a tool panicked");
                ToolOutcome::error(format!("{} failed inside the server.", tool.name))
            }
            Err(_) => {
                ToolOutcome::error(format!("{} gave no result within {} s.", tool.name, limit.as_secs_f64()))
            }
        },
    };
    metrics::tool_call(&tool, outcome.status == ToolStatus::Success, started.elapsed());
    Some(outcome)
}

impl Engine {
    /// Runs a tool outside of any turn, with the limits that it has in one. Its changes are the caller's to store.
    /// Dropping the future stops the tool.
    pub async fn run_tool(&self, context: ToolContext, tool: Arc<Tool>, args: JsonMap) -> ToolOutcome {
        let cancel = CancellationToken::new();
        // Work that the tool has handed to others stops too.
        let _guard = cancel.clone().drop_guard();
        let span = metrics::tool_span(&Span::current(), &tool);
        let outcome = self::tool(&self.0, context, tool, args, cancel, span).await;
        outcome.unwrap_or_else(|| ToolOutcome::error("The call was cancelled."))
    }
}
