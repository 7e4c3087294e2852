//! Events in any order: results that come late, twice or never, cancels in every phase, interruptions with an approval
//! pending, failures, commands, and a new life from the database at any moment. Every step is taken twice, by twins, and
//! must lead to the same.

use std::collections::BTreeMap;

use engram_core::{
    ports::{ChatReply, ChatRequest, Ids, LlmError, LlmErrorKind, ToolOutcome},
    step::{Effect, Env, Event, State},
};
use engram_domain::{AgentType, RunId, RunInput, RunStatus, Time, ToolRule, rule::RuleKind, run::Decision};
use engram_testkit::{Counter, ONCE, World, input};
use proptest::prelude::*;

use crate::{
    brain::{Move, moves},
    random::{any_move, any_type},
};

/// Something that happens.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// Somebody sends a message, which may make room for itself.
    Send { interrupts: bool },
    /// The client's word on what waits for it.
    Decide { approve: bool },
    /// The next run begins, if none is on.
    Begin,
    /// What runs outside comes back: the n-th of all that ever ran in this life.
    Answer(usize),
    /// The newest of it comes back, or fails.
    Newest { fails: bool },
    /// A result that nobody waits for.
    Stale(u64),
    /// Somebody wants the n-th run to end.
    Cancel(usize),
    /// The process dies, and another one goes on.
    Reload,
    /// The request for approval is taken back.
    Deny,
    /// The prompt is compiled again.
    Recompile,
    /// The context is compacted.
    Compact,
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => any::<bool>().prop_map(|interrupts| Act::Send { interrupts }),
        2 => any::<bool>().prop_map(|approve| Act::Decide { approve }),
        8 => Just(Act::Begin),
        4 => (0usize..20).prop_map(Act::Answer),
        12 => prop::bool::weighted(0.1).prop_map(|fails| Act::Newest { fails }),
        2 => (0u64..40).prop_map(Act::Stale),
        3 => (0usize..10).prop_map(Act::Cancel),
        2 => Just(Act::Reload),
        1 => Just(Act::Deny),
        1 => Just(Act::Recompile),
        1 => Just(Act::Compact),
    ]
}

/// Something that runs outside.
#[derive(Clone)]
enum Outside {
    Llm(u64, Box<ChatReply>),
    Summary(u64, Box<ChatReply>),
    Tool(u64),
}

impl Outside {
    fn event(self, fails: bool) -> Event {
        let error = LlmError::new(LlmErrorKind::ContextOverflow, "too much");
        match self {
            Self::Llm(attempt, _) if fails => Event::LlmFailed { attempt, error, took_ns: 1 },
            Self::Llm(attempt, reply) => Event::LlmDone { attempt, reply, took_ns: 1, first_token_ns: None },
            Self::Summary(attempt, reply) => {
                Event::SummaryDone { attempt, result: if fails { Err(error) } else { Ok(reply) } }
            }
            Self::Tool(attempt) => {
                let outcome = if fails { ToolOutcome::error("it failed") } else { ToolOutcome::ok("done") };
                Event::ToolDone { attempt, outcome: Box::new(outcome) }
            }
        }
    }
}

struct Storm<B> {
    world: World,
    state: State,
    brain: B,
    /// What was started outside in this life, and whether it has come back.
    outside: Vec<(Outside, bool)>,
    ends: BTreeMap<RunId, usize>,
    rung: BTreeMap<(i64, String), usize>,
    tick: i64,
}

fn load(world: &World) -> State {
    State::new(world.loaded()).expect("there is a system message")
}

