//! `POST /v1/agents/`

use axum::Json;

use super::{creation, states::agent_state};
use crate::app::App;
use crate::http::{
    caller::Caller,
    dto::agents::{AgentStateDto, CreateAgent},
    error::ApiError,
    extract::ApiJson,
};

/// Creates an agent with its blocks, tools and first messages; all of it or nothing.
#[utoipa::path(post, path = "/v1/agents", tag = "agents", request_body = CreateAgent,
    responses((status = 200, body = AgentStateDto)))]
pub async fn create(
    app: App,
    caller: Caller,
    ApiJson(request): ApiJson<CreateAgent>,
) -> Result<Json<AgentStateDto>, ApiError> {
    let id = creation::create(&app, caller, request).await?;
    agent_state(&app, id).await.map(Json)
}
