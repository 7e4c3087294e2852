//! The HTTP edge: the REST API, its documentation, and nothing else.
//!
//! What it does: [`router`] shows the whole API; one endpoint is one file under `routes/<resource>/`
//! with a thin handler; `dto/<resource>.rs` holds the wire types and their conversion from and to
//! domain types; the other modules are what every endpoint uses.
//!
//! Invariants: no handler waits for a model, a tool or a lock held across I/O (it waits for a
//! *stream* of the engine); every error goes through [`error::ApiError`]; wire types are known
//! nowhere else.
//!
//! To add an endpoint: a file with its handler and `#[utoipa::path]`, a line in the resource's
//! `router()`; a new resource gets a line in [`router`]. What every operation fails with is added to the API document by
//! rules ([`openapi`]); accept the changed `docs/openapi.json`. When it stood in `routes::unbuilt`, take it
//! out there (a test says so).

pub mod auth;
pub mod caller;
pub mod docs;
pub mod drain;
pub mod dto;
pub mod error;
pub mod extract;
pub mod idempotency;
pub mod if_match;
pub mod no_retry;
pub mod observe;
pub mod openapi;
pub mod pagination;
pub mod path;
pub mod query;
pub mod router;
pub mod routes;
pub mod show;
pub mod sse;
pub mod state;
pub mod times;
pub mod turn;

pub use caller::Caller;
pub use error::ApiError;
pub use extract::{ApiJson, ApiQuery, OptionalJson, PathId};
pub use idempotency::IdempotencyKey;
pub use pagination::PageQuery;
pub use state::AppState;
