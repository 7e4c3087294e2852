//! `POST /v1/agents/`

use axum::Json;

use crate::app::{App, agents};
use crate::http::{
    caller::Caller,
    dto::agents::{AgentStateDto, CreateAgent},
    error::ApiError,
    extract::ApiJson,
    show::agent_state,
};

/// Creates an agent with its blocks, tools and first messages; all of it or nothing.
#[utoipa::path(post, path = "/v1/agents", tag = "agents", request_body = CreateAgent,
    responses((status = 200, body = AgentStateDto)))]
pub async fn create(
    app: App,
    caller: Caller,
    ApiJson(request): ApiJson<CreateAgent>,
) -> Result<Json<AgentStateDto>, ApiError> {
    let id = agents::create(&app, request.spec(caller)?).await?;
    agent_state(&app, id).await.map(Json)
}
