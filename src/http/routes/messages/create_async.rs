//! `POST /v1/agents/{agent_id}/messages/async`

use axum::Json;
use engram_domain::{AgentId, RunType};

use crate::app::{
    App,
    runs::{self, RunSpec, Target, new_run, submit},
};
use crate::http::{
    ApiError, ApiJson, IdempotencyKey, PathId,
    dto::{messages::MessageRequest, owned::OwnedBy, runs::RunDto},
};

/// Send a message and get its run at once; ask the run for the answer.
#[utoipa::path(
    post, path = "/v1/agents/{agent_id}/messages/async", tag = "agents.messages",
    params(("agent_id" = String, Path, description = "Id of the agent")),
    request_body = MessageRequest,
    responses((status = 200, body = RunDto), (status = 404, description = "No such agent"))
)]
pub async fn send_message_async(
    app: App,
    PathId(agent_id): PathId<AgentId>,
    key: IdempotencyKey,
    ApiJson(request): ApiJson<MessageRequest>,
) -> Result<Json<RunDto>, ApiError> {
    let spec = RunSpec { background: true, ..request.run(RunType::SendMessageAsync, key.0.as_deref())? };
    let run = new_run(&app, Target::default_of(agent_id), spec);
    let (id, answer) = (run.id, RunDto::created(&run, OwnedBy::of(&app)));
    // The run goes on without a listener.
    let accepted = submit(&app, run).await?.run_id();
    if accepted == id {
        return Ok(Json(answer));
    }
    // The request came before: its run may be anywhere by now, also deleted.
    Ok(Json(RunDto::new(&runs::find(&app, accepted).await?, OwnedBy::of(&app))))
}
