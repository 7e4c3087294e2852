//! Agents behind OpenAI's API of chat completions, for voice pipelines and whatever else speaks it.
//!
//! Invariants: every agent can be spoken to, whatever its type; it is told only what it has not heard
//! ([`crate::http::dto::chat::request`]); the first words leave with the first piece of the model's answer; every refusal
//! has OpenAI's shape next to ours.

mod agent;
mod complete;
mod model;
mod voice;

use axum::routing::post;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::{no_retry::no_retry, state::AppState};

/// All of them.
///
/// What comes after them in the list is not in the API document: LiveKit's `openai.LLM.with_letta` appends
/// `/chat/completions` to whatever base it is given, and its own default and the documentation's sample are not `/v1`.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(model::complete_chat))
        .routes(routes!(agent::complete_agent_chat))
        .routes(routes!(voice::complete_voice_chat))
        .route("/chat/completions", post(model::complete_chat))
        .route("/v1/chat/completions/chat/completions", post(model::complete_chat))
        .route("/{agent_id}/chat/completions", post(voice::complete_voice_chat))
        .layer(axum::middleware::from_fn(no_retry))
}
