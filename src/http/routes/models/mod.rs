//! Models that agents can have.
//!
//! To add an endpoint: its file, and a line in [`router`].

mod embedding;
mod list;
mod storage;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::state::AppState;

/// All of them.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(embedding::embedding))
        .routes(routes!(embedding::embeddings))
        .routes(routes!(storage::total_storage_size))
}
