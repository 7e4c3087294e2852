//! Memory blocks as things of their own.
//!
//! To add an endpoint: its file, and a line in [`router`]; handlers of one path stand in one line.

mod agents;
mod count;
mod create;
mod delete;
mod list;
mod modify;
mod query;
mod retrieve;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::state::AppState;

/// All of them.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(count::count))
        .routes(routes!(retrieve::retrieve, modify::modify, delete::delete))
        .routes(routes!(agents::agents))
}
