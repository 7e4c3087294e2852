//! Passages of any archive.

pub mod search;
