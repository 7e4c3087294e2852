//! The engine as one organization may use it: what another organization has does not exist for it.

use std::{sync::Arc, time::Duration};

use engram_core::ports::{NewRun, StoreError, ToolContext, ToolOutcome};
use engram_domain::{ConversationId, Group, JsonMap, Run, RunId, RunOwner, Scope, Tool};
use engram_engine::{Command, CommandError, CommandOutcome, Engine, NodeActivity, RunStream, SubmitError};
use engram_store::ScopedStore;

/// A handle on the engine that says for whom it acts. Cheap to clone.
#[derive(Clone)]
pub struct ScopedEngine {
    engine: Engine,
    store: ScopedStore,
}

impl ScopedEngine {
    /// The engine for the conversations of this store.
    pub fn new(engine: Engine, store: ScopedStore) -> Self {
        Self { engine, store }
    }

    /// See [`Engine::submit`]. The statement that stores the run checks whose agent or group it is.
    ///
    /// # Errors
    /// Those of [`Engine::submit`].
    pub async fn submit(&self, run: NewRun) -> Result<RunStream, SubmitError> {
        self.engine.submit(NewRun { scope: self.store.scope(), ..run }).await
    }

    /// See [`Engine::end_group_runs`]. Whoever has the group was shown it by the store of its organization.
    ///
    /// # Errors
    /// Those of [`Engine::end_group_runs`].
    pub async fn end_group_runs(&self, group: &Group) -> Result<(), StoreError> {
        self.engine.end_group_runs(group.id).await
    }

    /// See [`Engine::command`].
    ///
    /// # Errors
    /// Those of [`Engine::command`].
    pub async fn command(
        &self,
        conversation: ConversationId,
        command: Command,
    ) -> Result<CommandOutcome, CommandError> {
        if !self.sees(conversation).await? {
            return Err(CommandError::NotFound);
        }
        self.engine.command(conversation, command).await
    }

    /// See [`Engine::cancel`]. False for a run of somebody else.
    ///
    /// # Errors
    /// Those of [`Engine::cancel`].
    pub async fn cancel(&self, owner: RunOwner, run: RunId) -> Result<bool, StoreError> {
        // The run may be left of a conversation that was deleted.
        if self.store.run(run).await?.is_none_or(|run| run.owner != owner) {
            return Ok(false);
        }
        self.engine.cancel(owner, run).await
    }

    /// See [`Engine::follow`]. Whoever has the run was shown it by the store of its organization.
    pub fn follow(&self, run: &Run, after: i64) -> RunStream {
        self.engine.follow(run, after)
    }

    /// See [`Engine::activity_of_all`]: the actors of every organization, which the caller filters.
    ///
    /// # Errors
    /// Those of [`Engine::activity_of_all`].
    pub async fn activity_of_all(&self) -> Result<Vec<NodeActivity>, StoreError> {
        self.engine.activity_of_all().await
    }

    /// See [`Engine::run_tool`]. The context has the agent, which the store of its organization has shown.
    pub async fn run_tool(&self, context: ToolContext, tool: Arc<Tool>, args: JsonMap) -> ToolOutcome {
        self.engine.run_tool(context, tool, args).await
    }

    /// See [`Engine::live`].
    pub fn live(&self) -> usize {
        self.engine.live()
    }

    /// See [`Engine::is_draining`].
    pub fn is_draining(&self) -> bool {
        self.engine.is_draining()
    }

    /// See [`Engine::silent_for`].
    pub fn silent_for(&self) -> Duration {
        self.engine.silent_for()
    }

    async fn sees(&self, conversation: ConversationId) -> Result<bool, StoreError> {
        // The system sees all of them, also those that are gone, which the engine knows best.
        Ok(self.store.scope() == Scope::System || self.store.conversation(conversation).await?.is_some())
    }
}
