//! Models and embeddings: what answers when an agent thinks.
//!
//! What it does: [`Providers`] is a table of configured providers, which can change while the server runs, and the two
//! models that are always there, `engram/scripted` and `engram/embed`. It implements the ports
//! [`Llm`](engram_core::ports::Llm) and [`Embedder`](engram_core::ports::Embedder), lists models,
//! and turns a handle (`provider/model`) into a configuration.
//!
//! A provider is an `endpoint` (address, key, connections, limits) and a `protocol` (what is said there), with what was
//! learnt of its models. `provider` does what every protocol needs: retries, batches, time limits of embeddings. `registry`
//! is the table: a handle means what the table says at that moment, and a call that is running keeps the provider that it
//! began with. An organization may have providers of its own ([`Providers::of_organization`]), which come before the
//! server's.
//!
//! Invariants:
//! - The provider that a handle names decides where a request goes, at the time of the call. The
//!   endpoint that an agent was stored with is never trusted.
//! - No request for a connection, a list, an embedding or the next piece of a stream waits without a limit; how long a whole
//!   chat may take is up to its caller. Bodies have a size limit. Cancelling drops the connection and returns at once,
//!   whatever the call waits for.
//! - Nothing is retried once a piece of an answer was passed on.
//! - What a model refused (a member, a choice, an order of roles, a text, an image) is avoided in a request that follows at
//!   once, a bounded number of times, and in later ones if that helped. What is stored stays as it was said.
//! - No key appears in a message, a log line or a `Debug` output.
//! - The built-in models are functions of their input: no clock, no randomness, no network.
//!
//! To add a vendor whose servers speak OpenAI's protocol: a row in `vendors.rs` (name, environment variables, address,
//! quirks). Where it differs in a way that no other does: a member of [`Quirks`] (`openai/quirks.rs`), and what it changes
//! in `openai/request.rs`, `openai/models.rs` or `openai/embeddings.rs`, with a test in `tests/it`. What a server says itself by
//! refusing it needs no row: it is a rule in `openai/lessons.rs`, and is remembered for the model (`learnt.rs`).
//!
//! To add a protocol: a folder beside `openai` with a type that implements `protocol::Protocol` (headers, body of a chat
//! request, one attempt to chat, list of models, and where it has them its words for errors and its embeddings), a variant
//! of [`ProtocolSpec`] with the settings that a provider of this protocol has, and its line in `ProtocolSpec::build`.
//! `http` has what it needs to read bodies and to tell failures; providers of it are made where the environment is read
//! (`vendors.rs`).

mod catalog;
mod embed;
mod endpoint;
mod error;
mod http;
mod learnt;
mod openai;
mod protocol;
mod provider;
mod providers;
mod registry;
mod router;
mod scripted;
mod settings;
mod vendors;

pub use embed::{EMBED_DIM, EMBED_HANDLE};
pub use error::{SetupError, UnknownHandle};
pub use openai::{Listing, OpenAiEmbeddings, Quirks};
pub use protocol::ProtocolSpec;
pub use providers::{CountTokens, ProviderInfo, Providers};
pub use scripted::{SCRIPTED_HANDLE, SCRIPTED_WINDOW};
pub use settings::{ProviderSettings, ProviderSpec};
pub use vendors::from_environment;
