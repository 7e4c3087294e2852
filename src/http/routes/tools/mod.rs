//! Tools. Those that come with the server; custom ones are not built yet (`routes::unbuilt`).
//!
//! To add an endpoint: its file, and a line in [`router`]; handlers of one path stand in one line.

mod add_base_tools;
mod count;
mod delete;
mod list;
mod modify;
mod query;
mod retrieve;
mod search;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::state::AppState;

/// All of them.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(count::count))
        .routes(routes!(add_base_tools::add_base_tools))
        .routes(routes!(search::search))
        .routes(routes!(retrieve::retrieve, modify::modify, delete::delete))
}
