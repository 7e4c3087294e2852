//! `POST /v1/conversations/{conversation_id}/stream`

use axum::response::Response;
use engram_domain::RunId;
use serde_json::json;

use super::{AgentQuery, agent_of, find};
use crate::app::{App, conversations};
use crate::http::{ApiError, ApiQuery, Caller, OptionalJson, PathId, dto::runs::ResumeRequest, turn::resume};

/// Get the stream of a conversation's latest run again, or of the run that is named.
#[utoipa::path(
    post, path = "/v1/conversations/{conversation_id}/stream", tag = "conversations", extensions(("x-engram-scope" = json!("read"))),
    params(("conversation_id" = String, Path, description = "Id of the conversation"), AgentQuery),
    request_body = Option<ResumeRequest>,
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 404, description = "No such conversation or run"))
)]
pub async fn stream_conversation(
    app: App,
    PathId(id): PathId<String>,
    ApiQuery(query): ApiQuery<AgentQuery>,
    caller: Caller,
    OptionalJson(request): OptionalJson<ResumeRequest>,
) -> Result<Response, ApiError> {
    let agent = agent_of(request.agent_id.as_deref())?.or(query.agent_id);
    let conversation = find(&app, &id, agent).await?;
    let wrong = |e: engram_domain::BadId| ApiError::invalid(&["body", "run_id"], e.to_string(), json!(request.run_id));
    let named = request.run_id.as_deref().map(|text| text.parse::<RunId>().map_err(wrong)).transpose()?;
    let run = conversations::run(&app, conversation.id, named).await?;
    resume(&app, run, caller, &request).await
}
