//! `engram/scripted`: a model without a network that does what it is told.
//!
//! The rule: every `[[call NAME {json}]]` in the last message that the user wrote becomes a tool call,
//! one for each answer, in order; then it says `You said: ` and the rest of the text, through
//! `send_message` where the request offers that tool, else as plain text. Tools that were not offered
//! are called all the same, and JSON that is none is sent as it stands: that is how errors are tried.
//! A summary is a digest; orders in a transcript are not obeyed.
//!
//! [`script`] reads the orders, [`conversation`] finds out which one is next, [`arguments`] adds what
//! a tool's schema asks for, [`digest`] summarizes. Nothing here is random: the same
//! request gets the same answer, ids included.

mod arguments;
mod conversation;
mod digest;
mod script;

use engram_core::ports::{
    ChatReply, ChatRequest, Delta, DeltaSink, LlmError, LlmErrorKind,
    llm::{Purpose, ToolChoice, ToolSchema},
};
use engram_domain::ToolCall;
use serde_json::json;

use arguments::More;

/// Its handle.
pub const SCRIPTED_HANDLE: &str = "engram/scripted";
/// Its window in tokens. Like any other model it refuses a larger prompt.
pub const SCRIPTED_WINDOW: i32 = 128_000;

/// The model.
#[derive(Clone, Copy)]
pub(crate) struct Scripted {
    count: fn(&str) -> usize,
}

/// What it decided to answer.
enum Answer {
    Text(String),
    Call(ToolCall),
}

impl Scripted {
    pub(crate) fn new(count: fn(&str) -> usize) -> Self {
        Self { count }
    }

    /// Answers. Yields between the pieces of a streamed answer, so that they can be seen to arrive
    /// one by one, and so that cancelling has a place to take hold.
    pub(crate) async fn chat(&self, request: &ChatRequest, sink: Option<&DeltaSink>) -> Result<ChatReply, LlmError> {
        let prompt_tokens = request.tokens as i64;
        if prompt_tokens > i64::from(SCRIPTED_WINDOW) {
            let message = format!(
                "engram/scripted: the prompt has {prompt_tokens} tokens, the context window of the model {SCRIPTED_WINDOW}"
            );
            return Err(LlmError::new(LlmErrorKind::ContextOverflow, message));
        }
        let answer = match request.purpose {
            Purpose::Summarization => Answer::Text(digest::digest(&request.messages)),
            Purpose::AgentStep => decide(request),
        };
        if let Some(sink) = sink.filter(|_| request.stream) {
            for delta in pieces(&answer) {
                sink(delta);
                tokio::task::yield_now().await;
            }
        }
        let completion_tokens = match &answer {
            Answer::Text(text) => (self.count)(text),
            Answer::Call(call) => (self.count)(&call.name) + (self.count)(&call.arguments),
        };
        let completion_tokens = completion_tokens as i64;
        Ok(reply(answer, prompt_tokens, completion_tokens))
    }
}

fn decide(request: &ChatRequest) -> Answer {
    let asked = conversation::last_asked(&request.messages);
    let script = script::read(&asked.text);
    let next = script.calls.get(asked.calls_made);
    let schema = |name: &str| request.tools.iter().find(|t| t.name == name).map(|t| &**t);
    let call = |auto: bool, name: &str, arguments: String| {
        let id = conversation::call_id(&request.messages, auto, name, &arguments);
        Answer::Call(ToolCall { id, name: name.to_owned(), arguments })
    };

    // A forced tool goes before the script, once: where no other tool is ever allowed, the script has
    // its turn all the same. The id of the call tells later that it was none of the script's.
    if let ToolChoice::Named(forced) = &request.tool_choice
        && next.is_none_or(|order| order.name != *forced && !asked.made_others)
        && forced != "send_message"
    {
        let more = if next.is_some() { More::Follows } else { More::Ends };
        return call(true, forced, arguments::own(schema(forced), json!({}), more));
    }
    if let Some(order) = next {
        return call(false, &order.name, arguments::ordered(schema(&order.name), &order.arguments));
    }
    let answer = format!("You said: {}", script.rest);
    if let Some(tool) = schema("send_message") {
        return call(true, "send_message", arguments::own(Some(tool), json!({ "message": answer }), More::Ends));
    }
    match closing(request) {
        Some(tool) => call(true, &tool.name, arguments::own(Some(tool), json!({}), More::Ends)),
        None => Answer::Text(answer),
    }
}

/// The tool to end with where some tool must be called and none of them says anything to the user.
fn closing(request: &ChatRequest) -> Option<&ToolSchema> {
    const ENDS: [&str; 2] = ["memory_finish_edits", "finish_rethinking_memory"];
    if request.tool_choice == ToolChoice::Auto {
        return None;
    }
    request.tools.iter().find(|t| ENDS.contains(&t.name.as_str())).or_else(|| request.tools.first()).map(|t| &**t)
}

/// The answer word by word; arguments of calls too.
fn pieces(answer: &Answer) -> Vec<Delta> {
    match answer {
        Answer::Text(text) => words(text).map(|w| Delta::Text(w.to_owned())).collect(),
        Answer::Call(call) => {
            let start = Delta::CallStart { index: 0, id: call.id.clone(), name: call.name.clone() };
            let args = words(&call.arguments).map(|w| Delta::CallArgs { index: 0, piece: w.to_owned() });
            std::iter::once(start).chain(args).collect()
        }
    }
}

/// Words with the white space after them; together they are the text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let space = rest[word..].find(|c: char| !c.is_whitespace()).map_or(rest.len(), |n| word + n);
        let (piece, after) = rest.split_at(space);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

fn reply(answer: Answer, prompt_tokens: i64, completion_tokens: i64) -> ChatReply {
    let (message, finish_reason) = match &answer {
        Answer::Text(text) => (json!({ "role": "assistant", "content": text }), "stop"),
        Answer::Call(call) => {
            let function = json!({ "name": call.name, "arguments": call.arguments });
            let calls = json!([{ "id": call.id, "type": "function", "function": function }]);
            (json!({ "role": "assistant", "content": null, "tool_calls": calls }), "tool_calls")
        }
    };
    let raw = json!({
        "object": "chat.completion",
        "model": "scripted",
        "choices": [{ "index": 0, "message": message, "finish_reason": finish_reason }],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    });
    let (text, calls) = match answer {
        Answer::Text(text) => (Some(text), Vec::new()),
        Answer::Call(call) => (None, vec![call]),
    };
    ChatReply {
        text,
        calls,
        usage: engram_domain::Usage { prompt_tokens, completion_tokens, ..Default::default() },
        raw: Some(raw),
        ..ChatReply::default()
    }
}

#[cfg(test)]
mod tests;
