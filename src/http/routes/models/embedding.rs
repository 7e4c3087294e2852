//! `GET /v1/models/embedding`, and `GET /v1/models/embeddings` as one client spells it.

use axum::Json;

use crate::app::App;
use crate::http::dto::models::EmbeddingModelDto;

/// Lists the embedding models of every provider that answers.
#[utoipa::path(get, path = "/v1/models/embedding", tag = "models",
    responses((status = 200, body = Vec<EmbeddingModelDto>)))]
pub async fn embedding(app: App) -> Json<Vec<EmbeddingModelDto>> {
    answer(&app).await
}

/// The same under the path of one client.
#[utoipa::path(get, path = "/v1/models/embeddings", tag = "models",
    responses((status = 200, body = Vec<EmbeddingModelDto>)))]
pub async fn embeddings(app: App) -> Json<Vec<EmbeddingModelDto>> {
    answer(&app).await
}

async fn answer(app: &App) -> Json<Vec<EmbeddingModelDto>> {
    Json(app.providers.embedding_models().await.iter().map(EmbeddingModelDto::from).collect())
}
