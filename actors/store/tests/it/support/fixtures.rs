//! Agents, messages, runs and steps with nothing special about them.

use std::sync::Arc;

use engram_core::ports::{
    AcceptRuns, Accepted, Commit, Fence, Leases, NewRun, NodeInfo, NodeStatus, Nodes,
    store::{PromptMeta, RunUpdate},
};
use engram_domain::{
    Agent, AgentId, AgentType, Block, BlockId, Content, ConversationId, EmbeddingConfig, JsonMap, LlmConfig, Message,
    MessageId, NodeId, Role, RunId, RunInput, RunStatus, RunType, Scope, Step, StepId, StepStatus, StopReason, Time,
    Usage,
};
use engram_store::agents::NewAgent;
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
        id: AgentId(Uuid::new_v4()),
        name: "Ada".into(),
        description: None,
        agent_type: AgentType::LettaV1Agent,
        system: "Be kind.".into(),
        llm: LlmConfig { model: "scripted".into(), ..LlmConfig::default() },
        embedding: EmbeddingConfig { embedding_dim: 3, ..EmbeddingConfig::default() },
        model_settings: None,
        compaction: None,
        response_format: None,
        tool_rules: vec![],
        tags: vec![],
        metadata: JsonMap::new(),
        env: vec![],
        identity_ids: vec![],
        message_buffer_autoclear: false,
        enable_sleeptime: None,
        timezone: "UTC".into(),
        busy_policy: engram_domain::BusyPolicy::Queue,
        max_files_open: 5,
        per_file_view_window_char_limit: 15_000,
        hidden: None,
        project_id: None,
        template_id: None,
        base_template_id: None,
        last_run_completion: None,
        last_run_duration_ms: None,
        last_stop_reason: None,
        created_at: at(0),
        updated_at: at(0),
        rev: 1,
    }
}

/// A block.
pub fn block(label: &str, value: &str) -> Block {
    Block {
        id: BlockId(Uuid::new_v4()),
        label: label.into(),
        value: value.into(),
        limit: 5000,
        description: None,
        read_only: false,
        metadata: JsonMap::new(),
        template_name: None,
        is_template: false,
        preserve_on_migration: false,
        project_id: None,
        hidden: None,
        tags: vec![],
        created_at: at(0),
        updated_at: at(0),
        version: 1,
    }
}

/// A message at a place of a conversation.
pub fn message(agent: AgentId, conversation: ConversationId, seq: i64, role: Role, text: &str) -> Message {
    Message {
        id: MessageId(Uuid::new_v4()),
        conversation_id: conversation,
        agent_id: agent,
        seq,
        role,
        content: Content::text(text),
        name: None,
        otid: None,
        sender_id: None,
        group_id: None,
        step_id: None,
        run_id: None,
        model: None,
        tokens: 1,
        is_err: false,
        created_at: at(seq),
    }
}

/// What the last section of a prompt said.
pub fn prompt_meta() -> PromptMeta {
    PromptMeta { compiled_at: at(0), recall_count: 0, archival_count: 0, archival_tags: vec![] }
}

/// Stores a new agent with these blocks; its conversation holds the prompt alone.
pub async fn store_agent(store: &Db, blocks: Vec<Block>) -> Agent {
    let agent = agent();
    let conversation = agent.id.default_conversation();
    let new = NewAgent {
        block_order: blocks.iter().map(|b| (b.id, b.label.clone())).collect(),
        blocks,
        tool_ids: vec![],
        messages: vec![message(agent.id, conversation, 0, Role::System, "the prompt")],
        prompt_meta: prompt_meta(),
        agent: agent.clone(),
    };
    store.create_agent(&new).await.unwrap();
    agent
}

/// A run for a conversation.
pub fn new_run(agent: AgentId, conversation: ConversationId, seconds: i64) -> NewRun {
    NewRun {
        id: RunId(Uuid::new_v4()),
        agent_id: Some(agent),
        owner: conversation.into(),
        parent: None,
        input: RunInput::default(),
        background: false,
        run_type: RunType::SendMessage,
        metadata: serde_json::json!({"z": 1, "a": 2}),
        callback_url: None,
        keys: vec![],
        busy_policy: None,
        max_queue: i64::MAX,
        created_at: at(seconds),
        scope: Scope::System,
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
pub fn card(id: NodeId, url: &str) -> NodeInfo {
    NodeInfo { id, name: url.into(), url: url.into(), secret: format!("secret of {url}"), version: "1.2.3".into() }
}

/// A heartbeat with nothing special about it.
pub async fn beat(store: &Db, id: NodeId, url: &str) {
    store.system.heartbeat(&card(id, url), NodeStatus::default()).await.unwrap();
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
