//! The engine's port. Each method is a line here and a statement in the file of its subject.

use async_trait::async_trait;
use engram_core::ports::{Commit, CommitOutcome, EngineStore, Fence, Loaded, NewRun, StoreError, store::AgentSnapshot};
use engram_domain::{AgentId, ConversationId, Message, NodeId, Run, RunId, StopReason, Time};

use crate::Store;

#[async_trait]
impl EngineStore for Store {
    async fn heartbeat(&self, node: NodeId, url: &str) -> Result<(), StoreError> {
        self.heartbeat_node(node, url).await
    }

    async fn retire(&self, node: NodeId) -> Result<(), StoreError> {
        self.retire_node(node).await
    }

    async fn insert_run(&self, run: &NewRun) -> Result<Option<i64>, StoreError> {
        self.store_run(run).await
    }

    async fn claim(&self, conversation: ConversationId, node: NodeId) -> Result<Option<Fence>, StoreError> {
        self.claim_conversation(conversation, node).await
    }

    async fn release(&self, fence: Fence) -> Result<(), StoreError> {
        self.release_conversation(fence).await
    }

    async fn load(&self, conversation: ConversationId) -> Result<Option<Loaded>, StoreError> {
        self.load_conversation(conversation).await
    }

    async fn load_snapshot(&self, agent: AgentId) -> Result<Option<AgentSnapshot>, StoreError> {
        self.agent_snapshot(agent).await
    }

    async fn run(&self, id: RunId) -> Result<Option<Run>, StoreError> {
        self.run_by_id(id).await
    }

    async fn messages_of(&self, run: RunId) -> Result<Vec<Message>, StoreError> {
        self.all_of_run(run).await
    }

    async fn open_runs(&self, conversation: ConversationId) -> Result<Vec<RunId>, StoreError> {
        self.open_runs_of(conversation).await
    }

    async fn stranded(&self, node: NodeId, limit: i64) -> Result<Vec<ConversationId>, StoreError> {
        self.stranded_conversations(node, limit).await
    }

    async fn commit(&self, fence: Fence, commit: &Commit) -> Result<CommitOutcome, StoreError> {
        self.commit_fenced(fence, commit).await
    }

    async fn end_run(
        &self,
        id: RunId,
        stop_reason: StopReason,
        error: Option<&str>,
        now: Time,
    ) -> Result<bool, StoreError> {
        self.end_open_run(id, stop_reason, error, now).await
    }
}
