//! The dispatch: which function runs a call, and what becomes of its failure.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use engram_core::{
    builtin,
    ports::{
        Agents, Clock, EmbedError, Embedder, Ids, StoreError, ToolContext, ToolEffect, ToolExecutor, ToolOutcome,
        ToolStore,
    },
};
use engram_domain::{JsonMap, Tool, ToolKind};
use tokio_util::sync::CancellationToken;

use crate::{
    archival_memory_insert, archival_memory_search, conversation_search, effect, multi_agent, search_memory,
    send_message, store_memories,
};

/// Characters of an error that the model is shown.
const ERROR_CHARS: usize = 500;

/// Runs tools. Cheap to clone.
#[derive(Clone)]
pub struct Executors {
    pub(crate) store: Arc<dyn ToolStore>,
    pub(crate) embedder: Arc<dyn Embedder>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    /// The engine, which needs the executors to start, and is told to them then.
    agents: Arc<OnceLock<Arc<dyn Agents>>>,
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
            StoreError::Invalid(text) => Self(text),
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

impl Executors {
    /// Executors that know no other agents yet; see [`Executors::connect`].
    pub fn new(
        store: Arc<dyn ToolStore>,
        embedder: Arc<dyn Embedder>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        Self { store, embedder, clock, ids, agents: Arc::default() }
    }

    /// Tells the tools how to speak to other agents. Only the first time counts.
    pub fn connect(&self, agents: Arc<dyn Agents>) {
        let _ = self.agents.set(agents);
    }

    pub(crate) fn agents(&self) -> Result<Arc<dyn Agents>, Failure> {
        self.agents.get().cloned().ok_or_else(|| Failure("other agents cannot be reached at the moment".into()))
    }

    async fn call(
        &self,
        context: &ToolContext,
        tool: &Tool,
        mut args: JsonMap,
        cancel: &CancellationToken,
    ) -> Result<ToolOutcome, Failure> {
        let name = tool.name.as_str();
        match tool.kind {
            ToolKind::Custom => {
                return Err(Failure(format!(
                    "'{name}' is a custom tool; this server does not execute custom tools yet"
                )));
            }
            ToolKind::Mcp | ToolKind::Composio | ToolKind::Langchain => {
                return Err(Failure(format!(
                    "'{name}' is a tool of another service, which this server does not call yet"
                )));
            }
            _ => {}
        }
        if !builtin::is_available(name) {
            return Err(Failure(format!("'{name}' is not available on this server yet")));
        }
        builtin::prepare(name, &mut args)?;
        match name {
            "send_message" => Ok(send_message::run()),
            "archival_memory_insert" => archival_memory_insert::run(self, context, &args).await,
            "archival_memory_search" => archival_memory_search::run(self, context, &args).await,
            "conversation_search" => conversation_search::run(self, context, &args).await,
            "search_memory" => search_memory::run(self, context, &args).await,
            "store_memories" => store_memories::run(self, context, &args).await,
            "send_message_to_agent_async" => multi_agent::send(self, context, &args).await,
            "send_message_to_agent_and_wait_for_reply" => multi_agent::ask(self, context, &args, cancel).await,
            "send_message_to_agents_matching_tags" | "send_message_to_agents_matching_all_tags" => {
                multi_agent::broadcast(self, context, &args, cancel).await
            }
            "send_message_to_all_agents_in_group" => multi_agent::to_group(self, context, &args, cancel).await,
            // Whoever runs a step does these inside the commit.
            _ => Err(Failure(format!("'{name}' edits memory blocks and can only be called by an agent in its turn"))),
        }
    }
}

#[async_trait]
impl ToolExecutor for Executors {
    fn effect(&self, tool: &Tool) -> ToolEffect {
        effect(tool)
    }

    async fn run(
        &self,
        context: ToolContext,
        tool: Arc<Tool>,
        args: JsonMap,
        cancel: CancellationToken,
    ) -> ToolOutcome {
        let result = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Failure("the call was cancelled".into())),
            done = self.call(&context, &tool, args, &cancel) => done,
        };
        result.unwrap_or_else(|failure| failed(&tool.name, &failure.0))
    }
}

/// The outcome of a failed call, in the shape that the old servers gave it.
fn failed(name: &str, text: &str) -> ToolOutcome {
    let text: String = text.chars().take(ERROR_CHARS).collect();
    ToolOutcome {
        stderr: vec![format!("Error executing function {name}: ValueError: {text}")],
        ..ToolOutcome::error(text)
    }
}
