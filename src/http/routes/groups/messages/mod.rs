//! What is said in a group.
//!
//! Where members speak in turns, a message to the group is the engine's to lead
//! (`engram_engine::groups`); where a manager answers, it is a run of the manager. Either way everything that is
//! written for it carries the group's id, which is how the list finds it.

mod list;
mod modify;
mod reset;
mod send;

use axum::middleware::from_fn;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::{no_retry::no_retry, state::AppState};

/// All of them.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list::list_messages, send::send_message))
        .routes(routes!(send::stream_message))
        .routes(routes!(modify::modify_message))
        .routes(routes!(reset::reset_messages))
        .layer(from_fn(no_retry))
}
