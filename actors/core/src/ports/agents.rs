//! Speaking to other agents: what a tool may ask of the engine.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use engram_domain::{
    Agent, AgentId, Content, Json, Message, RequestKey, RunId, RunInput, RunType, Scope, Time, run::BusyPolicy,
    run::InputMessage,
};
use tokio_util::sync::CancellationToken;

use super::NewRun;
use crate::builtin;

/// Agents that may wait for each other in one line. Whoever is asked beyond that is told so.
pub const MAX_HOPS: usize = 8;
/// Runs that may wait in an agent's queue before other agents' messages are refused.
pub const MAX_QUEUE: i64 = 10_000;

/// A message from one agent to another.
#[derive(Debug, Clone)]
pub struct AgentMessage {
    /// Who sends it.
    pub from: Arc<Agent>,
    /// To whom.
    pub to: AgentId,
    /// What it says.
    pub text: String,
    /// The same whenever this very message is sent again, so that it arrives once.
    pub key: RequestKey,
    /// Agents that wait, each for the next, and the last of them for the answer to this.
    pub chain: Vec<AgentId>,
    /// How many messages from agent to agent have led to it, with itself.
    pub hops: u32,
    /// What the run that it becomes is begun by.
    pub run_type: RunType,
}

impl AgentMessage {
    /// The run that it becomes in the receiver's own conversation.
    pub fn into_run(self, id: RunId, now: Time) -> NewRun {
        let text = format!("{}\n{}", receipt(self.from.id, !self.chain.is_empty()), self.text);
        let message = InputMessage {
            name: Some(self.from.name.clone()),
            sender_id: Some(self.from.id.to_string()),
            ..InputMessage::user(text)
        };
        NewRun {
            id,
            agent_id: Some(self.to),
            owner: self.to.default_conversation().into(),
            parent: None,
            input: RunInput { messages: vec![message], chain: self.chain, hops: self.hops, ..RunInput::default() },
            background: false,
            run_type: self.run_type,
            metadata: Json::Object(engram_domain::JsonMap::new()),
            callback_url: None,
            keys: vec![self.key],
            // Whatever the receiver wants of people: another agent's words wait their turn.
            busy_policy: Some(BusyPolicy::Queue),
            max_queue: MAX_QUEUE,
            created_at: now,
            // The tool that makes the message sends none across organizations.
            scope: Scope::System,
        }
    }
}

/// What stands before an agent's message, so that the receiver knows who speaks and how to answer.
fn receipt(from: AgentId, waits: bool) -> String {
    if waits {
        format!(
            "[Incoming message from agent with ID '{from}' - it is waiting: what you say in this turn is sent back to it \
             as your reply]"
        )
    } else {
        format!(
            "[Incoming message from agent with ID '{from}' - to reply to this message, make sure to use the \
             'send_message_to_agent_async' tool with this ID, if you have it]"
        )
    }
}

/// What an agent said in a message: its words, and those it spoke through `send_message`.
pub fn said(message: &Message) -> Vec<String> {
    let Content::Assistant { text, calls, .. } = &message.content else { return Vec::new() };
    let spoken: Vec<String> = calls.iter().filter_map(|call| builtin::spoken(&call.name, &call.arguments)).collect();
    // Beside a call the words are thoughts.
    if calls.is_empty() { text.iter().filter(|t| !t.is_empty()).cloned().collect() } else { spoken }
}

/// Why there is no answer. In words for the agent that asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AskError {
    /// It would wait for itself.
    #[error(
        "{0} is waiting for the answer to this very turn, directly or through other agents, so it cannot answer now"
    )]
    Cycle(AgentId),
    /// Too many wait for each other.
    #[error("{MAX_HOPS} agents are waiting for each other already; no further agent is asked")]
    TooDeep,
    /// No such agent.
    #[error("there is no agent {0}")]
    NotFound(AgentId),
    /// It did not answer in time. It may still do what it was asked.
    #[error("{to} did not answer within {seconds} seconds; it may still be working on it")]
    Late {
        /// Who.
        to: AgentId,
        /// How long was waited.
        seconds: u64,
    },
    /// Its turn failed.
    #[error("the turn of {to} failed: {why}")]
    Failed {
        /// Who.
        to: AgentId,
        /// What went wrong.
        why: String,
    },
    /// The server could not bring the message to it.
    #[error("the message could not be delivered: {0}")]
    Undelivered(String),
    /// Nobody waits any more.
    #[error("the call was cancelled")]
    Cancelled,
}

/// Speaks to other agents.
#[async_trait]
pub trait Agents: Send + Sync + 'static {
    /// How long one call of a tool may wait for answers. It is less than the whole call may take, so that there is time
    /// to say who is late.
    fn patience(&self) -> Duration;

    /// Sends a message and waits for what the other agent says in its turn, no longer than `patience`.
    async fn ask(
        &self,
        message: AgentMessage,
        patience: Duration,
        cancel: CancellationToken,
    ) -> Result<Vec<String>, AskError>;
}

#[cfg(test)]
mod tests {
    use engram_domain::{Role, ToolCall};

    use super::*;

    fn message(text: Option<&str>, calls: Vec<ToolCall>) -> Message {
        let content = Content::Assistant { reasoning: vec![], text: text.map(str::to_owned), calls };
        engram_testkit::message(Role::Assistant, content)
    }

    fn call(name: &str, arguments: &str) -> ToolCall {
        engram_testkit::call("c", name, arguments)
    }

    #[test]
    fn an_agent_says_its_words_or_what_it_sends() {
        assert_eq!(said(&message(Some("hi"), vec![])), ["hi"]);
        let sends = call("send_message", r#"{"message":"hello"}"#);
        assert_eq!(said(&message(Some("I should greet"), vec![sends])), ["hello"]);
        assert!(said(&message(Some("let me look"), vec![call("conversation_search", "{}")])).is_empty());
        assert!(said(&message(None, vec![call("send_message", "not json")])).is_empty());
    }
}
