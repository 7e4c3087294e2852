//! Messages on the wire.
//!
//! What it does: [`letta`] holds the message objects that both SDK generations read, [`pieces`] makes
//! them of stored messages, [`request`] reads what callers send, [`response`] is the answer to it.
//!
//! Invariants: every object has `id`, `date` and all common members, `null` where there is nothing;
//! one stored message becomes several objects with the same `id` and consecutive `otid`s.

pub mod compaction;
pub mod letta;
pub mod pieces;
pub mod query;
pub mod request;
pub mod response;
pub mod update;

pub use compaction::{CompactionRequest, CompactionResponse};
pub use letta::{Body, LettaMessage, ToolCallDto, ToolCalls};
pub use pieces::{Options, Slot, letta_messages, pieces_of};
pub use query::MessageListQuery;
pub use request::{MessageCreate, MessageRequest};
pub use response::{LettaResponse, StopReasonDto, UsageDto, is_output};
pub use update::MessageUpdate;
