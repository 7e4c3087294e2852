//! OpenAI's chat completions and embeddings, as many servers speak them.
//!
//! [`request`] writes bodies in one pass from borrowed data; [`reply`] holds the types that answers are
//! read into, tolerant of what servers leave out or spell their own way; [`answer`] puts the pieces of
//! an answer together, streamed or not, with [`calls`] for the tool calls; [`stream`] reads events.
//!
//! To teach it a server's peculiarity: a method on `endpoint::Vendor`, or a test beside the piece that
//! has to bear it.

mod answer;
mod calls;
mod chat;
mod clean;
pub(crate) mod embeddings;
mod messages;
pub(crate) mod model;
mod reply;
mod request;
mod stream;
mod words;

pub(crate) use chat::chat;
