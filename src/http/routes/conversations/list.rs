//! `GET /v1/conversations`

use axum::Json;
use engram_domain::AgentId;
use engram_store::conversations::{ConversationFilter, ConversationSort};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::show_all;
use crate::app::App;
use crate::http::{ApiError, ApiQuery, PageQuery, dto::conversations::ConversationDto};

/// Which conversations.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ConversationQuery {
    /// Of this agent.
    #[param(value_type = Option<String>)]
    pub agent_id: Option<AgentId>,
    /// With these words in the summary.
    pub summary_search: Option<String>,
}

/// List conversations, newest first. Default conversations of agents are left out.
#[utoipa::path(
    get, path = "/v1/conversations", tag = "conversations", params(ConversationQuery, PageQuery),
    responses((status = 200, body = Vec<ConversationDto>))
)]
pub async fn list_conversations(
    app: App,
    ApiQuery(query): ApiQuery<ConversationQuery>,
    ApiQuery(page): ApiQuery<PageQuery>,
) -> Result<Json<Vec<ConversationDto>>, ApiError> {
    let sort = match page.sort() {
        None | Some("created_at") => ConversationSort::CreatedAt,
        Some("last_run_completion") => ConversationSort::LastRunCompletion,
        Some("last_message_at") => ConversationSort::LastMessageAt,
        Some(other) => {
            let expected = "expected `created_at`, `last_run_completion` or `last_message_at`";
            return Err(ApiError::invalid(&["query", "order_by"], expected, json!(other)));
        }
    };
    let page = page.page(50, false)?;
    let filter = ConversationFilter { agent_id: query.agent_id, summary_search: query.summary_search };
    let found = app.store.conversations(&filter, sort, page).await?;
    show_all(&app, found).await.map(Json)
}
