//! What is said in a group.
//!
//! Where members speak in turns, a message to the group is the engine's to lead
//! (`engram_engine::groups`); where a manager answers, it is a run of the manager. Either way everything that is
//! written for it carries the group's id, which is how the list finds it.

pub mod list;
pub mod modify;
pub mod reset;
pub mod send;
