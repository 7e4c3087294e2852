//! What the engine needs from the world, as traits: whoever implements them is wired in `boot.rs`.

pub mod ambient;
pub mod embed;
pub mod llm;
pub mod store;
pub mod tools;

pub use ambient::{Clock, Ids};
pub use embed::{EmbedError, Embedder};
pub use llm::{ChatReply, ChatRequest, Delta, DeltaSink, Llm, LlmError, LlmErrorKind};
pub use store::{AgentSnapshot, Commit, CommitOutcome, EngineStore, Fence, Loaded, NewRun, StoreError};
pub use tools::{MessageQuery, PassageQuery, ToolContext, ToolEffect, ToolExecutor, ToolOutcome, ToolStore, Write};
