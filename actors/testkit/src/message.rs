//! Messages and what they say.

use engram_domain::{
    AgentId, Content, ConversationId, Message, MessageId, Role, Time, ToolCall, ToolReturn, ToolStatus,
};
use uuid::Uuid;

/// The first message of a conversation; it counts one token, whatever it says.
pub fn message(role: Role, content: Content) -> Message {
    Message {
        id: MessageId(Uuid::nil()),
        conversation_id: ConversationId(Uuid::nil()),
        agent_id: AgentId(Uuid::nil()),
        seq: 0,
        role,
        content,
        name: None,
        otid: None,
        sender_id: None,
        group_id: None,
        step_id: None,
        run_id: None,
        model: None,
        tokens: 1,
        is_err: false,
        created_at: Time::UNIX_EPOCH,
    }
}

/// An answer of the model that is text alone.
pub fn says(text: &str) -> Content {
    Content::Assistant { reasoning: vec![], text: Some(text.into()), calls: vec![] }
}

/// An answer of the model that is calls alone.
pub fn calls(calls: impl Into<Vec<ToolCall>>) -> Content {
    Content::Assistant { reasoning: vec![], text: None, calls: calls.into() }
}

/// A call of a tool. `arguments` is the text of a JSON object.
pub fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
    ToolCall { id: id.into(), name: name.into(), arguments: arguments.into() }
}

/// The result of a call that went well.
pub fn returned(call_id: &str, name: &str, text: &str) -> ToolReturn {
    ToolReturn {
        tool_call_id: call_id.into(),
        name: name.into(),
        status: ToolStatus::Success,
        text: text.into(),
        stdout: vec![],
        stderr: vec![],
    }
}
