//! Models and embeddings: what answers when an agent thinks.
//!
//! What it does: [`Providers`] knows every configured endpoint that speaks OpenAI's protocol and the
//! two models that are always there, `engram/scripted` and `engram/embed`. It implements the ports
//! [`Llm`](engram_core::ports::Llm) and [`Embedder`](engram_core::ports::Embedder), lists models,
//! and turns a handle (`provider/model`) into a configuration.
//!
//! Invariants:
//! - The provider that a handle names decides where a request goes, at the time of the call. The
//!   endpoint that an agent was stored with is never trusted.
//! - A request waits for nothing without a limit: a place in the provider's queue is first come,
//!   first served; connecting, answering and every pause in a stream have time limits; bodies have a
//!   size limit. Cancelling drops the connection and returns at once, whatever the call waits for.
//! - Nothing is retried once a piece of an answer was passed on.
//! - No key appears in a message, a log line or a `Debug` output.
//! - The built-in models are functions of their input: no clock, no randomness, no network.
//!
//! To add a provider that speaks OpenAI's protocol: a variant of `endpoint::Vendor` with its name,
//! base URL and quirks, a field of [`ProviderSettings`], and a line in `endpoint::configured`. For one
//! that speaks another protocol: a module beside `openai` that turns a `ChatRequest` into the
//! provider's body and its answer into a `ChatReply` (the sending, retrying and time limits of
//! `http` serve every protocol), chosen in `router`.

mod catalog;
mod embed;
mod endpoint;
mod error;
mod http;
mod openai;
mod providers;
mod router;
mod scripted;
mod secret;
mod settings;

pub use embed::{EMBED_DIM, EMBED_HANDLE};
pub use error::{SetupError, UnknownHandle};
pub use providers::{CountTokens, ProviderInfo, Providers};
pub use scripted::{SCRIPTED_HANDLE, SCRIPTED_WINDOW};
pub use secret::Secret;
pub use settings::ProviderSettings;
