//! Calls of models and tools, each in a task of its own, so that no mailbox waits for one. What becomes of a call comes
//! back as a message, also when it panics; that of a cancelled tool does not come back at all.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use engram_core::{
    ports::{ChatRequest, DeltaSink, tools::ToolContext},
    step::Event,
};
use engram_domain::{AgentId, JsonMap, MessageId, StepId, Tool};
use ractor::ActorRef;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::mailbox::Msg;
use crate::{Inner, api::StreamEvent, calls, metrics};

/// The message that a model is writing.
pub(super) struct Writing {
    /// Its id.
    pub(super) message_id: MessageId,
    /// The step it belongs to.
    pub(super) step_id: StepId,
    /// Where its pieces go; none when nobody wants them.
    pub(super) show: Option<Box<dyn Fn(StreamEvent) + Send + Sync>>,
}

/// What runs outside the mailbox for one actor.
pub(super) struct Outside {
    inner: Arc<Inner>,
    mailbox: ActorRef<Msg>,
    cancel: CancellationToken,
}

impl Outside {
    /// Results go to `mailbox`.
    pub(super) fn new(inner: Arc<Inner>, mailbox: ActorRef<Msg>) -> Self {
        Self { inner, mailbox, cancel: CancellationToken::new() }
    }

    /// Stops everything that runs now.
    pub(super) fn abort(&mut self) {
        std::mem::take(&mut self.cancel).cancel();
    }

    /// Has `work` done, and its event sent to the mailbox; none when nobody waits for it any more.
    fn spawn(&self, work: impl Future<Output = Option<Event>> + Send + 'static) {
        let mailbox = self.mailbox.clone();
        self.inner.tasks.spawn(async move {
            if let Some(event) = work.await {
                let _ = mailbox.send_message(Msg::Event(event));
            }
        });
    }

    /// Calls the model for an agent's next message.
    pub(super) fn call_llm(
        &self,
        attempt: u64,
        agent: AgentId,
        request: ChatRequest,
        Writing { message_id, step_id, show }: Writing,
        turn: &Span,
    ) {
        let (inner, cancel) = (self.inner.clone(), self.cancel.clone());
        let span = metrics::step_span(turn, step_id);
        let first_token = Arc::new(AtomicI64::new(0));
        let sink = show.map(|show| -> DeltaSink {
            let (inner, first_token) = (inner.clone(), first_token.clone());
            Arc::new(move |delta| {
                let clock = &inner.ports.clock;
                let _ = first_token.compare_exchange(0, clock.monotonic_ns(), Ordering::Relaxed, Ordering::Relaxed);
                show(StreamEvent::Delta { message_id, step_id, at: clock.now(), delta });
            })
        });
        self.spawn(async move {
            let clock = &inner.ports.clock;
            let started = clock.monotonic_ns();
            let result = calls::chat(&inner, agent, request, sink, cancel, &span, &first_token).await;
            let took_ns = clock.monotonic_ns() - started;
            Some(match result {
                Ok(reply) => Event::LlmDone {
                    attempt,
                    reply: Box::new(reply),
                    took_ns,
                    first_token_ns: Some(first_token.load(Ordering::Relaxed)).filter(|t| *t != 0),
                },
                Err(error) => Event::LlmFailed { attempt, error, took_ns },
            })
        });
    }

    /// Calls the summarizer.
    pub(super) fn summarize(&self, attempt: u64, agent: AgentId, request: ChatRequest, turn: Span) {
        let (inner, cancel) = (self.inner.clone(), self.cancel.clone());
        self.spawn(async move {
            let result = calls::chat(&inner, agent, request, None, cancel, &turn, &AtomicI64::new(0)).await;
            if let Err(error) = &result {
                tracing::warn!(%error, "no summary; the messages leave the context all the same");
            }
            Some(Event::SummaryDone { attempt, result: result.map(Box::new) })
        });
    }

    /// Runs a tool.
    pub(super) fn run_tool(&self, attempt: u64, tool: Arc<Tool>, args: JsonMap, context: ToolContext, turn: &Span) {
        let (inner, cancel) = (self.inner.clone(), self.cancel.clone());
        let span = metrics::tool_span(turn, &tool);
        self.spawn(async move {
            let outcome = calls::tool(&inner, context, tool, args, cancel, span).await?;
            Some(Event::ToolDone { attempt, outcome: Box::new(outcome) })
        });
    }
}

impl Drop for Outside {
    /// An actor that ends, however it ends, leaves nothing running.
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}
