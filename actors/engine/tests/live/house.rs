//! One world, and as many nodes over it as a test wants, with switches for what can go wrong.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use engram_core::ports::{
    ChatReply, ChatRequest, Delta, DeltaSink, Llm, LlmError, LlmErrorKind, NewRun, NodeInfo, StoreError, ToolContext,
    ToolOutcome, ToolRunner, llm::ChatMessage,
};
use engram_domain::{AgentType, ConversationId, JsonMap, NodeId, Role, Run, RunId, Tool, ToolCall};
use engram_engine::{Engine, EngineSettings, Ports, RunEnd, RunStream, StreamEvent, SubmitError, Ticker};
use engram_testkit::{ONCE, World, input, new_run};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    db::Db,
    net::{Link, Net, Wire},
    port::{Fate, Port, Weather},
    ticker,
};

pub const LONG: Duration = Duration::from_mins(1);

/// What can go wrong with one node.
pub struct Switch {
    /// The database cannot be reached.
    pub down: AtomicBool,
    /// The database takes no commit, for what is in it.
    pub refuses: AtomicBool,
    /// Heartbeats whose connection breaks, from now on.
    breaks: AtomicUsize,
    /// The process is stopped.
    stopped: watch::Sender<bool>,
    /// It is dead.
    dead: CancellationToken,
    /// Of this call the database says no.
    pub fails: Mutex<Option<&'static str>>,
    calls: Mutex<Vec<&'static str>>,
}

impl Switch {
    fn new(breaks: usize) -> Self {
        Self {
            down: AtomicBool::new(false),
            refuses: AtomicBool::new(false),
            breaks: AtomicUsize::new(breaks),
            stopped: watch::Sender::new(false),
            dead: CancellationToken::new(),
            fails: Mutex::default(),
            calls: Mutex::default(),
        }
    }
    /// `kill -9`.
    pub fn kill(&self) {
        self.dead.cancel();
    }
    /// `kill -STOP` and `kill -CONT`, as far as others can see.
    pub fn stop(&self, stopped: bool) {
        self.stopped.send_replace(stopped);
    }
    /// How often the database was asked this.
    pub fn count(&self, call: &str) -> usize {
        self.calls.lock().iter().filter(|c| **c == call).count()
    }
}

#[async_trait]
impl Link for Switch {
    async fn running(&self) {
        let _ = self.stopped.subscribe().wait_for(|stopped| !stopped).await;
        if self.dead.is_cancelled() {
            std::future::pending::<()>().await;
        }
    }
    fn dead(&self) -> &CancellationToken {
        &self.dead
    }
}

#[async_trait]
impl Weather for Switch {
    async fn before(&self, call: &'static str, _: bool) -> Fate {
        self.running().await;
        self.calls.lock().push(call);
        let less = |left: usize| left.checked_sub(1);
        let breaks = call == "heartbeat" && self.breaks.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok();
        if breaks || self.down.load(Ordering::SeqCst) {
            Fate::Fails(StoreError::Unavailable("switched off".into()))
        } else if *self.fails.lock() == Some(call) {
            Fate::Fails(StoreError::Database("no".into()))
        } else if call == "commit" && self.refuses.load(Ordering::SeqCst) {
            Fate::Fails(StoreError::Database("refused".into()))
        } else {
            Fate::Happens
        }
    }
    async fn after(&self) {
        self.running().await;
    }
}

/// What the model and the tools do, on all nodes.
#[derive(Default)]
pub struct Brain {
    /// The model answers when this is not set.
    pub hangs: AtomicBool,
    pub panics: AtomicBool,
    pub cancelled: AtomicUsize,
    /// Calls of the model.
    pub asked: AtomicUsize,
    /// Between two pieces of an answer.
    pub pace: Mutex<Duration>,
    /// Times that the tool with an effect outside was run.
    pub rang: AtomicUsize,
    /// How long it takes; an hour when none.
    pub rings_for: Mutex<Option<Duration>>,
}

