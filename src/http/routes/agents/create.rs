//! `POST /v1/agents/`

use axum::{Json, extract::State};

use super::{creation, states::agent_state};
use crate::http::{
    caller::Caller,
    dto::agents::{AgentStateDto, CreateAgent},
    error::ApiError,
    extract::ApiJson,
    state::AppState,
};

/// Creates an agent with its blocks, tools and first messages; all of it or nothing.
#[utoipa::path(post, path = "/v1/agents", tag = "agents", request_body = CreateAgent,
    responses((status = 200, body = AgentStateDto)))]
pub async fn create(
    State(state): State<AppState>,
    caller: Caller,
    ApiJson(request): ApiJson<CreateAgent>,
) -> Result<Json<AgentStateDto>, ApiError> {
    let id = creation::create(&state, caller, request).await?;
    agent_state(&state, id).await.map(Json)
}
