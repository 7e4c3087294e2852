//! Turns over the world in memory: the loop that carries effects out, and crashes.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::{Deref, DerefMut},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use engram_core::{
    ports::{BlockEdit, ChatReply, ChatRequest, LlmError, ToolOutcome},
    step::{Effect, Env, Event, RunEnd, State},
};
use engram_domain::{AgentType, Block, Content, Role, RunId, RunInput, Time, ToolStatus};
use engram_testkit::{ONCE, READ, World, input};

/// What the model answers to a request.
pub type Brain<'a> = dyn Fn(&ChatRequest) -> Result<ChatReply, LlmError> + 'a;

/// What a tool leaves in the blocks that it was given.
pub type Edits = fn(&[Arc<Block>]) -> Vec<BlockEdit>;

/// A world and what happened in it.
pub struct Play {
    pub world: World,
    pub ends: Vec<RunEnd>,
    pub prompts: Vec<ChatRequest>,
    /// Calls of the tool with an effect outside, by message and call id.
    pub outside: BTreeMap<(i64, String), usize>,
    clock: AtomicU64,
    /// Crash when this many effects are left to carry out.
    pub fuel: Option<usize>,
    /// Leave what runs outside unanswered after this many answers: the run hangs in the middle.
    pub answers: Option<usize>,
    /// Of calls that run at once the last one is done first.
    pub backwards: bool,
    /// The largest number of tools that ran at once.
    pub at_once: usize,
    /// What the tool that only reads leaves in the agent's blocks.
    pub edits: Option<Edits>,
}

impl Deref for Play {
    type Target = World;
    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for Play {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}

impl Play {
    pub fn new(agent_type: AgentType, window: i32) -> Self {
        Self {
            world: World::new(agent_type, window),
            ends: vec![],
            prompts: vec![],
            outside: BTreeMap::new(),
            clock: AtomicU64::new(0),
            fuel: None,
            answers: None,
            edits: None,
            backwards: false,
            at_once: 0,
        }
    }

    /// Accepts a run.
    pub fn accept(&mut self, text: &str, max_steps: i32) -> RunId {
        self.accept_input(RunInput { max_steps, ..input(text) })
    }

    /// What an actor loads when it wakes.
    pub fn load(&self) -> State {
        State::new(self.loaded()).expect("there is a system message")
    }

