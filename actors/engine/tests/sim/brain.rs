//! The model and the tools of one node. What they say and do is a function of the request, so that a crash changes
//! nothing about it; only how long they take is drawn.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use engram_core::ports::{
    ChatReply, ChatRequest, Delta, DeltaSink, Llm, LlmError, LlmErrorKind, ToolContext, ToolOutcome, ToolRunner,
    llm::ChatMessage,
};
use engram_domain::{JsonMap, Tool, ToolCall, Usage, message::parts_text};
use engram_testkit::ONCE;
use tokio_util::sync::CancellationToken;

use crate::{
    net::Link,
    node::Power,
    port::{Fate, Weather},
    sim::Sim,
};

pub struct Brain {
    pub sim: Arc<Sim>,
    pub power: Arc<Power>,
}

impl Brain {
    /// A moment at which the process may die.
    async fn moment(&self, name: &'static str) -> Fate {
        let fate = self.power.before(name, true).await;
        if matches!(fate, Fate::Vanishes) {
            std::future::pending::<()>().await;
        }
        fate
    }

    /// What the model answers: the request's script, counted from the last words of somebody.
    fn reply(&self, request: &ChatRequest) -> ChatReply {
        let (mut name, mut answers) = (String::new(), 0);
        for message in request.messages.iter() {
            match message {
                ChatMessage::User { parts, .. } => {
                    let text = parts_text(parts);
                    if !engram_core::package::is_hidden(&text) {
                        (name, answers) = (engram_core::package::words(&text).into_owned(), 0);
                    }
                }
                ChatMessage::Assistant { .. } => answers += 1,
                _ => {}
            }
        }
        let usage = Usage { prompt_tokens: 10, completion_tokens: 5, ..Usage::default() };
        let call = |(n, (tool, arguments)): (usize, (String, String))| ToolCall {
            id: format!("{name}-{answers}-{n}"),
            name: tool,
            arguments,
        };
        if let Some(calls) = self.sim.plan.scripts.get(&name).and_then(|script| script.get(answers)) {
            let calls = calls.iter().cloned().enumerate().map(call).collect();
            return ChatReply { calls, usage, ..ChatReply::default() };
        }
        let words = format!("{name} is done now");
        if request.tools.iter().any(|t| t.name == "send_message") {
            let arguments = serde_json::json!({"message": words}).to_string();
            return ChatReply {
                calls: vec![call((0, ("send_message".into(), arguments)))],
                usage,
                ..ChatReply::default()
            };
        }
        ChatReply { text: Some(words), usage, ..ChatReply::default() }
    }

    async fn answer(&self, request: &ChatRequest, sink: Option<DeltaSink>) -> ChatReply {
        let reply = self.reply(request);
        let longest = self.sim.plan.model_ms;
        let pieces: Vec<&str> = reply.text.as_deref().map_or(vec![""], |text| text.split_inclusive(' ').collect());
        for piece in pieces {
            let pause = self.sim.draw(|rng| rng.millis(0, longest));
            tokio::time::sleep(pause).await;
            self.power.running().await;
            if let Some(sink) = sink.as_ref().filter(|_| !piece.is_empty()) {
                sink(Delta::Text(piece.into()));
            }
        }
        self.moment("llm answers").await;
        reply
    }
}

#[async_trait]
impl Llm for Brain {
    async fn chat(
        &self,
        request: ChatRequest,
        sink: Option<DeltaSink>,
        cancel: CancellationToken,
    ) -> Result<ChatReply, LlmError> {
        self.moment("llm is asked").await;
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(LlmError::new(LlmErrorKind::Cancelled, "cancelled")),
            reply = self.answer(&request, sink) => Ok(reply),
        }
    }
}

#[async_trait]
impl ToolRunner for Brain {
    async fn run(&self, _: ToolContext, tool: Arc<Tool>, args: JsonMap, _: CancellationToken) -> ToolOutcome {
        let fate = self.moment("tool").await;
        if tool.name == ONCE {
            let which = args.get("n").map(ToString::to_string).unwrap_or_default();
            *self.sim.rung.lock().entry(which).or_default() += 1;
        }
        if matches!(fate, Fate::HappensUnseen) {
            std::future::pending::<()>().await;
        }
        let pause = self.sim.draw(|rng| if rng.chance(10) { Duration::from_secs(1) } else { rng.millis(0, 30) });
        tokio::time::sleep(pause).await;
        self.moment("tool is done").await;
        ToolOutcome::ok(format!("{} did it", tool.name))
    }
}
