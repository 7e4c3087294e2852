//! What an operator looks at.

pub mod nodes;
pub mod tree;
