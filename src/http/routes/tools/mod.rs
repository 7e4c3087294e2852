//! Tools. Those that come with the server; custom ones are not built yet (`routes::unbuilt`).

pub mod add_base_tools;
pub mod count;
pub mod delete;
pub mod list;
pub mod modify;
pub mod query;
pub mod retrieve;
pub mod search;
