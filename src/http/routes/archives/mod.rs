//! Archives: searchable stores of passages that agents share.

pub mod agents;
pub mod create;
pub mod create_passage;
pub mod create_passages;
pub mod delete;
pub mod delete_passage;
pub mod list;
pub mod modify;
pub mod retrieve;
