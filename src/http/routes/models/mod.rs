//! Models that agents can have.

pub mod embedding;
pub mod list;
pub mod storage;
