//! Agents, messages, runs and steps with nothing special about them.

use std::sync::Arc;

use engram_core::ports::{
    AcceptRuns, Accepted, Commit, Fence, Leases, NewRun, NodeInfo, NodeStatus, Nodes,
    store::{PromptMeta, RunUpdate},
};
use engram_domain::{
    Agent, AgentId, Block, BlockId, Content, ConversationId, EmbeddingConfig, Group, GroupId, ManagerConfig, Message,
    MessageId, NodeId, Role, RunId, RunInput, RunStatus, Step, StepId, StepStatus, StopReason, Time, Usage,
};
use engram_store::agents::{NewAgent, Wanted};
use uuid::Uuid;

use super::Db;

/// A fixed moment, plus so many seconds.
pub fn at(seconds: i64) -> Time {
    Time::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
}

/// Ids from the operating system; tests do not replay.
pub struct RandomIds;

impl engram_core::ports::Ids for RandomIds {
    fn uuid(&self) -> Uuid {
        Uuid::new_v4()
    }
}

/// An agent with a three-dimensional embedding model.
pub fn agent() -> Agent {
    Agent {
        embedding: EmbeddingConfig { embedding_dim: 3, ..EmbeddingConfig::default() },
        created_at: at(0),
        updated_at: at(0),
        ..engram_testkit::agent(AgentId(Uuid::new_v4()))
    }
}

/// A block.
pub fn block(label: &str, value: &str) -> Block {
    Block { id: BlockId(Uuid::new_v4()), created_at: at(0), updated_at: at(0), ..engram_testkit::block(label, value) }
}

/// A message at a place of a conversation.
pub fn message(agent: AgentId, conversation: ConversationId, seq: i64, role: Role, text: &str) -> Message {
    Message {
        id: MessageId(Uuid::new_v4()),
        conversation_id: conversation,
        agent_id: agent,
        seq,
        created_at: at(seq),
        ..engram_testkit::message(role, Content::text(text))
    }
}

/// A group of these agents, created at 1.
pub fn group(manager: ManagerConfig, agents: &[AgentId]) -> Group {
    Group {
        id: GroupId(Uuid::new_v4()),
        description: "a team".into(),
        created_at: at(1),
        updated_at: at(1),
        ..engram_testkit::group(manager, agents)
    }
}

/// Labels of an agent's blocks, in their order.
pub async fn labels(store: &Db, agent: AgentId) -> Vec<String> {
    let mut found = store.relations(&[agent], Wanted::default()).await.unwrap();
    found.remove(&agent).unwrap().blocks.into_iter().map(|b| b.label).collect()
}

/// An agent that is about to be stored with blocks of its own; its conversation holds the prompt alone.
pub fn new_agent(agent: Agent, blocks: Vec<Block>) -> NewAgent {
    let prompt = message(agent.id, agent.id.default_conversation(), 0, Role::System, "the prompt");
    NewAgent {
        block_order: blocks.iter().map(|b| (b.id, b.label.clone())).collect(),
        agent,
        blocks,
        tool_ids: vec![],
        messages: vec![prompt],
        prompt_meta: prompt_meta(),
    }
}

/// What the last section of a prompt said.
pub fn prompt_meta() -> PromptMeta {
    PromptMeta { compiled_at: at(0), recall_count: 0, archival_count: 0, archival_tags: vec![] }
}

/// Stores a new agent with these blocks; its conversation holds the prompt alone.
pub async fn store_agent(store: &Db, blocks: Vec<Block>) -> Agent {
    let agent = agent();
    store.create_agent(&new_agent(agent.clone(), blocks)).await.unwrap();
    agent
}

/// A run for a conversation.
pub fn new_run(agent: AgentId, conversation: ConversationId, seconds: i64) -> NewRun {
    NewRun {
        id: RunId(Uuid::new_v4()),
        owner: conversation.into(),
        metadata: serde_json::json!({"z": 1, "a": 2}),
        max_queue: i64::MAX,
        created_at: at(seconds),
        ..engram_testkit::new_run(agent, RunInput::default())
    }
}

/// A step of a run.
pub fn step(run: &NewRun, seconds: i64) -> Step {
    Step {
        id: StepId(Uuid::new_v4()),
        run_id: run.id,
        agent_id: run.agent_id.unwrap(),
        conversation_id: run.owner.conversation().unwrap(),
        provider_name: "engram".into(),
        model: "scripted".into(),
        model_handle: Some("engram/scripted".into()),
        model_endpoint: None,
        context_window: 32_000,
        usage: Usage {
            completion_tokens: 5,
            prompt_tokens: 7,
            cached_input_tokens: 3,
            cache_write_tokens: 2,
            reasoning_tokens: 1,
        },
        stop_reason: Some(StopReason::EndTurn),
        status: StepStatus::Success,
        error: None,
        feedback: None,
        tags: vec!["t".into()],
        response: Some(serde_json::json!({"b": 1, "a": 2})),
        context_range: (0, 2),
        llm_ns: 10,
        tool_ns: Some(11),
        step_ns: 12,
        created_at: at(seconds),
    }
}

/// A run's end.
pub fn run_end(run: RunId, reason: StopReason) -> RunUpdate {
    RunUpdate {
        id: run,
        status: reason.status(),
        stop_reason: Some(reason),
        error: None,
        error_kind: None,
        attempts: 1,
        step_count: 1,
        usage: Usage {
            completion_tokens: 5,
            prompt_tokens: 7,
            cached_input_tokens: 3,
            cache_write_tokens: 2,
            reasoning_tokens: 1,
        },
        ttft_ns: Some(99),
    }
}

/// A run's first commit.
pub fn run_start(run: RunId) -> RunUpdate {
    RunUpdate {
        status: RunStatus::Running,
        stop_reason: None,
        step_count: 0,
        usage: Usage::default(),
        ttft_ns: None,
        ..run_end(run, StopReason::EndTurn)
    }
}

/// A live node that owns the agent's default conversation.
pub async fn claim(store: &Db, conversation: ConversationId) -> Fence {
    let node = node();
    beat(store, node, &format!("http://{node}")).await;
    store.system.claim(conversation, node).await.unwrap().unwrap()
}

/// A node's id.
pub fn node() -> NodeId {
    NodeId(Uuid::new_v4())
}

/// A node that is named for its address.
pub fn node_info(id: NodeId, url: &str) -> NodeInfo {
    NodeInfo { id, name: url.into(), url: url.into(), secret: format!("secret of {url}"), version: "1.2.3".into() }
}

/// A heartbeat with nothing special about it.
pub async fn beat(store: &Db, id: NodeId, url: &str) {
    store.system.heartbeat(&node_info(id, url), NodeStatus::default()).await.unwrap();
}

/// Stores a run that must be accepted. Returns the agent's revision.
pub async fn accept(store: &Db, run: &NewRun) -> i64 {
    match store.system.accept_run(run, node()).await.unwrap() {
        Accepted::Stored { rev, .. } => rev,
        other => panic!("not stored: {other:?}"),
    }
}

/// A commit that appends user messages from a place on.
pub fn appending(agent: AgentId, conversation: ConversationId, from: i64, texts: &[&str]) -> Commit {
    let messages = (from..).zip(texts).map(|(seq, text)| Arc::new(message(agent, conversation, seq, Role::User, text)));
    Commit { now: at(from), expect_seq: from, append: messages.collect(), ..Commit::default() }
}

/// Texts of messages.
pub fn texts<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Vec<String> {
    messages.into_iter().map(|m| m.content.plain_text()).collect()
}
