//! Passages of any archive.

mod search;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::state::AppState;

/// All of them.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(search::search))
}
