//! `POST /v1/conversations`

use std::sync::Arc;

use axum::Json;
use engram_core::{
    birth,
    ports::{Snapshots, store::AgentSnapshot},
};
use engram_domain::{Block, BlockId, ConversationId};
use engram_store::conversations::NewConversation;
use serde_json::json;

use super::{AgentQuery, show};
use crate::app::App;
use crate::http::{
    ApiError, ApiQuery, OptionalJson,
    dto::conversations::{ConversationDto, CreateConversation},
};

/// Begin a conversation with an agent, beside its own history.
#[utoipa::path(
    post, path = "/v1/conversations", tag = "conversations", params(AgentQuery), request_body = Option<CreateConversation>,
    responses((status = 200, body = ConversationDto), (status = 404, description = "No such agent, block label or model"))
)]
pub async fn create_conversation(
    app: App,
    ApiQuery(query): ApiQuery<AgentQuery>,
    OptionalJson(request): OptionalJson<CreateConversation>,
) -> Result<Json<ConversationDto>, ApiError> {
    let missing = || ApiError::invalid(&["query", "agent_id"], "Field required", json!(null));
    let agent_id = query.agent_id.ok_or_else(missing)?;
    let snapshot = app.store.load_snapshot(agent_id).await?;
    let mut snapshot = snapshot.ok_or_else(|| ApiError::not_found("Agent", agent_id))?;
    if let Some(handle) = &request.model {
        let known = app.providers.resolve_model(handle).await;
        known.map_err(|e| ApiError::new(axum::http::StatusCode::NOT_FOUND, e.to_string()))?;
    }
    let labels = request.isolated_block_labels.unwrap_or_default();
    let isolated_blocks = isolate(&app, &mut snapshot, &labels)?;
    let id = ConversationId(app.ids.uuid());
    let now = app.clock.now();
    // No boot sequence: whoever opens a second conversation speaks first.
    let (messages, prompt_meta) = birth::first_messages(&snapshot, id, Some(&[]), now, app.ids.as_ref());
    let new = NewConversation {
        id,
        agent_id,
        summary: request.summary,
        isolated_blocks,
        model: request.model,
        model_settings: request.model_settings,
        messages,
        prompt_meta: Some(prompt_meta),
        created_at: now,
    };
    let conversation = app.store.create_conversation(&new).await?;
    show(&app, conversation).await.map(Json)
}

/// Copies of the blocks with these labels; the snapshot has them in place of the originals.
fn isolate(app: &App, snapshot: &mut AgentSnapshot, labels: &[String]) -> Result<Vec<Block>, ApiError> {
    let mut copies = Vec::with_capacity(labels.len());
    for (index, label) in labels.iter().enumerate() {
        let Some(block) = snapshot.blocks.iter_mut().find(|b| b.label == *label) else {
            let loc = ["body", "isolated_block_labels", &index.to_string()];
            return Err(ApiError::invalid(&loc, "expected the label of a block of the agent", json!(label)));
        };
        let now = app.clock.now();
        let copy =
            Block { id: BlockId(app.ids.uuid()), created_at: now, updated_at: now, ..Block::clone(block.as_ref()) };
        *block = Arc::new(copy.clone());
        copies.push(copy);
    }
    Ok(copies)
}