fn with_env<T>(tick: i64, ids: &Counter, look: impl FnOnce(&Env<'_>) -> T) -> T {
    let now = Time::UNIX_EPOCH + chrono::Duration::milliseconds(tick);
    look(&Env { now, mono_ns: tick * 1_000_000, ids })
}

impl<B: Fn(&ChatRequest) -> Result<ChatReply, LlmError>> Storm<B> {
    fn new(agent_type: AgentType, window: i32, approvals: bool, at_once: bool, brain: B) -> Self {
        let mut world = World::new(agent_type, window);
        if at_once {
            world.run_at_once();
        }
        if approvals {
            let mut agent = (*world.snapshot.agent).clone();
            agent.tool_rules.push(ToolRule::new(ONCE, RuleKind::RequiresApproval));
            world.snapshot.agent = std::sync::Arc::new(agent);
        }
        let state = load(&world);
        Self { world, state, brain, outside: vec![], ends: BTreeMap::new(), rung: BTreeMap::new(), tick: 0 }
    }

    fn send(&mut self, input: RunInput, interrupts: bool) {
        let id = self.world.accept_input(input);
        self.world.runs.get_mut(&id).expect("just accepted").interrupts = interrupts;
    }

    fn open(&self) -> Option<RunId> {
        let open = |status| self.world.runs.values().find(|r| r.status == status).map(|r| r.id);
        open(RunStatus::Running).or_else(|| open(RunStatus::Created))
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Send { interrupts } => {
                self.send(RunInput { max_steps: 6, ..input("and now?") }, interrupts);
            }
            Act::Decide { approve } => {
                let decisions = vec![Decision::Approval { tool_call_id: None, approve, reason: None }];
                self.send(RunInput { decisions, max_steps: 6, ..RunInput::default() }, false);
            }
            Act::Begin => {
                // The step function is asked even when it is busy: it must know.
                if let Some(run) = self.open() {
                    self.take(&Event::Start(Box::new(self.world.runs[&run].clone())));
                }
            }
            Act::Answer(n) => {
                let len = self.outside.len().max(1);
                if let Some((outside, back)) = self.outside.get_mut(n % len) {
                    *back = true;
                    let event = outside.clone().event(false);
                    self.take(&event);
                }
            }
            Act::Newest { fails } => {
                // Of several that run at once each comes back in the end.
                let newest = self.outside.iter().rposition(|(_, back)| !back).or(self.outside.len().checked_sub(1));
                if let Some((outside, back)) = newest.and_then(|n| self.outside.get_mut(n)) {
                    *back = true;
                    let event = outside.clone().event(fails);
                    self.take(&event);
                }
            }
            Act::Stale(attempt) => {
                // Numbers of attempts are not given twice in a life, so none of these is waited for.
                let used = self.outside.iter().any(|(o, _)| match o {
                    Outside::Llm(a, _) | Outside::Summary(a, _) | Outside::Tool(a) => *a == attempt,
                });
                if !used {
                    self.take(&Event::ToolDone { attempt, outcome: Box::new(ToolOutcome::ok("stale")) });
                    self.take(&Outside::Llm(attempt, Box::default()).event(false));
                    self.take(&Outside::Summary(attempt, Box::default()).event(true));
                }
            }
            Act::Cancel(n) => {
                let run = self.world.runs.keys().nth(n % self.world.runs.len().max(1)).copied();
                if let Some(run_id) = run {
                    self.take(&Event::Cancel { run_id });
                }
            }
            Act::Reload => {
                self.state = load(&self.world);
                self.outside.clear();
            }
            Act::Deny if !self.state.is_busy() => self.change(|state, env| state.deny_pending(|_| true, env)),
            Act::Recompile if !self.state.is_busy() => self.change(|state, env| state.recompile(false, env)),
            Act::Compact if !self.state.is_busy() => self.change(|state, _| state.compact(None, Some(1))),
            Act::Deny | Act::Recompile | Act::Compact => {}
        }
    }

    fn take(&mut self, event: &Event) {
        self.change(|state, env| state.step(event.clone(), env));
    }

    /// Changes the state and its twin, and carries out what that leads to.
    fn change(&mut self, change: impl Fn(&mut State, &Env<'_>) -> Vec<Effect>) {
        self.tick += 1;
        let (mut twin, ids) = (self.state.clone(), self.world.ids.clone());
        let effects = with_env(self.tick, &self.world.ids, |env| change(&mut self.state, env));
        let again = with_env(self.tick, &ids, |env| change(&mut twin, env));
        assert_eq!(format!("{effects:?}"), format!("{again:?}"), "the same input, the same output");
        assert_eq!(self.world.ids.uuid(), ids.uuid());
        for effect in effects {
            self.perform(effect);
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Commit(commit) => {
                self.world.apply(&commit);
                if self.state.snapshot.agent.rev != self.world.snapshot.agent.rev {
                    self.state.refresh(self.world.snapshot.clone());
                }
            }
            Effect::CallLlm { attempt, .. } => {
                let request = with_env(self.tick, &self.world.ids, |env| self.state.request(env));
                let reply = (self.brain)(&request).unwrap_or_default();
                self.outside.push((Outside::Llm(attempt, Box::new(reply)), false));
            }
            Effect::Summarize { attempt, request } => {
                let reply = (self.brain)(&request).unwrap_or_default();
                self.outside.push((Outside::Summary(attempt, Box::new(reply)), false));
            }
            Effect::RunTool { attempt, call, .. } => {
                if call.name == ONCE {
                    let committed = self.world.messages.values().rev().find(|m| m.content.calls().contains(&call));
                    let seq = committed.expect("a call is committed before it takes effect outside").seq;
                    *self.rung.entry((seq, call.id)).or_default() += 1;
                }
                self.outside.push((Outside::Tool(attempt), false));
            }
            Effect::Ended(end) => {
                *self.ends.entry(end.run_id).or_default() += 1;
                let run = &self.world.runs[&end.run_id];
                assert_eq!(
                    (run.status, run.stop_reason),
                    (end.status, Some(end.stop_reason)),
                    "what is told is stored"
                );
            }
            Effect::Abort | Effect::Publish(_) | Effect::Answer(_) => {}
        }
    }

    /// Lets everything come to its end, and looks what is left.
    fn calm_down(mut self) {
        for _ in 0..2_000 {
            if self.state.is_busy() {
                self.act(Act::Newest { fails: false });
            } else if self.open().is_some() {
                self.act(Act::Begin);
            } else {
                break;
            }
        }
        assert!(self.open().is_none(), "every run comes to its end");
        self.world.check();
        assert!(self.ends.values().all(|n| *n == 1), "one end for a run");
        assert!(self.rung.values().all(|n| *n == 1), "a call with an effect outside runs once");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_a_conversation_is_well_formed(
        agent_type in any_type(),
        list in prop::collection::vec(any_move(), 0..8),
        acts in prop::collection::vec(any_act(), 1..60),
        approvals in any::<bool>(),
        at_once in any::<bool>(),
        small in any::<bool>(),
    ) {
        let mut storm = Storm::new(agent_type, if small { 4_000 } else { 32_000 }, approvals, at_once, moves(list));
        for act in acts {
            storm.act(act);
        }
        storm.calm_down();
    }

    /// Cancelled with an interruption in line while a request for approval waits, in every order.
    #[test]
    fn an_interruption_makes_room_for_itself(
        before in prop::collection::vec(any_act(), 0..12),
        after in prop::collection::vec(any_act(), 0..12),
    ) {
        let brain = moves(vec![Move::Call(vec![(ONCE.into(), "{}".into())])]);
        let mut storm = Storm::new(AgentType::LettaV1Agent, 32_000, true, false, brain);
        let acts = before.into_iter().chain([Act::Send { interrupts: true }]).chain(after);
        for act in acts {
            storm.act(act);
        }
        storm.calm_down();
    }
}
