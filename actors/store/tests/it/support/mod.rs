//! A database for each test, and small builders of what goes into it.

mod database;
mod fixtures;

pub use database::{Db, settings, test_db};
pub use fixtures::*;
