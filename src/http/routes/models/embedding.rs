//! `GET /v1/models/embedding`, and `GET /v1/models/embeddings` as one client spells it.

use axum::{Json, extract::State};

use crate::http::{dto::models::EmbeddingModelDto, state::AppState};

/// Lists the embedding models of every provider that answers.
#[utoipa::path(get, path = "/v1/models/embedding", tag = "models",
    responses((status = 200, body = Vec<EmbeddingModelDto>)))]
pub async fn embedding(State(state): State<AppState>) -> Json<Vec<EmbeddingModelDto>> {
    answer(&state).await
}

/// The same under the path of one client.
#[utoipa::path(get, path = "/v1/models/embeddings", tag = "models",
    responses((status = 200, body = Vec<EmbeddingModelDto>)))]
pub async fn embeddings(State(state): State<AppState>) -> Json<Vec<EmbeddingModelDto>> {
    answer(&state).await
}

async fn answer(state: &AppState) -> Json<Vec<EmbeddingModelDto>> {
    Json(state.providers.embedding_models().await.iter().map(EmbeddingModelDto::from).collect())
}
