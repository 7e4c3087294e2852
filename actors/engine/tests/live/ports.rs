//! The world behind the engine's ports, with switches for what can go wrong.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use engram_core::ports::{
    ChatReply, ChatRequest, Clock, Commit, CommitOutcome, Delta, DeltaSink, EngineStore, Fence, Ids, Llm, LlmError,
    LlmErrorKind, Loaded, NewRun, StoreError, ToolContext, ToolEffect, ToolExecutor, ToolOutcome, llm::ChatMessage,
    store::AgentSnapshot,
};
use engram_domain::{
    AgentId, AgentType, ConversationId, JsonMap, Message, NodeId, Part, Role, Run, RunId, RunInput, StopReason, Time,
    Tool, ToolCall, run::InputMessage,
};
use engram_engine::{Engine, EngineSettings, Ports, RunEnd, RunStream, StreamEvent};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::world::{ONCE, World};

/// The database, and what the model and the tools do.
pub struct Fake {
    pub world: Mutex<World>,
    pub epoch: AtomicI64,
    pub down: AtomicBool,
    pub loads: AtomicUsize,
    /// The model answers when this is not set.
    pub model_hangs: AtomicBool,
    pub model_panics: AtomicBool,
    /// The database takes no commit, for what is in it.
    pub refuses: AtomicBool,
    pub cancelled_calls: AtomicUsize,
    started: Instant,
}

