//! `/v1/admin/keys`

pub mod create;
pub mod delete;
pub mod list;
