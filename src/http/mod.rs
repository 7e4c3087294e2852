//! The HTTP edge: the REST API, its documentation, and nothing else.
//!
//! What it does: [`router`] shows the whole API; one endpoint is one file under `routes/<resource>/`: it converts the
//! request, calls [`crate::app`] and shows what that answers; `dto/<resource>.rs` holds the wire types and their
//! conversion from and to the types of the application; [`turn`], [`show`], [`pagination`], [`times`] and the others
//! are what endpoints of several resources use; [`service`] is what is done to every request.
//!
//! Invariants: no handler waits for a model, a tool or a lock held across I/O (it waits for a
//! *stream* of the engine); every error goes through [`error::ApiError`]; wire types are known
//! nowhere else; resources know nothing of each other (a test says so).
//!
//! To add an endpoint: a file with its handler and `#[utoipa::path]` under `routes/<resource>/`, its `pub mod` in the
//! resource's `mod.rs`, a line in [`router`]. What every operation fails with is added to the API document by
//! rules ([`openapi`]); accept the changed `docs/openapi.json`. When it stood in `routes::unbuilt`, take it
//! out there (a test says so). A `POST` that only reads says so with `x-engram-scope`, what only the operator may see
//! takes an [`Operator`] ([`key_scopes`], [`auth`]). What it does for its caller is a function in [`crate::app`], unless one call
//! of the store does it.

pub mod auth;
pub mod caller;
pub mod docs;
pub mod drain;
pub mod dto;
pub mod error;
pub mod extract;
pub mod idempotency;
pub mod if_match;
pub mod key_scopes;
pub mod no_retry;
pub mod observe;
pub mod openapi;
pub mod origin;
pub mod pagination;
pub mod path;
#[cfg(test)]
mod properties;
pub mod query;
pub mod read_again;
pub mod router;
pub mod routes;
pub mod service;
pub mod show;
pub mod slow_body;
pub mod sse;
pub mod state;
pub mod times;
pub mod turn;

pub use auth::Operator;
pub use caller::Caller;
pub use error::ApiError;
pub use extract::{ApiJson, ApiQuery, OptionalJson, PathId};
pub use idempotency::IdempotencyKey;
pub use pagination::PageQuery;
