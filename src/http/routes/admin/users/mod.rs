//! `/v1/admin/users`

pub mod create;
pub mod delete;
pub mod list;
pub mod modify;
