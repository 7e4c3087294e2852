//! Endpoints that talk to an agent and read what was said.

mod all;
mod cancel;
mod create;
mod create_async;
mod list;
mod modify;
mod preview;
mod reset;
mod search;
mod stream;
mod summarize;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::{no_retry::no_retry, state::AppState};

/// All of them.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list::list_messages, create::send_message))
        .routes(routes!(stream::stream_message))
        .routes(routes!(create_async::send_message_async))
        .routes(routes!(cancel::cancel_agent_runs))
        .routes(routes!(preview::preview_agent_payload))
        .routes(routes!(modify::modify_message))
        .routes(routes!(reset::reset_messages))
        .routes(routes!(summarize::summarize_agent))
        .routes(routes!(search::search_agent_messages))
        .routes(routes!(search::search_all_messages))
        .routes(routes!(all::list_all_messages))
        .routes(routes!(all::retrieve_message))
        .layer(axum::middleware::from_fn(no_retry))
}
