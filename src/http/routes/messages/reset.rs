//! `PATCH /v1/agents/{agent_id}/reset-messages`

use axum::Json;
use engram_domain::AgentId;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::{App, messages};
use crate::http::{ApiError, ApiQuery, OptionalJson, PathId, dto::agents::AgentStateDto, show::agent_state};

/// Whether to begin as a new agent would. Read from the query (old clients) and from the body (1.x).
#[derive(Debug, Clone, Default, Deserialize, ToSchema, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ResetRequest {
    /// Begin with the boot sequence of the agent's type instead of with the system prompt only.
    pub add_default_initial_messages: Option<bool>,
}

/// Deletes all messages of an agent but the system message.
#[utoipa::path(
    patch, path = "/v1/agents/{agent_id}/reset-messages", tag = "agents.messages",
    params(("agent_id" = String, Path, description = "Id of the agent"), ResetRequest),
    request_body = Option<ResetRequest>,
    responses((status = 200, body = AgentStateDto), (status = 404, description = "No such agent"))
)]
pub async fn reset_messages(
    app: App,
    PathId(agent_id): PathId<AgentId>,
    ApiQuery(query): ApiQuery<ResetRequest>,
    OptionalJson(body): OptionalJson<ResetRequest>,
) -> Result<Json<AgentStateDto>, ApiError> {
    let wanted = body.add_default_initial_messages.or(query.add_default_initial_messages).unwrap_or_default();
    messages::reset(&app, agent_id, wanted).await?;
    Ok(Json(agent_state(&app, agent_id).await?))
}
