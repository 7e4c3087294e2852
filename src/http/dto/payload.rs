//! A request to a model, as `preview-raw-payload` shows it.

use engram_core::ports::llm::{ChatMessage, ChatRequest, ToolChoice};
use engram_domain::{Json, message::parts_text};
use serde_json::json;

/// In the words of the chat-completions protocol.
pub fn payload(request: &ChatRequest) -> Json {
    let tools = request.tools.iter().map(|tool| {
        json!({ "type": "function", "function": {
            "name": tool.name, "description": tool.description, "parameters": tool.parameters } })
    });
    let tool_choice = match &request.tool_choice {
        ToolChoice::Auto => json!("auto"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Named(name) => json!({ "type": "function", "function": { "name": name } }),
    };
    json!({
        "model": request.config.model,
        "messages": request.messages.iter().map(message).collect::<Vec<_>>(),
        "tools": tools.collect::<Vec<_>>(),
        "tool_choice": tool_choice,
        "temperature": request.config.temperature,
        "max_tokens": request.config.max_tokens,
        "response_format": request.response_format,
        "stream": request.stream,
    })
}

fn message(message: &ChatMessage) -> Json {
    match message {
        ChatMessage::System(text) => json!({ "role": "system", "content": text }),
        ChatMessage::User { parts, name } => json!({ "role": "user", "content": parts_text(parts), "name": name }),
        ChatMessage::Assistant { text, calls, .. } => {
            let calls = calls.iter().map(|call| {
                json!({ "id": call.id, "type": "function",
                        "function": { "name": call.name, "arguments": call.arguments } })
            });
            json!({ "role": "assistant", "content": text, "tool_calls": calls.collect::<Vec<_>>() })
        }
        ChatMessage::Tool { call_id, name, text } => {
            json!({ "role": "tool", "tool_call_id": call_id, "name": name, "content": text })
        }
    }
}
