//! Conversations of an agent beside its own history.

use std::sync::Arc;

use engram_core::{birth, ports::AgentSnapshot};
use engram_domain::{AgentId, Block, BlockId, Conversation, ConversationId, Json};
use engram_store::conversations::{ConversationPatch, NewConversation};
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
    let (messages, prompt_meta) = birth::first_messages(&snapshot, id, Some(&[]), now, app.ids.as_ref());
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

/// Changes a conversation. None when there is no such conversation.
pub async fn change(app: &App, id: ConversationId, patch: &ConversationPatch) -> Result<Option<Conversation>> {
    if let Some(Some(handle)) = &patch.model {
        check_model(app, handle).await?;
    }
    Ok(app.store.update_conversation(id, patch, app.clock.now()).await?)
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
