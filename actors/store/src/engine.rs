//! The engine's port. Each method is a line here and a statement in the file of its subject.

use async_trait::async_trait;
use engram_core::ports::{
    Accepted, Commit, CommitOutcome, EngineStore, Fence, Loaded, LoggedEvent, NewRun, NodeCard, Owner, Peer,
    StoreError, Vitals, Wakeups, store::AgentSnapshot,
};
use engram_domain::{AgentId, ConversationId, Message, NodeId, Run, RunId, StopReason, Time};

use crate::Store;

#[async_trait]
impl EngineStore for Store {
    async fn heartbeat(&self, card: &NodeCard, vitals: Vitals) -> Result<(), StoreError> {
        self.heartbeat_node(card, vitals).await
    }

    async fn other_nodes(&self, node: NodeId) -> Result<Vec<Peer>, StoreError> {
        self.peers_of(node).await
    }

    async fn retire(&self, node: NodeId) -> Result<(), StoreError> {
        self.retire_node(node).await
    }

    async fn insert_run(&self, run: &NewRun, node: NodeId) -> Result<Accepted, StoreError> {
        self.accept_run(run, node).await
    }

    async fn owner(&self, conversation: ConversationId, node: NodeId) -> Result<Owner, StoreError> {
        self.owner_of(conversation, node).await
    }

    async fn wakeups(&self, node: NodeId) -> Result<Option<Wakeups>, StoreError> {
        self.listen(node).await
    }

    async fn poke(&self, node: Option<NodeId>, conversation: ConversationId) -> Result<(), StoreError> {
        self.notify(node, conversation).await
    }

    async fn claim(&self, conversation: ConversationId, node: NodeId) -> Result<Option<Fence>, StoreError> {
        self.claim_conversation(conversation, node).await
    }

    async fn holds(&self, fence: Fence) -> Result<bool, StoreError> {
        self.holds_conversation(fence).await
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

    async fn waiting(&self, node: NodeId, limit: i64) -> Result<Vec<(ConversationId, RunId)>, StoreError> {
        self.waiting_runs(node, limit).await
    }

    async fn append_events(&self, fence: Fence, run: RunId, events: &[LoggedEvent]) -> Result<bool, StoreError> {
        self.append_run_events(fence, run, events).await
    }

    async fn events(&self, run: RunId, after: i64, limit: i64) -> Result<Vec<LoggedEvent>, StoreError> {
        self.events_of(run, after, limit).await
    }

    async fn last_event(&self, run: RunId) -> Result<i64, StoreError> {
        self.last_event_of(run).await
    }

    async fn seize(&self, id: RunId, stop_reason: StopReason, now: Time) -> Result<bool, StoreError> {
        self.seize_run(id, stop_reason, now).await
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

    async fn prune_events(&self, now: Time) -> Result<u64, StoreError> {
        Store::prune_events(self, now).await
    }
}
