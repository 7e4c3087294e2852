//! An answer as it grows, whole or in pieces.

use engram_core::ports::{ChatReply, ChatRequest, Delta, DeltaSink, llm::Ending};
use engram_domain::{Json, Usage, message::Reasoning};
use serde_json::json;

use super::{
    calls::Calls,
    halves::Joiner,
    reply::{Choice, Chunk, Said},
    tags::{self, Piece, Tags},
    vendor::{self, Vendor},
};

/// What has come so far.
pub(super) struct Answer<'a> {
    /// The provider, for what must go back to it.
    endpoint: &'a str,
    words: Words<'a>,
    calls: Calls<'a>,
    vendor: Vendor,
    usage: Usage,
    id: Option<String>,
    model: Option<String>,
    finish: Option<String>,
    any_choice: bool,
}

/// Text and thoughts, and who is told of them.
struct Words<'a> {
    text: String,
    thoughts: String,
    tags: Tags,
    /// Halves of characters that wait for their other half, in text and thoughts.
    halves: [Joiner; 2],
    sink: Option<&'a DeltaSink>,
    /// Whether somebody has seen a piece: from then on nothing may be tried again.
    passed: bool,
}

impl Words<'_> {
    fn tell(&mut self, delta: Delta) {
        if let Some(sink) = self.sink {
            self.passed = true;
            sink(delta);
        }
    }

    fn think(&mut self, thought: String) {
        if !thought.is_empty() {
            self.thoughts.push_str(&thought);
            self.tell(Delta::Reasoning(thought));
        }
    }

    fn speak(&mut self, text: String) {
        if !text.is_empty() {
            self.text.push_str(&text);
            self.tell(Delta::Text(text));
        }
    }

    /// Text that may hold thoughts.
    fn content(&mut self, text: &str) {
        let mut tags = std::mem::take(&mut self.tags);
        tags.push(text, &mut |piece| self.piece(piece));
        self.tags = tags;
    }

    fn piece(&mut self, piece: Piece) {
        match piece {
            Piece::Text(text) => self.speak(text),
            Piece::Thought(thought) => self.think(thought),
        }
    }

    /// What was held back.
    fn finish(&mut self) {
        let [text, thoughts] = self.halves.each_mut().map(Joiner::rest);
        self.think(thoughts.into_iter().collect());
        self.content(&text.into_iter().collect::<String>());
        let mut tags = std::mem::take(&mut self.tags);
        tags.finish(&mut |piece| self.piece(piece));
        if let Some((thoughts, words)) = tags::unopened(&self.text) {
            self.thoughts.push_str(thoughts);
            self.text = words.to_owned();
        }
    }
}

impl<'a> Answer<'a> {
    pub(super) fn new(endpoint: &'a str, request: &'a ChatRequest, sink: Option<&'a DeltaSink>) -> Self {
        Self {
            endpoint,
            words: Words {
                text: String::new(),
                thoughts: String::new(),
                tags: Tags::default(),
                halves: <[Joiner; 2]>::default(),
                sink,
                passed: false,
            },
            calls: Calls::new(&request.tools, &request.messages),
            vendor: Vendor::default(),
            usage: Usage::default(),
            id: None,
            model: None,
            finish: None,
            any_choice: false,
        }
    }

    pub(super) fn passed(&self) -> bool {
        self.words.passed
    }

    /// Whether the model said that it is done; what may still come is the usage.
    pub(super) fn finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Takes a piece in; `marked` says that there are marks of halves in its texts.
    pub(super) fn push(&mut self, chunk: Chunk, marked: bool) {
        self.id = self.id.take().or(chunk.id.map(|id| id.0));
        self.model = self.model.take().or(chunk.model.map(|model| model.0));
        if let Some(usage) = chunk.usage.or(chunk.x_groq.and_then(|g| g.usage)) {
            // Some servers send the sum so far with every piece: the last one counts.
            self.usage = usage.into();
        }
        // More than one choice was never asked for.
        let Some(choice) = chunk.choices.into_iter().next() else { return };
        let Choice { message, delta, finish_reason, .. } = choice;
        self.any_choice = true;
        if let Some(mut said) = message {
            // Whole calls: each is its own, whatever it says of its index.
            for (i, call) in said.tool_calls.iter_mut().enumerate() {
                call.index.0 = u32::try_from(i).ok();
            }
            self.say(said, marked);
        }
        if let Some(said) = delta {
            self.say(said, marked);
        }
        self.finish = self.finish.take().or(finish_reason.map(|f| f.0).filter(|f| !f.is_empty()));
    }

