//! What the engine needs from the world, as traits: whoever implements them is wired in `boot.rs`.

pub mod agents;
pub mod ambient;
pub mod company;
pub mod embed;
pub mod llm;
pub mod node;
pub mod store;
pub mod tools;

pub use agents::{AgentMessage, Agents, AskError};
pub use ambient::{Clock, Ids};
pub use company::{CompanyStore, GroupRun, GroupScene};
pub use embed::{EmbedError, Embedder};
pub use llm::{ChatReply, ChatRequest, Delta, DeltaSink, Llm, LlmError, LlmErrorKind};
pub use node::{NodeCard, Owner, Peer, Vitals, Wakeup, Wakeups};
pub use store::{
    Accepted, AgentSnapshot, Commit, CommitOutcome, EngineStore, Fence, Loaded, LoggedEvent, NewRun, StoreError,
};
pub use tools::{MessageQuery, PassageQuery, ToolContext, ToolEffect, ToolExecutor, ToolOutcome, ToolStore, Write};
