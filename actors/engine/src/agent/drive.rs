//! Driving the step function and carrying out what it says.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use engram_core::{
    ports::{Commit, CommitOutcome, Fence, StoreError},
    retry::Pauses,
    step::{CommandOutcome, Effect, Env, Event, RunError, State},
};
use engram_domain::{MessageId, Run, RunErrorKind, RunId, RunStatus, StepId, StopReason};
use ractor::ActorRef;
use tracing::{Instrument, Span};

use super::{
    mailbox::{Msg, Refusal, Reply},
    outside::{Outside, Writing},
};
use crate::{
    Inner, Ports,
    api::{Command, CommandError, StreamEvent},
    journal::{Journal, Lost, logged},
    messaging, metrics, orphans,
};

/// Times that an event is taken in again because a block was changed by somebody else meanwhile: half a minute of them.
const CONFLICT_RETRIES: u32 = 200;

/// Why effects were not carried out to the end.
enum Stop {
    /// A block changed: take the event in again.
    Conflict,
    /// This actor must not go on.
    Dead,
    /// It must not go on, and the run has no part in that: the database was away, or a block kept changing.
    Innocent,
    /// It could, but another node shall.
    HandOver,
}

/// Whether a driver goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Live,
    /// It has stopped between two steps, for another node to go on.
    HandedOver,
    /// It has lost its right to write.
    Dead,
}