impl Fake {
    fn up(&self) -> Result<(), StoreError> {
        if self.down.load(Ordering::SeqCst) { Err(StoreError::Unavailable("switched off".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl EngineStore for Fake {
    async fn heartbeat(&self, _: NodeId, _: &str) -> Result<(), StoreError> {
        self.up()
    }
    async fn retire(&self, _: NodeId) -> Result<(), StoreError> {
        self.up()
    }
    async fn insert_run(&self, run: &NewRun) -> Result<Option<i64>, StoreError> {
        self.up()?;
        let mut world = self.world.lock();
        let id = world.accept_input(run.input.clone());
        let mut row = world.runs.remove(&id).expect("just accepted");
        row.id = run.id;
        world.runs.insert(run.id, row);
        Ok(Some(world.snapshot.agent.rev))
    }
    async fn claim(&self, conversation_id: ConversationId, _: NodeId) -> Result<Option<Fence>, StoreError> {
        self.up()?;
        Ok(Some(Fence { conversation_id, epoch: self.epoch.fetch_add(1, Ordering::SeqCst) + 1 }))
    }
    async fn release(&self, _: Fence) -> Result<(), StoreError> {
        self.up()
    }
    async fn load(&self, _: ConversationId) -> Result<Option<Loaded>, StoreError> {
        self.up()?;
        self.loads.fetch_add(1, Ordering::SeqCst);
        Ok(Some(self.world.lock().loaded()))
    }
    async fn load_snapshot(&self, _: AgentId) -> Result<Option<AgentSnapshot>, StoreError> {
        self.up()?;
        Ok(Some(self.world.lock().snapshot.clone()))
    }
    async fn run(&self, id: RunId) -> Result<Option<Run>, StoreError> {
        self.up()?;
        Ok(self.world.lock().runs.get(&id).cloned())
    }
    async fn messages_of(&self, run: RunId) -> Result<Vec<Message>, StoreError> {
        self.up()?;
        let world = self.world.lock();
        Ok(world.messages.values().filter(|m| m.run_id == Some(run)).map(|m| (**m).clone()).collect())
    }
    async fn open_runs(&self, _: ConversationId) -> Result<Vec<RunId>, StoreError> {
        self.up()?;
        Ok(self.world.lock().runs.values().filter(|r| !r.status.is_terminal()).map(|r| r.id).collect())
    }
    async fn stranded(&self, _: NodeId, _: i64) -> Result<Vec<ConversationId>, StoreError> {
        self.up()?;
        Ok(Vec::new())
    }
    async fn commit(&self, fence: Fence, commit: &Commit) -> Result<CommitOutcome, StoreError> {
        self.up()?;
        if self.refuses.load(Ordering::SeqCst) {
            return Err(StoreError::Database("refused".into()));
        }
        if fence.epoch != self.epoch.load(Ordering::SeqCst) {
            return Ok(CommitOutcome::Fenced);
        }
        let mut world = self.world.lock();
        if commit.expect_seq != world.conversation.next_seq {
            return Ok(CommitOutcome::Fenced);
        }
        world.apply(commit);
        Ok(CommitOutcome::Done { agent_rev: world.snapshot.agent.rev })
    }
    async fn end_run(&self, id: RunId, reason: StopReason, error: Option<&str>, _: Time) -> Result<bool, StoreError> {
        self.up()?;
        let mut world = self.world.lock();
        let Some(run) = world.runs.get_mut(&id).filter(|r| !r.status.is_terminal()) else { return Ok(false) };
        run.status = reason.status();
        run.stop_reason = Some(reason);
        run.error = error.map(str::to_owned);
        Ok(true)
    }
}

#[async_trait]
impl Llm for Fake {
    /// Says what it was told last, or calls the tool that it was told to.
    async fn chat(
        &self,
        request: ChatRequest,
        sink: Option<DeltaSink>,
        cancel: CancellationToken,
    ) -> Result<ChatReply, LlmError> {
        assert!(!self.model_panics.swap(false, Ordering::SeqCst), "the model was told to panic");
        while self.model_hangs.load(Ordering::SeqCst) {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(2)) => {}
                () = cancel.cancelled() => {
                    self.cancelled_calls.fetch_add(1, Ordering::SeqCst);
                    return Err(LlmError::new(LlmErrorKind::Cancelled, "cancelled"));
                }
            }
        }
        let mut told = String::new();
        for message in request.messages.iter() {
            match message {
                ChatMessage::User { parts, .. } => told = engram_domain::message::parts_text(parts),
                ChatMessage::Tool { .. } => told = "after the tool".into(),
                _ => {}
            }
        }
        if let Some(name) = told.strip_prefix("call ") {
            let call =
                ToolCall { id: format!("c{}", request.messages.len()), name: name.into(), arguments: "{}".into() };
            return Ok(ChatReply { calls: vec![call], ..ChatReply::default() });
        }
        let text = format!("heard {told}");
        if let Some(sink) = sink {
            for piece in text.split_inclusive(' ') {
                sink(Delta::Text(piece.into()));
            }
        }
        Ok(ChatReply { text: Some(text), ..ChatReply::default() })
    }
}

#[async_trait]
impl ToolExecutor for Fake {
    fn effect(&self, tool: &Tool) -> ToolEffect {
        if tool.name == ONCE { ToolEffect::Once } else { ToolEffect::Memory }
    }
    async fn run(&self, _: ToolContext, _: Arc<Tool>, _: JsonMap, _: CancellationToken) -> ToolOutcome {
        tokio::time::sleep(Duration::from_hours(1)).await;
        ToolOutcome::ok("at last")
    }
}

impl Clock for Fake {
    fn now(&self) -> Time {
        Time::UNIX_EPOCH
    }
    fn monotonic_ns(&self) -> i64 {
        self.started.elapsed().as_nanos() as i64
    }
}

impl Ids for Fake {
    fn uuid(&self) -> Uuid {
        self.world.lock().ids.uuid()
    }
}

/// An engine over a fresh world.
pub async fn engine(idle_after: Duration) -> (Engine, Arc<Fake>) {
    let fake = Arc::new(Fake {
        world: Mutex::new(World::new(AgentType::LettaV1Agent, 32_000)),
        epoch: AtomicI64::new(0),
        down: AtomicBool::new(false),
        loads: AtomicUsize::new(0),
        model_hangs: AtomicBool::new(false),
        model_panics: AtomicBool::new(false),
        refuses: AtomicBool::new(false),
        cancelled_calls: AtomicUsize::new(0),
        started: Instant::now(),
    });
    let ports =
        Ports { store: fake.clone(), llm: fake.clone(), tools: fake.clone(), clock: fake.clone(), ids: fake.clone() };
    let settings = EngineSettings {
        idle_after,
        reconcile_every: Duration::from_millis(50),
        ..EngineSettings::new(NodeId(Uuid::nil()), "test".into())
    };
    (Engine::start(ports, settings).await.expect("the engine starts"), fake)
}

/// A run that says `text`.
pub fn say(fake: &Fake, text: &str, stream_tokens: bool) -> NewRun {
    let message = InputMessage {
        role: Role::User,
        content: vec![Part::text(text)],
        name: None,
        otid: None,
        sender_id: None,
        group_id: None,
    };
    let world = fake.world.lock();
    NewRun {
        id: RunId(world.ids.uuid()),
        agent_id: world.conversation.agent_id,
        conversation_id: world.conversation.id,
        input: RunInput { messages: vec![message], stream_tokens, ..RunInput::default() },
        background: false,
        run_type: "send_message".into(),
        metadata: serde_json::Value::Null,
        callback_url: None,
        created_at: Time::UNIX_EPOCH,
    }
}

/// Reads a run's stream to its end: the assistant's words, pieces, and the end.
pub async fn listen(mut stream: RunStream) -> (Vec<String>, Vec<String>, RunEnd) {
    let (mut said, mut pieces) = (Vec::new(), Vec::new());
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let event = tokio::time::timeout_at(deadline, stream.next()).await.expect("in time");
        match event.expect("an end comes before silence").1 {
            StreamEvent::Message(m) if m.role == Role::Assistant => said.push(m.content.plain_text()),
            StreamEvent::Delta { delta: Delta::Text(piece), .. } => pieces.push(piece),
            StreamEvent::Message(_) | StreamEvent::Delta { .. } => {}
            StreamEvent::Ended(end) => return (said, pieces, *end),
        }
    }
}
