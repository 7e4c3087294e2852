//! What the engine needs from the world, as traits: whoever implements them is wired in `boot.rs`.

pub mod agents;
pub mod ambient;
pub mod embed;
pub mod llm;
pub mod store;
pub mod tools;

pub use agents::{AgentMessage, Agents, AskError};
pub use ambient::{Clock, Ids};
pub use embed::{EmbedError, Embedder};
pub use llm::{ChatReply, ChatRequest, Delta, DeltaSink, Llm, LlmError, LlmErrorKind};
pub use store::{
    AcceptRuns, Accepted, AgentSnapshot, Commit, CommitOutcome, Commits, EngineStore, EphemeralAgents, Fence,
    GroupRuns, Leases, Loaded, LoggedEvent, NewRun, NodeInfo, NodeStatus, Nodes, Notifications, Owner, Peer, RunLog,
    Runs, Schedules, SleepTime, Snapshots, StoreError, VoiceSleepTime, Wakeup, Wakeups,
};
pub use tools::{BlockEdit, MessageQuery, PassageQuery, ToolContext, ToolOutcome, ToolRunner, ToolStore, Write};
