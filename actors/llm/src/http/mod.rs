//! What every protocol over HTTP needs: retries, size limits, and errors in plain words.
//!
//! Invariants: an attempt says itself whether it may be made again ([`Failure::retry`]). Cancelling is dropping the
//! future: that closes the connection.

pub(crate) mod body;
mod decode;
pub(crate) mod events;
pub(crate) mod failure;
pub(crate) mod refusal;
mod retry;

pub(crate) use decode::Decoder;
pub(crate) use failure::Failure;
pub(crate) use retry::with_retries;
