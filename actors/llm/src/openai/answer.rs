//! An answer as it grows, whole or in pieces.

use engram_core::ports::{ChatReply, ChatRequest, Delta, DeltaSink};
use engram_domain::{Json, Usage, message::Reasoning};
use serde_json::json;

use super::{
    calls::Calls,
    reply::{Choice, Chunk, Said},
};

/// What has come so far.
pub(super) struct Answer<'a> {
    text: String,
    thoughts: String,
    calls: Calls<'a>,
    usage: Usage,
    id: Option<String>,
    model: Option<String>,
    finish: Option<String>,
    any_choice: bool,
    sink: Option<&'a DeltaSink>,
    /// Whether somebody has seen a piece: from then on nothing may be tried again.
    passed: bool,
}

impl<'a> Answer<'a> {
    pub(super) fn new(request: &'a ChatRequest, sink: Option<&'a DeltaSink>) -> Self {
        Self {
            text: String::new(),
            thoughts: String::new(),
            calls: Calls::new(&request.tools, &request.messages),
            usage: Usage::default(),
            id: None,
            model: None,
            finish: None,
            any_choice: false,
            sink,
            passed: false,
        }
    }

    pub(super) fn passed(&self) -> bool {
        self.passed
    }

    /// Whether the model said that it is done; what may still come is the usage.
    pub(super) fn finished(&self) -> bool {
        self.finish.is_some()
    }

    pub(super) fn push(&mut self, chunk: Chunk) {
        self.id = self.id.take().or(chunk.id);
        self.model = self.model.take().or(chunk.model);
        if let Some(usage) = chunk.usage.or(chunk.x_groq.and_then(|g| g.usage)) {
            // Some servers send the sum so far with every piece: the last one counts.
            self.usage = usage.into();
        }
        // More than one choice was never asked for.
        let Some(choice) = chunk.choices.and_then(|c| c.into_iter().next()) else { return };
        let Choice { message, delta, finish_reason } = choice;
        self.any_choice = true;
        if let Some(mut said) = message {
            // Whole calls: each is its own, whatever it says of its index.
            for (i, call) in said.tool_calls.iter_mut().flatten().enumerate() {
                call.index = Some(i);
            }
            self.say(said);
        }
        if let Some(said) = delta {
            self.say(said);
        }
        self.finish = self.finish.take().or(finish_reason.filter(|f| !f.is_empty()));
    }

    fn say(&mut self, said: Said) {
        let Self { text, thoughts, calls, sink, passed, .. } = self;
        let mut tell = |delta| {
            if let Some(sink) = sink {
                *passed = true;
                sink(delta);
            }
        };
        // Some servers send the same thoughts under both names.
        let thought = if said.reasoning_content.0.is_empty() { said.reasoning.0 } else { said.reasoning_content.0 };
        if !thought.is_empty() {
            thoughts.push_str(&thought);
            tell(Delta::Reasoning(thought));
        }
        for words in [said.content.0, said.refusal.0] {
            if !words.is_empty() {
                text.push_str(&words);
                tell(Delta::Text(words));
            }
        }
        for piece in said.tool_calls.into_iter().flatten() {
            calls.push(piece, &mut tell);
        }
    }

    /// The reply, or what is wrong with the answer. `raw` is the server's own words when it sent them
    /// in one piece; otherwise they are put together from the pieces.
    pub(super) fn finish(self, raw: Option<Json>) -> Result<ChatReply, &'static str> {
        if !self.any_choice {
            return Err("no choice");
        }
        let calls = self.calls.finish()?;
        let text = Some(self.text).filter(|t| !t.trim_ascii().is_empty());
        let raw = raw.unwrap_or_else(|| {
            let calls: Vec<_> = calls
                .iter()
                .map(
                    |c| json!({"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}),
                )
                .collect();
            let mut message = json!({"role": "assistant", "content": text});
            if !self.thoughts.is_empty() {
                message["reasoning_content"] = json!(self.thoughts);
            }
            if !calls.is_empty() {
                message["tool_calls"] = Json::Array(calls);
            }
            json!({
                "id": self.id,
                "object": "chat.completion",
                "model": self.model,
                "choices": [{"index": 0, "message": message, "finish_reason": self.finish}],
                "usage": {
                    "prompt_tokens": self.usage.prompt_tokens,
                    "completion_tokens": self.usage.completion_tokens,
                    "total_tokens": self.usage.total(),
                },
            })
        });
        let reasoning = if self.thoughts.is_empty() {
            Vec::new()
        } else {
            vec![Reasoning::Text { text: self.thoughts, native: true, signature: None }]
        };
        Ok(ChatReply {
            reasoning,
            text,
            calls,
            truncated: self.finish.as_deref() == Some("length"),
            usage: self.usage,
            raw: Some(raw),
        })
    }

    /// Whether nothing at all has come.
    pub(super) fn is_blank(&self) -> bool {
        !self.any_choice && self.text.is_empty() && self.calls.is_empty()
    }
}
