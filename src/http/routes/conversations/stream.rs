//! `POST /v1/conversations/{conversation_id}/stream`

use axum::response::Response;
use engram_domain::RunId;
use engram_store::{Page, runs::RunFilter};
use serde_json::json;

use super::{AgentQuery, agent_of, find};
use crate::app::App;
use crate::http::{ApiError, ApiQuery, Caller, OptionalJson, PathId, dto::runs::ResumeRequest, turn::resume};

/// Get the stream of a conversation's latest run again, or of the run that is named.
#[utoipa::path(
    post, path = "/v1/conversations/{conversation_id}/stream", tag = "conversations",
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
    let run = if let Some(text) = request.run_id.as_deref() {
        let wrong = |e: engram_domain::BadId| ApiError::invalid(&["body", "run_id"], e.to_string(), json!(text));
        let run: RunId = text.parse().map_err(wrong)?;
        let found = app.store.run(run).await?.filter(|r| r.owner == conversation.id.into());
        found.ok_or_else(|| ApiError::not_found("Run", run))?.id
    } else {
        let filter = RunFilter { owner: Some(conversation.id.into()), ..RunFilter::default() };
        let latest = app.store.runs(&filter, Page::newest(1)).await?.pop();
        latest.ok_or_else(|| ApiError::bad_request(format!("Nothing has run in conversation {id} yet")))?.id
    };
    resume(&app, run, caller, &request).await
}