#[async_trait]
impl Llm for Brain {
    /// Says what it was told last. `call X` calls a tool, `call X n` calls it in n steps, one after the other.
    async fn chat(
        &self,
        request: ChatRequest,
        sink: Option<DeltaSink>,
        cancel: CancellationToken,
    ) -> Result<ChatReply, LlmError> {
        assert!(!self.panics.swap(false, Ordering::SeqCst), "the model was told to panic");
        self.asked.fetch_add(1, Ordering::SeqCst);
        while self.hangs.load(Ordering::SeqCst) {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(2)) => {}
                () = cancel.cancelled() => {
                    self.cancelled.fetch_add(1, Ordering::SeqCst);
                    return Err(LlmError::new(LlmErrorKind::Cancelled, "cancelled"));
                }
            }
        }
        let (mut told, mut results) = (String::new(), 0);
        for message in request.messages.iter() {
            match message {
                ChatMessage::User { parts, .. } => {
                    let text = engram_domain::message::parts_text(parts);
                    (told, results) = (engram_core::package::words(&text).into_owned(), 0);
                }
                ChatMessage::Tool { .. } => results += 1,
                _ => {}
            }
        }
        let pace = *self.pace.lock();
        let mut words = told.split(' ');
        if let (Some("call"), Some(name)) = (words.next(), words.next()) {
            let times = words.next().and_then(|n| n.parse().ok()).unwrap_or(1);
            if results < times {
                tokio::time::sleep(pace).await;
                let (id, arguments) = (format!("c{}", request.messages.len()), format!("{{\"n\":{results}}}"));
                return Ok(ChatReply {
                    calls: vec![ToolCall { id, name: name.into(), arguments }],
                    ..ChatReply::default()
                });
            }
            told = "after the tool".into();
        }
        let text = format!("heard {told}");
        for piece in text.split_inclusive(' ') {
            tokio::time::sleep(pace).await;
            if let Some(sink) = &sink {
                sink(Delta::Text(piece.into()));
            }
        }
        Ok(ChatReply { text: Some(text), ..ChatReply::default() })
    }
}

#[async_trait]
impl ToolRunner for Brain {
    async fn run(&self, _: ToolContext, tool: Arc<Tool>, _: JsonMap, _: CancellationToken) -> ToolOutcome {
        if tool.name == ONCE {
            self.rang.fetch_add(1, Ordering::SeqCst);
            let time = self.rings_for.lock().unwrap_or(Duration::from_hours(1));
            tokio::time::sleep(time).await;
        }
        ToolOutcome::ok("read")
    }
}

/// A world with its nodes.
pub struct House {
    pub db: Arc<Db>,
    pub brain: Arc<Brain>,
    net: Arc<Net>,
}

/// One of them.
pub struct Node {
    pub engine: Engine,
    pub switch: Arc<Switch>,
}

impl House {
    pub fn new() -> Self {
        let db = Arc::new(Db::new(World::new(AgentType::LettaV1Agent, 32_000)));
        Self { db, brain: Arc::default(), net: Arc::default() }
    }

    /// Starts a node. One of the same name takes the place of the one before.
    pub async fn node(&self, name: &str) -> Node {
        self.node_that_sleeps(name, LONG).await
    }

    pub async fn node_that_sleeps(&self, name: &str, idle_after: Duration) -> Node {
        self.node_whose_start_breaks(name, idle_after, 0).await
    }

    /// A node of which the first heartbeats fail.
    pub async fn node_whose_start_breaks(&self, name: &str, idle_after: Duration, breaks: usize) -> Node {
        self.node_with(name, breaks, |settings| settings.idle_after = idle_after).await
    }