    fn with_env<T>(&self, f: impl FnOnce(&Env<'_>) -> T) -> T {
        let tick = self.clock.fetch_add(1, Ordering::Relaxed);
        f(&Env {
            now: Time::UNIX_EPOCH + chrono::Duration::milliseconds(tick as i64),
            mono_ns: tick as i64 * 1_000_000,
            ids: &self.world.ids,
        })
    }

    /// Drives an event to the end of everything it leads to. `false`: the process crashed on the way.
    pub fn drive(&mut self, state: &mut State, event: Event, brain: &Brain<'_>) -> bool {
        self.watch(state, event, brain, |_| {})
    }

    /// As [`Play::drive`], and shows every effect to `watcher` first.
    pub fn watch(
        &mut self,
        state: &mut State,
        event: Event,
        brain: &Brain<'_>,
        mut watcher: impl FnMut(&Effect),
    ) -> bool {
        let mut events = VecDeque::from([event]);
        while let Some(event) = if self.backwards { events.pop_back() } else { events.pop_front() } {
            let effects = self.with_env(|env| state.step(event, env));
            for effect in effects {
                if let Some(fuel) = &mut self.fuel {
                    if *fuel == 0 {
                        return false;
                    }
                    *fuel -= 1;
                }
                watcher(&effect);
                if let Some(event) = self.perform(state, effect, brain) {
                    match &mut self.answers {
                        Some(0) => continue,
                        Some(left) => *left -= 1,
                        None => {}
                    }
                    events.push_back(event);
                }
            }
            let is_tool = |event: &&Event| matches!(event, Event::ToolDone { .. });
            self.at_once = self.at_once.max(events.iter().filter(is_tool).count());
        }
        true
    }

    /// What an actor shows the model is what one would that had just been loaded, to the byte.
    fn compare_with_loaded(&self, request: &ChatRequest) {
        let ids = engram_testkit::Counter::default();
        let env = Env { now: Time::UNIX_EPOCH, mono_ns: 0, ids: &ids };
        let loaded = self.load().request(&env);
        assert_eq!(request.messages, loaded.messages, "the messages");
    }

    fn perform(&mut self, state: &mut State, effect: Effect, brain: &Brain<'_>) -> Option<Event> {
        match effect {
            Effect::Commit(commit) => {
                self.apply(&commit);
                if state.snapshot.agent.rev != self.snapshot.agent.rev {
                    state.refresh(self.snapshot.clone());
                }
            }
            Effect::CallLlm { attempt, .. } => {
                let request = self.with_env(|env| state.request(env));
                self.compare_with_loaded(&request);
                self.prompts.push(request.clone());
                return Some(match brain(&request) {
                    Ok(reply) => Event::LlmDone { attempt, reply: Box::new(reply), took_ns: 1, first_token_ns: None },
                    Err(error) => Event::LlmFailed { attempt, error, took_ns: 1 },
                });
            }
            Effect::Summarize { attempt, request } => {
                return Some(Event::SummaryDone { attempt, result: brain(&request).map(Box::new) });
            }
            Effect::RunTool { attempt, call, context, .. } => {
                if call.name == ONCE {
                    let committed = self.world.messages.values().rev().find(|m| m.content.calls().contains(&call));
                    let seq = committed.expect("a call is committed before it takes effect outside").seq;
                    *self.outside.entry((seq, call.id.clone())).or_default() += 1;
                }
                let mut outcome = if call.name == READ { ToolOutcome::ok("read") } else { ToolOutcome::ok("done") };
                if let Some(edits) = self.edits.filter(|_| call.name == READ) {
                    outcome.blocks = edits(&context.blocks);
                }
                return Some(Event::ToolDone { attempt, outcome: Box::new(outcome) });
            }
            Effect::Ended(end) => self.ends.push(*end),
            Effect::Abort | Effect::Publish(_) | Effect::Answer(_) => {}
        }
        None
    }

    /// Drives all open runs, waking a new actor after every crash.
    pub fn settle(&mut self, brain: &Brain<'_>) {
        let mut state = self.load();
        while let Some(run) = self.runs.values().find(|r| !r.status.is_terminal()).cloned() {
            if !self.drive(&mut state, Event::Start(Box::new(run)), brain) {
                self.fuel = None;
                state = self.load();
            }
        }
        self.world.check();
        for run in self.runs.values() {
            let ends = self.ends.iter().filter(|e| e.run_id == run.id).count();
            assert!(ends <= 1, "one end for a run");
        }
        assert!(self.outside.values().all(|n| *n == 1), "a call with an effect outside runs once");
    }

    /// What was said, without ids and times.
    pub fn story(&self) -> Vec<String> {
        self.messages
            .values()
            .filter(|m| m.role != Role::System)
            .map(|m| match &m.content {
                Content::ToolReturn(r) => {
                    format!("{}: {} {}", r.name, if r.status == ToolStatus::Success { "ok" } else { "error" }, r.text)
                }
                Content::Parts { parts } => {
                    let text = engram_domain::message::parts_text(parts);
                    let hidden = engram_core::package::is_hidden(&text);
                    format!("{}: {}", m.role.as_str(), if hidden { "(event)" } else { &text })
                }
                Content::Assistant { text, calls, .. } => format!(
                    "{}: {} {:?}",
                    m.role.as_str(),
                    text.as_deref().unwrap_or_default(),
                    calls.iter().map(|c| c.name.as_str()).collect::<Vec<_>>()
                ),
                other => format!("{}: {}", m.role.as_str(), other.plain_text()),
            })
            .collect()
    }
}
