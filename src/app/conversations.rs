//! Conversations of an agent beside its own history.

use std::sync::Arc;

use engram_core::{initial_messages, ports::AgentSnapshot};
use engram_domain::{AgentId, Block, BlockId, Conversation, ConversationId, Json, MessageId, RunId};
use engram_store::{
    Page,
    conversations::{ConversationPatch, NewConversation},
    runs::RunFilter,
};
use serde_json::json;

use crate::app::{App, Error, Result};

/// A conversation to be begun.
#[derive(Debug, Clone, Default)]
pub struct ConversationSpec {
    /// Free text that names it in lists.
    pub summary: Option<String>,
    /// Labels of blocks that it gets copies of, for itself.
    pub isolated_block_labels: Vec<String>,
    /// Model handle that overrides the agent's.
    pub model: Option<String>,
    /// Settings that override the agent's.
    pub model_settings: Option<Json>,
}

/// The conversation, which must exist.
pub async fn find(app: &App, id: ConversationId) -> Result<Conversation> {
    app.store.conversation(id).await?.ok_or_else(|| Error::not_found("Conversation", id))
}

/// Conversations with the ids of the messages in their contexts.
pub async fn with_context(app: &App, found: Vec<Conversation>) -> Result<Vec<(Conversation, Vec<MessageId>)>> {
    let ids: Vec<ConversationId> = found.iter().map(|c| c.id).collect();
    let mut context = app.store.context_message_ids(&ids).await?;
    let with = |conversation: Conversation| {
        let ids = context.remove(&conversation.id).unwrap_or_default();
        (conversation, ids)
    };
    Ok(found.into_iter().map(with).collect())
}

/// The run of a conversation that is named, or its latest.
pub async fn run(app: &App, conversation: ConversationId, named: Option<RunId>) -> Result<RunId> {
    if let Some(id) = named {
        let found = app.store.run(id).await?.filter(|run| run.owner == conversation.into());
        return found.map(|run| run.id).ok_or_else(|| Error::not_found("Run", id));
    }
    let filter = RunFilter { owner: Some(conversation.into()), ..RunFilter::default() };
    let latest = app.store.runs(&filter, Page::newest(1)).await?.pop();
    let nothing = || Error::Rejected(format!("Nothing has run in conversation {conversation} yet"));
    latest.map(|run| run.id).ok_or_else(nothing)
}

/// Goes on from here in a new conversation; this one stays as it is.
pub async fn fork(app: &App, from: ConversationId) -> Result<Conversation> {
    let new = ConversationId(app.ids.uuid());
    let forked = app.store.fork_conversation(from, new, app.clock.now(), app.ids.as_ref()).await?;
    forked.ok_or_else(|| Error::not_found("Conversation", from))
}

/// Deletes a conversation beside an agent's own history. Runs in it are cancelled.
pub async fn delete(app: &App, conversation: &Conversation) -> Result<()> {
    if conversation.is_default() {
        let text = "An agent's own history goes only with the agent; reset its messages instead";
        return Err(Error::Rejected(text.into()));
    }
    if !app.store.delete_conversation(conversation.id, app.clock.now()).await? {
        return Err(Error::not_found("Conversation", conversation.id));
    }
    Ok(())
}

/// Begins a conversation.
pub async fn create(app: &App, agent_id: AgentId, spec: ConversationSpec) -> Result<Conversation> {
    let snapshot = app.store.load_snapshot(agent_id).await?;
    let mut snapshot = snapshot.ok_or_else(|| Error::not_found("Agent", agent_id))?;
    if let Some(handle) = &spec.model {
        check_model(app, handle).await?;
    }
    let isolated_blocks = isolate(app, &mut snapshot, &spec.isolated_block_labels)?;
    let id = ConversationId(app.ids.uuid());
    let now = app.clock.now();
    // No boot sequence: whoever opens a second conversation speaks first.
    let (messages, prompt_meta) = initial_messages::compose(&snapshot, id, Some(&[]), now, app.ids.as_ref());
    let new = NewConversation {
        id,
        agent_id,
        summary: spec.summary,
        isolated_blocks,
        model: spec.model,
        model_settings: spec.model_settings,
        messages,
        prompt_meta: Some(prompt_meta),
        created_at: now,
    };
    Ok(app.store.create_conversation(&new).await?)
}

/// Changes a conversation.
pub async fn change(app: &App, id: ConversationId, patch: &ConversationPatch) -> Result<Conversation> {
    if let Some(Some(handle)) = &patch.model {
        check_model(app, handle).await?;
    }
    let changed = app.store.update_conversation(id, patch, app.clock.now()).await?;
    changed.ok_or_else(|| Error::not_found("Conversation", id))
}

async fn check_model(app: &App, handle: &str) -> Result<()> {
    app.providers.resolve_model(handle).await.map(drop).map_err(|error| Error::NoSuch(error.to_string()))
}

/// Copies of the blocks with these labels; the snapshot has them in place of the originals.
fn isolate(app: &App, snapshot: &mut AgentSnapshot, labels: &[String]) -> Result<Vec<Block>> {
    let mut copies = Vec::with_capacity(labels.len());
    for (index, label) in labels.iter().enumerate() {
        let Some(block) = snapshot.blocks.iter_mut().find(|b| b.label == *label) else {
            let path = ["isolated_block_labels", &index.to_string()];
            return Err(Error::invalid(&path, "expected the label of a block of the agent", json!(label)));
        };
        let now = app.clock.now();
        let copy =
            Block { id: BlockId(app.ids.uuid()), created_at: now, updated_at: now, ..Block::clone(block.as_ref()) };
        *block = Arc::new(copy.clone());
        copies.push(copy);
    }
    Ok(copies)
}
