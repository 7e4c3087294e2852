//! Groups of agents.
//!
//! `check` looks up what a request refers to. To add an endpoint: its file,
//! and a line in [`router`]; handlers of one path stand in one line.

mod blocks;
mod check;
mod count;
mod create;
mod delete;
mod list;
mod messages;
mod modify;
mod retrieve;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::state::AppState;

/// All of them.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(count::count))
        .routes(routes!(retrieve::retrieve, modify::modify, delete::delete))
        .routes(routes!(blocks::attach_block))
        .routes(routes!(blocks::detach_block))
        .merge(messages::router())
}
