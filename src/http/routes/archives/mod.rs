//! Archives: searchable stores of passages that agents share.
//!
//! To add an endpoint: its file, and a line in [`router`].

mod agents;
mod create;
mod create_passage;
mod create_passages;
mod delete;
mod delete_passage;
mod list;
mod modify;
mod retrieve;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::state::AppState;

/// All of them.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(retrieve::retrieve, modify::modify, delete::delete))
        .routes(routes!(agents::agents))
        .routes(routes!(create_passage::create_passage))
        .routes(routes!(create_passages::create_passages))
        .routes(routes!(delete_passage::delete_passage))
}
