//! `POST /v1/archives/{archive_id}/passages`

use axum::Json;
use engram_domain::ArchiveId;

use crate::app::{
    App,
    archives::{self, passages},
};
use crate::http::{
    dto::{
        owned::OwnedBy,
        passages::{CreatePassage, PassageDto},
    },
    error::ApiError,
    extract::{ApiJson, PathId},
};

/// Stores a passage in an archive, whole.
#[utoipa::path(post, path = "/v1/archives/{archive_id}/passages", tag = "archives",
    params(("archive_id" = String, Path)), request_body = CreatePassage, responses((status = 200, body = PassageDto)))]
pub async fn create_passage(
    app: App,
    PathId(id): PathId<ArchiveId>,
    ApiJson(request): ApiJson<CreatePassage>,
) -> Result<Json<PassageDto>, ApiError> {
    let archive = archives::find(&app, id).await?;
    let mut stored = passages::store(&app, &archive, vec![request.spec(vec!["body".to_owned()])?]).await?;
    let passage = stored.pop().ok_or_else(|| ApiError::internal("a stored passage was not returned"))?;
    Ok(Json(PassageDto::new(passage, &archive, None, OwnedBy::of(&app))))
}
