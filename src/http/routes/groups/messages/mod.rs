//! What is said in a group ([`crate::app::groups::messages`]).

pub mod list;
pub mod modify;
pub mod reset;
pub mod send;
