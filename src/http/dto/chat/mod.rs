//! Chat completions, as OpenAI's clients write and read them.
//!
//! [`request`] is what they send: the agent keeps its own history, so only what it has not heard is taken from
//! it. [`response`] is what they get, whole or in chunks; [`error`] the shape of a refusal.

pub mod error;
pub mod request;
pub mod response;

pub use error::ChatError;
pub use request::ChatRequest;
pub use response::{Chunk, Completion, Head};
