//! What an administrator looks after.
//!
//! Invariants: the operator (the password, or a key of the default organization with the scope `admin`) sees all
//! organizations; a key of another organization with the scope `admin` sees its own users, keys and agents. Other keys
//! do not come here ([`crate::http::auth`]).

pub mod keys;
pub mod nodes;
pub mod orgs;
pub mod tree;
pub mod users;

use axum::http::StatusCode;

use crate::{app::App, http::ApiError};

/// Refuses whoever does not run the server.
fn operator(app: &App) -> Result<(), ApiError> {
    if app.operator {
        return Ok(());
    }
    Err(ApiError::new(StatusCode::FORBIDDEN, "only the operator of this server may do this"))
}
