//! `POST /v1/archives/`

use axum::Json;
use engram_domain::{Archive, ArchiveId};

use crate::app::App;
use crate::http::{
    dto::archives::{ArchiveDto, CreateArchive},
    error::ApiError,
    extract::ApiJson,
    routes::agents::creation::models::{self, EmbeddingWish},
};

/// Creates an archive. Its embedding model cannot be changed later.
#[utoipa::path(post, path = "/v1/archives", tag = "archives", request_body = CreateArchive,
    responses((status = 200, body = ArchiveDto)))]
pub async fn create(app: App, ApiJson(request): ApiJson<CreateArchive>) -> Result<Json<ArchiveDto>, ApiError> {
    let wish = EmbeddingWish {
        handle: request.embedding.as_deref(),
        config: request.embedding_config.as_ref(),
        chunk_size: None,
    };
    let embedding = models::embedding(&app, &wish, None).await?;
    let now = app.clock.now();
    let archive = Archive {
        id: ArchiveId(app.ids.uuid()),
        name: request.name,
        description: request.description,
        embedding,
        metadata: None,
        created_at: now,
        updated_at: now,
    };
    app.store.create_archive(&archive).await?;
    Ok(Json(archive.into()))
}