    fn say(&mut self, said: Said, marked: bool) {
        let Self { words, calls, vendor, .. } = self;
        // Some servers send the same thoughts under both names.
        let thought = if said.reasoning_content.0.is_empty() { said.reasoning.0 } else { said.reasoning_content.0 };
        let (mut thought, mut content) = (thought, said.content.0);
        // Without a mark anywhere these characters are the model's own.
        if marked {
            let [text, thoughts] = &mut words.halves;
            (thought, content) = (thoughts.join(thought), text.join(content));
        }
        words.think(thought);
        if !content.is_empty() {
            words.content(&content);
        }
        words.speak(said.refusal.0);
        for piece in said.tool_calls {
            calls.push(piece, marked, &mut |delta| words.tell(delta));
        }
        vendor.add([
            ("reasoning_details", said.reasoning_details),
            ("thinking_blocks", said.thinking_blocks),
            ("provider_specific_fields", said.provider_specific_fields),
            ("extra_content", said.extra_content),
        ]);
    }

    /// The reply, or what is wrong with the answer. `raw` is the server's own words when it sent them
    /// in one piece; otherwise they are put together from the pieces.
    pub(super) fn finish(self, raw: Option<Json>) -> Result<ChatReply, &'static str> {
        let Self { endpoint, mut words, calls, vendor, usage, id, model, finish, any_choice } = self;
        if !any_choice {
            return Err("no choice");
        }
        words.finish();
        let ending = ending(finish.as_deref())?;
        let (calls, of_calls) = calls.finish()?;
        let Words { text, thoughts, .. } = words;
        let text = Some(text).filter(|t| !t.trim_ascii().is_empty());
        let raw = raw.unwrap_or_else(|| {
            let calls: Vec<_> = calls
                .iter()
                .map(
                    |c| json!({"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}),
                )
                .collect();
            let mut message = json!({"role": "assistant", "content": text});
            if !thoughts.is_empty() {
                message["reasoning_content"] = json!(thoughts);
            }
            if !calls.is_empty() {
                message["tool_calls"] = Json::Array(calls);
            }
            json!({
                "id": id,
                "object": "chat.completion",
                "model": model,
                "choices": [{"index": 0, "message": message, "finish_reason": finish}],
                "usage": {
                    "prompt_tokens": usage.prompt_tokens,
                    "completion_tokens": usage.completion_tokens,
                    "total_tokens": usage.total(),
                },
            })
        });
        let mut reasoning = Vec::new();
        if !thoughts.trim_ascii().is_empty() {
            reasoning.push(Reasoning::Text { text: thoughts, native: true, signature: None });
        }
        reasoning.extend(vendor::kept(endpoint, vendor.into_inner(), of_calls));
        Ok(ChatReply { reasoning, text, calls, ending, usage, raw: Some(raw) })
    }

    /// Whether nothing at all has come.
    pub(super) fn is_blank(&self) -> bool {
        !self.any_choice && self.words.text.is_empty() && self.calls.is_empty()
    }
}

/// What a server's word for the end of an answer means. Gemini, Mistral and others have their own; what is not known is an end
/// like any other.
fn ending(reason: Option<&str>) -> Result<Ending, &'static str> {
    Ok(match reason.unwrap_or_default().to_ascii_lowercase().as_str() {
        "length" | "max_tokens" | "max_output_tokens" | "model_length" | "model_context_window_exceeded" => {
            Ending::Length
        }
        "content_filter"
        | "content-filter"
        | "safety"
        | "recitation"
        | "blocklist"
        | "prohibited_content"
        | "spii"
        | "refusal"
        | "sensitive"
        | "guardrail_intervened"
        | "moderation" => Ending::Filter,
        "error" | "network_error" | "insufficient_system_resource" => return Err("an error of the server as its end"),
        _ => Ending::Whole,
    })
}
