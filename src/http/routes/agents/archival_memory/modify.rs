//! `PATCH /v1/agents/{agent_id}/archival-memory/{memory_id}`

use axum::Json;
use engram_domain::{AgentId, PassageId};

use crate::app::{App, archives::passages};
use crate::http::{
    dto::{
        owned::OwnedBy,
        passages::{PassageDto, UpdatePassage},
    },
    error::ApiError,
    extract::{ApiJson, PathId},
};

/// Changes a passage of the agent's archives; a new text is embedded anew. Answers a list of one.
#[utoipa::path(patch, path = "/v1/agents/{agent_id}/archival-memory/{memory_id}", tag = "agents",
    params(("agent_id" = String, Path), ("memory_id" = String, Path)), request_body = UpdatePassage,
    responses((status = 200, body = Vec<PassageDto>)))]
pub async fn modify(
    app: App,
    PathId((id, passage_id)): PathId<(AgentId, PassageId)>,
    ApiJson(request): ApiJson<UpdatePassage>,
) -> Result<Json<Vec<PassageDto>>, ApiError> {
    let (archive, passage) = passages::change(&app, id, passage_id, request.into()).await?;
    Ok(Json(vec![PassageDto::new(passage, &archive, Some(id), OwnedBy::of(&app))]))
}