    /// A node with other settings.
    pub async fn node_with(&self, name: &str, breaks: usize, set: impl FnOnce(&mut EngineSettings)) -> Node {
        let switch = Arc::new(Switch::new(breaks));
        let port = Arc::new(Port { db: self.db.clone(), weather: switch.clone() });
        let id = NodeId(self.db.uuid());
        let info = NodeInfo {
            id,
            name: name.into(),
            url: format!("http://{name}"),
            secret: "hush".into(),
            version: "test".into(),
        };
        let ports = Ports {
            store: port.clone(),
            llm: self.brain.clone(),
            tools: self.brain.clone(),
            peers: Arc::new(Wire { net: self.net.clone(), me: switch.clone() }),
            clock: port.clone(),
            ids: port,
        };
        let mut settings = EngineSettings { idle_after: LONG, ticker: Ticker::Manual, ..EngineSettings::new(info) };
        set(&mut settings);
        let by_hand = settings.ticker == Ticker::Manual;
        let engine = Engine::start(ports, settings).await.expect("the engine starts");
        if by_hand {
            ticker::start(&engine, &switch.dead, Duration::from_millis(50));
        }
        self.net.join(id, &engine, switch.clone());
        Node { engine, switch }
    }

    pub fn conversation(&self) -> ConversationId {
        self.db.with(|t| t.main.world.conversation.id)
    }

    /// A run that says `text`.
    pub fn say(&self, text: &str) -> NewRun {
        let agent = self.db.with(|t| t.main.world.conversation.agent_id);
        NewRun {
            id: RunId(self.db.uuid()),
            owner: self.conversation().into(),
            created_at: self.db.now(),
            ..new_run(agent, input(text))
        }
    }

    /// As [`House::say`], with the model's words as they come.
    pub fn stream(&self, text: &str) -> NewRun {
        let mut run = self.say(text);
        run.input.stream_tokens = true;
        run
    }

    /// As [`House::stream`], and its events are kept.
    pub fn background(&self, text: &str) -> NewRun {
        NewRun { background: true, ..self.stream(text) }
    }

    pub fn run(&self, id: RunId) -> Run {
        self.db.with(|t| t.main.world.runs[&id].clone())
    }

    /// Waits until something is so.
    pub async fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        for _ in 0..2_000 {
            if is_so() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("not in time: {what}");
    }

    /// Waits until the model is asked for the `n`-th time.
    pub async fn asked(&self, n: usize) {
        self.until("a call of the model", || self.brain.asked.load(Ordering::SeqCst) >= n).await;
    }

    pub fn check(&self) {
        self.db.with(|t| t.main.world.check());
    }
}

/// Sends it, and it is accepted.
pub async fn send(node: &Node, run: NewRun) -> RunStream {
    node.engine.submit(run).await.expect("it is accepted")
}

/// Sends it, and it is not.
pub async fn refused(node: &Node, run: NewRun) -> SubmitError {
    node.engine.submit(run).await.expect_err("it is refused")
}

/// The events of a stream to its end, with their numbers.
pub async fn all(mut stream: RunStream) -> Vec<(i64, StreamEvent)> {
    let mut events = Vec::new();
    let deadline = tokio::time::Instant::now() + Duration::from_mins(5);
    while let Some(event) = tokio::time::timeout_at(deadline, stream.next()).await.expect("in time") {
        events.push(event);
    }
    events
}

/// Reads a run's stream to its end: the assistant's words, pieces, and the end.
pub async fn listen(stream: RunStream) -> (Vec<String>, Vec<String>, RunEnd) {
    let (mut said, mut pieces, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for (_, event) in all(stream).await {
        assert!(ends.is_empty(), "nothing comes after the end");
        match event {
            StreamEvent::Message(m) if m.role == Role::Assistant => said.push(m.content.plain_text()),
            StreamEvent::Delta { delta: Delta::Text(piece), .. } => pieces.push(piece),
            StreamEvent::Message(_) | StreamEvent::Delta { .. } => {}
            StreamEvent::Ended(end) => ends.push(*end),
        }
    }
    (said, pieces, ends.pop().expect("an end comes before silence"))
}