/// What the step function may look at, as it is now.
fn with_env<T>(ports: &Ports, look: impl FnOnce(&Env<'_>) -> T) -> T {
    look(&Env { now: ports.clock.now(), mono_ns: ports.clock.monotonic_ns(), ids: &*ports.ids })
}

/// The current run of a driver.
struct Current {
    id: RunId,
    /// When it began in this actor.
    started: Instant,
    span: Span,
    /// The number of its last event, when its events are kept.
    log: Option<i64>,
}

/// An agent's state, and the right to change its conversation. One run or command at a time.
pub(super) struct Driver {
    inner: Arc<Inner>,
    fence: Fence,
    pub(super) state: State,
    current: Option<Current>,
    /// The run that has ended and that nobody has asked for yet.
    ended: Option<RunId>,
    /// Who waits for the current command.
    answer_to: Option<Reply>,
    outside: Outside,
    /// Pieces of the model's answer on their way into the log.
    journal: Option<Journal>,
    /// Whether the current run should go on somewhere else after its current step.
    pub(super) hand_over: bool,
    life: Life,
}

impl Driver {
    /// A driver with no current run. Results of calls go to `mailbox`.
    pub(super) fn new(inner: Arc<Inner>, mailbox: ActorRef<Msg>, fence: Fence, state: State) -> Self {
        Self {
            outside: Outside::new(inner.clone(), mailbox),
            inner,
            fence,
            state,
            current: None,
            ended: None,
            answer_to: None,
            journal: None,
            hand_over: false,
            life: Life::Live,
        }
    }

    pub(super) fn fence(&self) -> Fence {
        self.fence
    }

    /// The current run.
    pub(super) fn current(&self) -> Option<RunId> {
        self.current.as_ref().map(|current| current.id)
    }

    /// The run that has come to its end since this was asked last.
    pub(super) fn take_ended(&mut self) -> Option<RunId> {
        self.ended.take()
    }

    /// Whether it has lost its right to write, and its actor must end.
    pub(super) fn is_dead(&self) -> bool {
        self.life == Life::Dead
    }

    /// Whether it does nothing any more, and its actor must end.
    pub(super) fn has_stopped(&self) -> bool {
        self.life != Life::Live
    }

    /// Stops what runs outside.
    pub(super) fn abort(&mut self) {
        self.outside.abort();
    }

    /// Begins a run, or goes on with it after a crash. `cause` is the span of the request that brought it.
    pub(super) async fn begin(&mut self, run: Box<Run>, cause: &Span) {
        let Ok(log) = self.open_log(&run).await else { return self.die() };
        let span = metrics::turn_span(&run, cause);
        self.current = Some(Current { id: run.id, started: Instant::now(), span, log });
        self.inner.driving.insert(self.fence.conversation_id, run.id);
        self.drive(Event::Start(run)).await;
    }

    /// Finds out where the log of a run ends whose events are kept.
    async fn open_log(&self, run: &Run) -> Result<Option<i64>, Stop> {
        if !run.background {
            return Ok(None);
        }
        let last = match run.status {
            // Its first commit writes the first event.
            RunStatus::Created => 0,
            _ => self.inner.ports.store.last_event(run.id).await.map_err(|error| {
                tracing::warn!(%error, run = %run.id, "a run's events could not be read; it is tried again");
                Stop::Dead
            })?,
        };
        self.inner.hub.begin(run.id, last);
        Ok(Some(last))
    }

    /// Takes an event in.
    pub(super) async fn drive(&mut self, event: Event) {
        match self.settle_journal(&event).await {
            Ok(()) => {}
            Err(Stop::Innocent) => return self.die_innocent(),
            Err(_) => return self.die(),
        }
        let span = self.span();
        self.act(move |state, env| state.step(event.clone(), env)).instrument(span).await;
    }

    /// A model call is over: what it said in pieces comes before what follows from it.
    async fn settle_journal(&mut self, event: &Event) -> Result<(), Stop> {
        let over = match (&self.journal, event) {
            (Some(journal), Event::LlmDone { attempt, .. } | Event::LlmFailed { attempt, .. }) => {
                journal.attempt == *attempt
            }
            (Some(_), Event::Cancel { run_id }) => self.current() == Some(*run_id),
            _ => false,
        };
        if over && let Some(journal) = self.journal.take() {
            let last = journal.finish().await.map_err(|lost| match lost {
                Lost::Database => Stop::Innocent,
                Lost::Refused => Stop::Dead,
            })?;
            if let Some(current) = &mut self.current {
                current.log = Some(last);
            }
        }
        Ok(())
    }

    /// Carries a command out.
    pub(super) async fn command(&mut self, command: Command, reply: Reply) {
        self.answer_to = Some(reply);
        // Its answer may be that there is nothing to do, and then no commit would tell that another node has taken over.
        match self.inner.ports.store.holds(self.fence).await {
            Ok(true) => {}
            Ok(false) => {
                if let Some(reply) = self.answer_to.take() {
                    let _ = reply.send(Err(CommandError::Elsewhere));
                }
                return self.die();
            }
            Err(error) => {
                tracing::warn!(%error, "whether a conversation is still ours could not be read");
                return self.die();
            }
        }
        // A command looks at the configuration as it is now.
        self.refresh().await;
        if self.is_dead() {
            return;
        }
        self.act(move |state, env| match command.clone() {
            Command::Reset { add_default_initial_messages } => state.reset(add_default_initial_messages, env),
            Command::Forget { group } => state.forget(&group, env),
            Command::Recompile { dry_run } => state.recompile(dry_run, env),
            Command::Compact { settings, keep_last } => state.compact(settings, keep_last),
            Command::DenyPending(pending) => state.deny_pending(|request| pending.is(request), env),
            Command::EditMessage { id, content } => state.edit(id, content, env),
        })
        .await;
    }

    /// Changes the state and carries out what that leads to; again from the start, on what is in the
    /// database then, when a block was changed by somebody else.
    async fn act(&mut self, change: impl Fn(&mut State, &Env<'_>) -> Vec<Effect> + Send) {
        for conflicts in 0..CONFLICT_RETRIES {
            let before = self.state.clone();
            let effects = with_env(&self.inner.ports, |env| change(&mut self.state, env));
            match self.perform(effects).await {
                Ok(()) => return,
                Err(Stop::Dead) => return self.die(),
                Err(Stop::Innocent) => return self.die_innocent(),
                Err(Stop::HandOver) => {
                    metrics::passivation("draining");
                    self.life = Life::HandedOver;
                    return;
                }
                Err(Stop::Conflict) => {
                    self.state = before;
                    // Those who lost to the same writer must not meet again.
                    tokio::time::sleep(Pauses::CONFLICT.by_chance(conflicts, &*self.inner.ports.ids)).await;
                    self.refresh().await;
                    if self.is_dead() {
                        return;
                    }
                }
            }
        }
        tracing::warn!("a shared block kept changing; the run is taken up again later");
        self.die_innocent();
    }

    /// Loads the configuration again. A conversation beside the default one may have blocks and a model
    /// of its own, which only loading all of it knows.
    pub(super) async fn refresh(&mut self) {
        let store = &self.inner.ports.store;
        let loaded = if self.state.conversation.is_default() {
            store.load_snapshot(self.state.snapshot.agent.id).await
        } else {
            store.load(self.state.conversation.id).await.map(|loaded| {
                loaded.map(|loaded| {
                    self.state.conversation.model = loaded.conversation.model;
                    self.state.conversation.model_settings = loaded.conversation.model_settings;
                    loaded.snapshot
                })
            })
        };
        match loaded {
            Ok(Some(snapshot)) => self.state.refresh(snapshot),
            Ok(None) => self.die(),
            Err(error) => {
                tracing::warn!(%error, "an agent's configuration could not be read");
                self.die_innocent();
            }
        }
    }

    async fn perform(&mut self, list: Vec<Effect>) -> Result<(), Stop> {
        let mut list = VecDeque::from(list);
        // Number of the next event that is shown, of a run whose events are kept.
        let mut number = None;
        while let Some(effect) = list.pop_front() {
            match effect {
                Effect::Commit(mut commit) => {
                    self.log_into(&mut commit, &list);
                    self.commit(&commit).await?;
                    if let Some(last) = self.current.as_mut().and_then(|current| current.log.as_mut()) {
                        number = Some(*last + 1);
                        *last = commit.events.last().map_or(*last, |event| event.seq);
                    }
                }
                Effect::Publish(message) => {
                    if let Some(run) = message.run_id.filter(|_| self.current() == message.run_id) {
                        self.inner.hub.publish(run, next(&mut number), StreamEvent::Message(message));
                    }
                }
                // Everything up to here is committed, and nothing runs outside.
                Effect::CallLlm { .. } | Effect::Summarize { .. } if self.hand_over && self.current.is_some() => {
                    return Err(Stop::HandOver);
                }
                Effect::CallLlm { attempt, message_id, step_id, stream_tokens } => {
                    self.call_llm(attempt, message_id, step_id, stream_tokens);
                }
                Effect::Summarize { attempt, request } => {
                    self.outside.summarize(attempt, self.state.snapshot.agent.id, *request, self.span());
                }
                Effect::RunTool { attempt, tool, args, context, .. } => {
                    self.outside.run_tool(attempt, tool, args, *context, &self.span());
                }
                Effect::Abort => self.outside.abort(),
                Effect::Ended(end) => {
                    let run = end.run_id;
                    if let Some(current) = self.current.take() {
                        metrics::turn_ended(end.status, end.stop_reason, current.started.elapsed());
                        metrics::end_turn_span(&current.span, end.status, end.stop_reason);
                    }
                    self.inner.driving.remove(&self.fence.conversation_id);
                    self.inner.deaths.remove(&run);
                    self.inner.forgiven.remove(&run);
                    self.ended = Some(run);
                    self.inner.hub.publish(run, next(&mut number), StreamEvent::Ended(end));
                }
                Effect::Answer(outcome) => self.answer(outcome.map(|outcome| *outcome)),
            }
        }
        Ok(())
    }

    /// The span of the current run.
    fn span(&self) -> Span {
        self.current.as_ref().map_or_else(Span::none, |current| current.span.clone())
    }

    fn call_llm(&mut self, attempt: u64, message_id: MessageId, step_id: StepId, stream_tokens: bool) {
        let request = with_env(&self.inner.ports, |env| self.state.request(env));
        let show =
            self.current.as_ref().filter(|_| stream_tokens).map(|current| -> Box<dyn Fn(StreamEvent) + Send + Sync> {
                let run = current.id;
                if let Some(last) = current.log {
                    let journal = Journal::start(&self.inner, self.fence, run, attempt, last);
                    let sink = journal.sink();
                    self.journal = Some(journal);
                    return Box::new(sink);
                }
                let inner = self.inner.clone();
                Box::new(move |event| inner.hub.publish(run, None, event))
            });
        let writing = Writing { message_id, step_id, show };
        self.outside.call_llm(attempt, self.state.snapshot.agent.id, request, writing, &self.span());
    }

    /// What readers are to see of a commit goes into the log with it, when the run's events are kept.
    fn log_into(&self, commit: &mut Commit, after: &VecDeque<Effect>) {
        let Some(&Current { id: run, log: Some(last), .. }) = self.current.as_ref() else { return };
        let shown =
            after.iter().take_while(|effect| !matches!(effect, Effect::Commit(_))).filter_map(|effect| match effect {
                Effect::Publish(message) if message.run_id == Some(run) => Some(StreamEvent::Message(message.clone())),
                Effect::Ended(end) => Some(StreamEvent::Ended(end.clone())),
                _ => None,
            });
        commit.events = (last + 1..).zip(shown).filter_map(|(seq, event)| logged(seq, &event)).collect();
    }

    async fn commit(&mut self, commit: &Commit) -> Result<(), Stop> {
        // After them the actor ends; the run goes on from its last commit when the database is back.
        let mut pauses = Pauses::DATABASE.iter();
        loop {
            let started = Instant::now();
            let outcome = self.inner.ports.store.commit(self.fence, commit).await;
            metrics::commit(outcome_name(&outcome), started.elapsed());
            match outcome {
                Ok(CommitOutcome::Done { agent_rev }) => {
                    messaging::deliver(&self.inner, &commit.writes);
                    if agent_rev != self.state.snapshot.agent.rev {
                        self.refresh().await;
                    }
                    return if self.is_dead() { Err(Stop::Dead) } else { Ok(()) };
                }
                Ok(CommitOutcome::BlockConflict) => return Err(Stop::Conflict),
                Ok(CommitOutcome::Fenced) => {
                    tracing::info!(conversation = %self.fence.conversation_id, "fenced: another owner has it now");
                    metrics::passivation("fenced");
                    return Err(Stop::Dead);
                }
                // Whether it happened is not known. If it did, the next try finds another sequence
                // and is fenced, and the next life reads what happened.
                Err(StoreError::Unavailable(why) | StoreError::Overloaded(why)) => match pauses.next() {
                    Some(pause) => {
                        tracing::warn!(why, "commit failed, trying again");
                        tokio::time::sleep(pause).await;
                    }
                    None => return Err(Stop::Innocent),
                },
                Err(error) => {
                    // The next life would be refused the same: this run cannot go on.
                    tracing::error!(%error, conversation = %self.fence.conversation_id, "commit was refused");
                    if let Some(run) = self.current() {
                        let cause =
                            RunError::new(RunErrorKind::Internal, "The database refused what this run wants to store.");
                        let ended = orphans::end(&self.inner, run, StopReason::Error, Some(cause)).await;
                        if let Err(error) = ended {
                            tracing::warn!(%error, %run, "a refused run could not be ended");
                        }
                    }
                    return Err(Stop::Dead);
                }
            }
        }
    }

    /// As [`Self::die`], when the run has no part in it: that it was begun does not count against it.
    fn die_innocent(&mut self) {
        if let Some(run) = self.current() {
            orphans::forgive(&self.inner, run);
        }
        self.die();
    }

    /// Gives up the right to write. The database knows better than this state: the reconciler looks there, and so does
    /// whoever follows the run.
    pub(super) fn die(&mut self) {
        metrics::passivation("failed");
        self.life = Life::Dead;
        self.outside.abort();
        self.journal = None;
        if let Some(reply) = self.answer_to.take() {
            let _ = reply.send(Err(Refusal::Interrupted.into()));
        }
        self.inner.driving.remove(&self.fence.conversation_id);
        if let Some(current) = self.current.take() {
            self.inner.hub.leave(current.id);
        }
        self.inner.orphans.insert(self.fence.conversation_id);
        self.inner.reconcile_soon.notify_one();
    }

    fn answer(&mut self, outcome: Option<CommandOutcome>) {
        let Some(reply) = self.answer_to.take() else { return };
        let _ = reply.send(outcome.ok_or(CommandError::NotFound));
    }
}

fn next(number: &mut Option<i64>) -> Option<i64> {
    let this = *number;
    *number = this.map(|n| n + 1);
    this
}

fn outcome_name(outcome: &Result<CommitOutcome, StoreError>) -> &'static str {
    match outcome {
        Ok(CommitOutcome::Done { .. }) => "done",
        Ok(CommitOutcome::Fenced) => "fenced",
        Ok(CommitOutcome::BlockConflict) => "conflict",
        Err(StoreError::Unavailable(_) | StoreError::Overloaded(_)) => "unavailable",
        Err(_) => "refused",
    }
}
