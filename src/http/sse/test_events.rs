//! Events of a run that never was, for the tests of what is made of them.

use std::sync::Arc;

use engram_core::ports::Delta;
use engram_domain::{
    AgentId, Content, ConversationId, Message, MessageId, Role, RunErrorKind, RunId, RunStatus, StepId, StopReason,
    Usage, message::Reasoning,
};
use engram_engine::{RunEnd, RunError, StreamEvent};
use uuid::Uuid;

/// The uuid of a number.
pub fn uuid(n: u8) -> Uuid {
    Uuid::from_u128(0xa000_0000_0000_4000_8000_0000_0000_0000 + (u128::from(n) << 8))
}

/// When everything happens.
pub fn at() -> engram_domain::Time {
    "2026-11-21T19:39:41.475360Z".parse().expect("a time")
}

/// A message of this number that was committed.
pub fn message(n: u8, role: Role, content: Content) -> StreamEvent {
    StreamEvent::Message(Arc::new(Message {
        id: MessageId(uuid(n)),
        conversation_id: ConversationId(uuid(0)),
        agent_id: AgentId(uuid(0)),
        seq: i64::from(n),
        step_id: Some(StepId(uuid(0))),
        run_id: Some(RunId(uuid(0))),
        created_at: at(),
        ..engram_testkit::message(role, content)
    }))
}

/// What the model said.
pub fn assistant(n: u8, thought: Option<&str>, text: Option<&str>, calls: &[(&str, &str)]) -> StreamEvent {
    let reasoning = thought.map(|t| Reasoning::Text { text: t.into(), native: false, signature: None });
    let calls = calls.iter().map(|(name, arguments)| engram_testkit::call("call_1", name, arguments));
    message(
        n,
        Role::Assistant,
        Content::Assistant {
            reasoning: reasoning.into_iter().collect(),
            text: text.map(str::to_owned),
            calls: calls.collect(),
        },
    )
}

/// What a tool returned.
pub fn returned(n: u8, name: &str) -> StreamEvent {
    message(n, Role::Tool, Content::ToolReturn(engram_testkit::returned("call_1", name, "None")))
}

/// The end.
pub fn ended(stop_reason: StopReason, error: Option<(&str, &str)>) -> StreamEvent {
    StreamEvent::Ended(Box::new(RunEnd {
        run_id: RunId(uuid(0)),
        status: if error.is_some() { RunStatus::Failed } else { RunStatus::Completed },
        stop_reason,
        usage: Usage { completion_tokens: 20, prompt_tokens: 100, ..Usage::default() },
        step_count: 1,
        context_tokens: 120,
        error: error.map(|(kind, message)| RunError::new(RunErrorKind::parse(kind), message)),
    }))
}

/// A piece of the message of this number.
pub fn delta(n: u8, delta: Delta) -> StreamEvent {
    StreamEvent::Delta { message_id: MessageId(uuid(n)), step_id: StepId(uuid(0)), at: at(), delta }
}

/// The pieces of a call.
pub fn call(n: u8, name: &str, pieces: &[&str]) -> Vec<StreamEvent> {
    let start = Delta::CallStart { index: 0, id: "call_1".into(), name: name.into() };
    let pieces = pieces.iter().map(|p| Delta::CallArgs { index: 0, piece: (*p).into() });
    std::iter::once(start).chain(pieces).map(|d| delta(n, d)).collect()
}
