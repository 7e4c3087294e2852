//! What is said in a group.
//!
//! Where members speak in turns, a message to the group is a run of the group (`engram_engine::groups`); where a manager
//! answers, it is a run of the manager. Either way everything that is written for it carries the group's id, which is
//! how the list finds it.

use engram_domain::{GroupId, Json, Message, MessageId, RunInput};
use engram_engine::{Command, CommandError, groups::speaks_in_turns};
use engram_store::Page;
use futures::{StreamExt, stream};

use super::find;
use crate::app::{App, Error, Result, runs::Target};

/// Agents that are asked to forget at the same time.
const AT_ONCE: usize = 8;

/// A page of what was said in a group, without failures if so wished.
pub async fn page(app: &App, id: GroupId, with_errors: bool, page: Page) -> Result<Vec<Message>> {
    let messages = app.store.group_messages(id, with_errors, page).await?;
    if messages.is_empty() {
        find(app, id).await?;
    }
    Ok(messages)
}

/// The message of a group, which must exist.
pub async fn message(app: &App, group: GroupId, id: MessageId) -> Result<Message> {
    let of_group = group.to_string();
    let message = app.store.message(id).await?.filter(|m| m.group_id.as_ref() == Some(&of_group));
    let Some(message) = message else {
        find(app, group).await?;
        return Err(Error::not_found("Message", id));
    };
    Ok(message)
}

/// Whose run a message to a group is.
pub async fn target(app: &App, id: GroupId, input: &RunInput) -> Result<Target> {
    let group = find(app, id).await?;
    if speaks_in_turns(&group) {
        check(input)?;
        return Ok(Target::Group(id));
    }
    let manager = group.manager.manager_agent_id();
    manager.map(Target::default_of).ok_or_else(|| Error::internal("a group has neither turns nor a manager"))
}

/// A group's run is asked messages, and nothing that is between one agent and its client.
fn check(input: &RunInput) -> Result<()> {
    let refuse = |member: &str, text: &str| Err(Error::invalid(&[member], text, Json::Null));
    if !input.decisions.is_empty() {
        return refuse("messages", "expected messages: tool calls are decided on at the agent that asked");
    }
    if input.messages.is_empty() {
        return refuse("messages", "expected at least one message");
    }
    if !input.client_tools.is_empty() {
        return refuse("client_tools", "expected none: agents that speak in turns have no client");
    }
    Ok(())
}

/// Forgets everything that was said in a group, in the memory of every agent that heard it. What else those agents said
/// and heard stays. What one of them fails with is answered when all others are done.
pub async fn reset(app: &App, id: GroupId) -> Result<()> {
    find(app, id).await?;
    let command = Command::Forget { group: id.to_string() };
    let conversations = app.store.conversations_of_group(id).await?;
    let forgotten = stream::iter(conversations)
        .map(|conversation| app.engine.command(conversation, command.clone()))
        .buffer_unordered(AT_ONCE);
    let failures: Vec<CommandError> = forgotten.filter_map(|done| std::future::ready(done.err())).collect().await;
    app.store.forget_group_runs(id).await?;
    // Who was deleted meanwhile has nothing to forget.
    match failures.into_iter().find(|error| !matches!(error, CommandError::NotFound)) {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}
