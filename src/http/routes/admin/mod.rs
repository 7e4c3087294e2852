//! What an operator looks at.

mod nodes;
mod tree;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::state::AppState;

/// All of them.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(nodes::list_nodes)).routes(routes!(tree::tree))
}
