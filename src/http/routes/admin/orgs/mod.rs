//! `/v1/admin/orgs`

pub mod create;
pub mod delete;
pub mod list;
pub mod modify;
