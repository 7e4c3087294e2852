//! `PATCH /v1/agents/{agent_id}/messages/{message_id}`

use axum::Json;
use engram_domain::{AgentId, MessageId};

use crate::app::{App, messages};
use crate::http::{
    ApiError, ApiJson, PathId,
    dto::messages::{LettaMessage, MessageUpdate},
};

/// Changes the content of a message.
#[utoipa::path(
    patch, path = "/v1/agents/{agent_id}/messages/{message_id}", tag = "agents.messages",
    params(("agent_id" = String, Path, description = "Id of the agent"), ("message_id" = String, Path, description = "Id of the message")),
    request_body = MessageUpdate,
    responses((status = 200, body = LettaMessage), (status = 404, description = "No such message"))
)]
pub async fn modify_message(
    app: App,
    PathId((agent_id, id)): PathId<(AgentId, MessageId)>,
    ApiJson(update): ApiJson<MessageUpdate>,
) -> Result<Json<LettaMessage>, ApiError> {
    let message = messages::find_of_agent(&app, agent_id, id).await?;
    let edited = messages::edit(&app, &message, update.content(&message)?).await?;
    update.shown(&edited).map(Json)
}
