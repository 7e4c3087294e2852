//! The runner of the tools that come with the server, as far as the step function does not execute them itself.
//!
//! To add a tool: a file here with a function, its `mod` line and its line in [`TOOLS`]. A test compares the table with
//! the catalogue in `engram_core::builtin`.

mod archival_memory_insert;
mod archival_memory_search;
mod conversation_search;
mod message_limits;
mod multi_agent;
pub(crate) mod recall;
mod search_memory;
mod store_memories;
pub(crate) mod when;

use std::sync::{Arc, OnceLock};

use message_limits::MessageCounter;
pub use message_limits::MessageLimits;

use async_trait::async_trait;
use engram_core::{
    builtin::{BuiltinTool, RunBy},
    ports::{Agents, Clock, EmbedError, Embedder, Ids, StoreError, ToolContext, ToolOutcome, ToolRunner, ToolStore},
};
use engram_domain::{JsonMap, Tool};
use futures::{FutureExt, future::BoxFuture};
use tokio_util::sync::CancellationToken;

use crate::failed;

/// A tool as a function: the runner with its ports, the call's surroundings, its arguments, and what cancels it.
type Function = for<'a> fn(
    &'a BuiltinRunner,
    &'a ToolContext,
    &'a JsonMap,
    &'a CancellationToken,
) -> BoxFuture<'a, Result<ToolOutcome, Failure>>;

/// The tools of the catalogue that are run by this runner, by name.
pub(crate) const TOOLS: &[(&str, Function)] = &[
    ("archival_memory_insert", |t, context, args, _| archival_memory_insert::run(t, context, args).boxed()),
    ("archival_memory_search", |t, context, args, _| archival_memory_search::run(t, context, args).boxed()),
    ("conversation_search", |t, context, args, _| conversation_search::run(t, context, args).boxed()),
    ("search_memory", |t, context, args, _| search_memory::run(t, context, args).boxed()),
    ("store_memories", |t, context, args, _| store_memories::run(t, context, args).boxed()),
    ("send_message_to_agent_async", |t, context, args, _| multi_agent::send(t, context, args).boxed()),
    ("send_message_to_agent_and_wait_for_reply", |t, context, args, cancel| {
        multi_agent::ask(t, context, args, cancel).boxed()
    }),
    ("send_message_to_agents_matching_tags", |t, context, args, cancel| {
        multi_agent::broadcast(t, context, args, cancel).boxed()
    }),
    ("send_message_to_all_agents_in_group", |t, context, args, cancel| {
        multi_agent::to_group(t, context, args, cancel).boxed()
    }),
];

/// Runs built-in tools. Cheap to clone.
#[derive(Clone)]
pub struct BuiltinRunner {
    store: Arc<dyn ToolStore>,
    embedder: Arc<dyn Embedder>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    /// The engine, which needs the runners to start, and is told to them then.
    agents: Arc<OnceLock<Arc<dyn Agents>>>,
    /// What agents write to each other.
    messages: Arc<MessageCounter>,
}

/// Why a tool did not work, in words for the model.
#[derive(Debug)]
pub(crate) struct Failure(pub String);

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        // The model can use the reason only where its arguments are it; the operator needs the rest.
        match error {
            StoreError::Invalid(text) | StoreError::Overloaded(text) => Self(text),
            other => {
                tracing::warn!(error = %other, "a tool could not read the database");
                Self("the memory store cannot be read at the moment".into())
            }
        }
    }
}

impl From<EmbedError> for Failure {
    fn from(error: EmbedError) -> Self {
        Self(error.to_string())
    }
}

impl BuiltinRunner {
    /// A runner over these ports. It cannot reach other agents before [`BuiltinRunner::connect`].
    pub fn new(
        store: Arc<dyn ToolStore>,
        embedder: Arc<dyn Embedder>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        Self { store, embedder, clock, ids, agents: Arc::default(), messages: Arc::default() }
    }

    /// With other limits of what agents may write to each other.
    #[must_use]
    pub fn with_message_limits(self, limits: MessageLimits) -> Self {
        Self { messages: Arc::new(MessageCounter::new(limits)), ..self }
    }

    /// Tells the tools how to speak to other agents. Only the first time counts.
    pub fn connect(&self, agents: Arc<dyn Agents>) {
        let _ = self.agents.set(agents);
    }

    fn agents(&self) -> Result<Arc<dyn Agents>, Failure> {
        self.agents.get().cloned().ok_or_else(|| Failure("other agents cannot be reached at the moment".into()))
    }

    async fn call(
        &self,
        context: &ToolContext,
        tool: &Tool,
        args: &JsonMap,
        cancel: &CancellationToken,
    ) -> Result<ToolOutcome, Failure> {
        let entry = BuiltinTool::of(tool);
        let name = entry.map_or(tool.name.as_str(), |entry| entry.name);
        if let Some((_, function)) = TOOLS.iter().find(|(known, _)| *known == name) {
            return function(self, context, args, cancel).await;
        }
        Err(Failure(match entry.map(|entry| entry.run) {
            Some(RunBy::InStep(_)) => {
                format!("'{name}' edits memory blocks and can only be called by an agent in its turn")
            }
            _ => format!("'{name}' is not available on this server yet"),
        }))
    }
}

#[async_trait]
impl ToolRunner for BuiltinRunner {
    async fn run(
        &self,
        context: ToolContext,
        tool: Arc<Tool>,
        args: JsonMap,
        cancel: CancellationToken,
    ) -> ToolOutcome {
        let result = self.call(&context, &tool, &args, &cancel).await;
        result.unwrap_or_else(|failure| failed(&tool.name, &failure.0))
    }
}
