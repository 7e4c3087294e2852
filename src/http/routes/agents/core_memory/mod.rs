//! The memory blocks of an agent.

pub mod attach_block;
pub mod detach_block;
pub mod list_blocks;
pub mod memory;
pub mod modify_block;
pub mod retrieve_block;
