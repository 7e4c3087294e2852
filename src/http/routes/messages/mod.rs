//! Endpoints that talk to an agent and read what was said.
//!
//! [`turn`] is what all of them that start a run have in common. Conversations use it, too.

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
pub mod turn;

use axum::{extract::Request, middleware::Next, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::state::AppState;

pub use cancel::cancel_runs;
pub use list::{MessageListQuery, conversation_page, message_page};
pub use modify::{MessageUpdate, edit};
pub use preview::preview_payload;
pub use summarize::{CompactionRequest, CompactionResponse, compact};

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

/// SDKs repeat a failed POST by themselves; a turn must not be run three times. An error that says that
/// nothing was run keeps its word.
pub async fn no_retry(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if response.status().is_client_error() || response.status().is_server_error() {
        let never = axum::http::HeaderValue::from_static("false");
        response.headers_mut().entry("x-should-retry").or_insert(never);
    }
    response
}
