//! What was said: reading, changing, compacting and forgetting it, and cancelling what is about to be said.

mod cancel;
mod preview;

use std::sync::Arc;

use engram_domain::{AgentId, CompactionSettings, Content, ConversationId, Message, MessageId};
use engram_engine::{Command, CommandError, CommandOutcome};
use engram_store::{Page, messages::MessageFilter};

pub use self::{
    cancel::{cancel_conversation, cancel_runs},
    preview::preview,
};
use crate::app::{
    App, Error, Result, agents,
    order::{by_time, in_order},
};

/// The message, which must exist.
pub async fn find(app: &App, id: MessageId) -> Result<Message> {
    app.store.message(id).await?.ok_or_else(|| Error::not_found("Message", id))
}

/// The message of an agent, which must exist.
pub async fn find_of_agent(app: &App, agent: AgentId, id: MessageId) -> Result<Message> {
    let message = app.store.message(id).await?.filter(|m| m.agent_id == agent);
    message.ok_or_else(|| Error::not_found("Message", id))
}

/// A page of a conversation of an agent, which must exist; oldest first.
pub async fn page(
    app: &App,
    agent: AgentId,
    conversation: ConversationId,
    filter: &MessageFilter,
    page: Page,
) -> Result<Vec<Message>> {
    let messages = app.store.messages(conversation, filter, page).await?;
    if messages.is_empty() {
        agents::require(app, agent).await?;
    }
    Ok(messages)
}

/// A page of a conversation in the order that was asked for, with cursors that follow that order (the store's go by
/// time).
pub async fn page_in_order(
    app: &App,
    conversation: ConversationId,
    filter: &MessageFilter,
    page: Page,
) -> Result<Vec<Message>> {
    Ok(in_order(app.store.messages(conversation, filter, by_time(page)).await?, page))
}

/// Changes what a message says.
pub async fn edit(app: &App, message: &Message, content: Content) -> Result<Arc<Message>> {
    let command = Command::EditMessage { id: message.id, content };
    match app.engine.command(message.conversation_id, command).await? {
        CommandOutcome::Message(message) => Ok(message),
        _ => Err(Error::internal("an edit did not answer with its message")),
    }
}

/// What a compaction did.
#[derive(Debug, Clone)]
pub struct Compacted {
    /// What stands for the messages that left, if any had to.
    pub summary: Option<String>,
    /// Messages in context before.
    pub before: usize,
    /// Messages in context after.
    pub after: usize,
}

/// Puts a summary in the place of older messages of a conversation.
pub async fn compact(
    app: &App,
    conversation: ConversationId,
    settings: Option<CompactionSettings>,
    keep_last: Option<usize>,
) -> Result<Compacted> {
    match app.engine.command(conversation, Command::Compact { settings, keep_last }).await? {
        CommandOutcome::Compacted { summary, before, after } => Ok(Compacted { summary, before, after }),
        _ => Err(CommandError::Invalid("the conversation could not be compacted".into()).into()),
    }
}

/// As [`compact`], of an agent's own history.
pub async fn compact_agent(
    app: &App,
    agent: AgentId,
    settings: Option<CompactionSettings>,
    keep_last: Option<usize>,
) -> Result<Compacted> {
    compact(app, agent.default_conversation(), settings, keep_last).await.map_err(|error| of_agent(error, agent))
}

/// Forgets everything that was said in an agent's own history. With `add_default_initial_messages` the agent begins
/// with the first messages of its type, else with the system prompt only.
pub async fn reset(app: &App, agent: AgentId, add_default_initial_messages: bool) -> Result<()> {
    let command = Command::Reset { add_default_initial_messages };
    app.engine.command(agent.default_conversation(), command).await.map_err(|error| of_agent(error.into(), agent))?;
    Ok(())
}

/// Compiles the system prompt of a conversation again; with `dry_run` only says what it would be.
pub async fn recompile(app: &App, conversation: ConversationId, dry_run: bool) -> Result<String> {
    match app.engine.command(conversation, Command::Recompile { dry_run }).await? {
        CommandOutcome::Prompt(prompt) => Ok(prompt),
        other => Err(Error::internal(format!("a recompilation answered {other:?}"))),
    }
}

/// Names the agent where the engine only knows a conversation.
fn of_agent(error: Error, agent: AgentId) -> Error {
    match error {
        Error::Command(CommandError::NotFound) => Error::not_found("Agent", agent),
        other => other,
    }
}
