//! Driving the step function and carrying out what it says.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use engram_core::{
    ports::{Commit, CommitOutcome, StoreError, ToolEffect},
    step::{CommandResult, Effect, Env, Event, RunError, State},
};
use engram_domain::{StopReason, Tool};
use tracing::Instrument;

use crate::{
    Ports,
    agent::{Live, interrupted},
    api::{Command, CommandError, CommandOutcome, StreamEvent},
    effects, insight,
    journal::{Journal, logged},
    messaging,
};

/// Times that an event is taken in again because a block was changed by somebody else meanwhile.
const CONFLICT_RETRIES: usize = 8;
/// How long a commit is tried again while the database cannot be reached. After that the actor ends;
/// the run goes on from its last commit when the database is back.
const COMMIT_PATIENCE: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(200), Duration::from_millis(750), Duration::from_secs(2)];

/// Why effects were not carried out to the end.
enum Stop {
    /// A block changed: take the event in again.
    Conflict,
    /// This actor must not go on.
    Dead,
    /// It could, but another node shall.
    HandOver,
}

/// What the step function may look at, as it is now.
fn with_env<T>(ports: &Ports, look: impl FnOnce(&Env<'_>) -> T) -> T {
    let effect_of = |tool: &Tool| -> ToolEffect { ports.tools.effect(tool) };
    look(&Env { now: ports.clock.now(), mono_ns: ports.clock.monotonic_ns(), ids: &*ports.ids, effect_of: &effect_of })
}

impl Live {
    /// Takes an event in.
    pub(crate) async fn drive(&mut self, event: Event) {
        if self.settle_journal(&event).await.is_err() {
            return self.die();
        }
        let span = self.span.clone();
        self.act(move |state, env| state.step(event.clone(), env)).instrument(span).await;
    }

    /// A model call is over: what it said in pieces comes before what follows from it.
    async fn settle_journal(&mut self, event: &Event) -> Result<(), Stop> {
        let over = match (&self.journal, event) {
            (Some(journal), Event::LlmDone { attempt, .. } | Event::LlmFailed { attempt, .. }) => {
                journal.attempt == *attempt
            }
            (Some(_), Event::Cancel { run_id }) => self.current == Some(*run_id),
            _ => false,
        };
        if over && let Some(journal) = self.journal.take() {
            self.log = Some(journal.finish().await.map_err(|_| Stop::Dead)?);
        }
        Ok(())
    }

    /// Carries a command out.
    pub(crate) async fn command(&mut self, command: Command) {
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
        if self.dead {
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
        for _ in 0..CONFLICT_RETRIES {
            let before = self.state.clone();
            let effects = with_env(&self.inner.ports, |env| change(&mut self.state, env));
            match self.perform(effects).await {
                Ok(()) => return,
                Err(Stop::Dead) => return self.die(),
                Err(Stop::HandOver) => {
                    insight::passivation("draining");
                    self.handed_over = true;
                    return;
                }
                Err(Stop::Conflict) => {
                    self.state = before;
                    self.refresh().await;
                    if self.dead {
                        return;
                    }
                }
            }
        }
        tracing::warn!("a shared block kept changing; the run is taken up again later");
        self.die_of_it();
    }

    /// Loads the configuration again. A conversation beside the default one may have blocks and a model
    /// of its own, which only loading all of it knows.
    pub(crate) async fn refresh(&mut self) {
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
                self.die();
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
                    number = self.log.map(|last| last + 1);
                    self.log = self.log.map(|last| commit.events.last().map_or(last, |e| e.seq));
                }
                Effect::Publish(message) => {
                    if let Some(run) = message.run_id.filter(|_| self.current == message.run_id) {
                        self.inner.hub.publish(run, next(&mut number), StreamEvent::Message(message));
                    }
                }
                // Everything up to here is committed, and nothing runs outside.
                Effect::CallLlm { .. } | Effect::Summarize { .. } if self.hands_over() && self.current.is_some() => {
                    return Err(Stop::HandOver);
                }
                Effect::CallLlm { attempt, message_id, step_id, stream_tokens } => {
                    let request = with_env(&self.inner.ports, |env| self.state.request(env));
                    if let (Some(last), Some(run), true) = (self.log, self.current, stream_tokens) {
                        self.journal = Some(Journal::start(&self.inner, self.fence, run, attempt, last));
                    }
                    effects::call_llm(self, attempt, request, (message_id, step_id), stream_tokens);
                }
                Effect::Summarize { attempt, request } => effects::summarize(self, attempt, *request),
                Effect::RunTool { attempt, tool, args, context, .. } => {
                    effects::run_tool(self, attempt, tool, args, *context);
                }
                Effect::Abort => {
                    self.outside.cancel();
                    self.outside = tokio_util::sync::CancellationToken::new();
                }
                Effect::Ended(end) => {
                    let run = end.run_id;
                    insight::turn_ended(end.status, end.stop_reason, self.started.elapsed());
                    insight::end_turn_span(&self.span, end.status, end.stop_reason);
                    self.span = tracing::Span::none();
                    self.current = None;
                    self.inner.driving.remove(&self.fence.conversation_id);
                    self.inner.deaths.remove(&run);
                    self.remember(run);
                    self.inner.hub.publish(run, next(&mut number), StreamEvent::Ended(end));
                }
                Effect::Answer(result) => self.answer(*result),
            }
        }
        Ok(())
    }

    /// What readers are to see of a commit goes into the log with it, when the run's events are kept.
    fn log_into(&self, commit: &mut Commit, after: &VecDeque<Effect>) {
        let (Some(last), Some(run)) = (self.log, self.current) else { return };
        let shown =
            after.iter().take_while(|effect| !matches!(effect, Effect::Commit(_))).filter_map(|effect| match effect {
                Effect::Publish(message) if message.run_id == Some(run) => Some(StreamEvent::Message(message.clone())),
                Effect::Ended(end) => Some(StreamEvent::Ended(end.clone())),
                _ => None,
            });
        commit.events = (last + 1..).zip(shown).filter_map(|(seq, event)| logged(seq, &event)).collect();
    }

    async fn commit(&mut self, commit: &Commit) -> Result<(), Stop> {
        let mut patience = COMMIT_PATIENCE.iter();
        loop {
            let started = Instant::now();
            let outcome = self.inner.ports.store.commit(self.fence, commit).await;
            insight::commit(outcome_name(&outcome), started.elapsed());
            match outcome {
                Ok(CommitOutcome::Done { agent_rev }) => {
                    messaging::deliver(&self.inner, &commit.writes);
                    if agent_rev != self.state.snapshot.agent.rev {
                        self.refresh().await;
                    }
                    return if self.dead { Err(Stop::Dead) } else { Ok(()) };
                }
                Ok(CommitOutcome::BlockConflict) => return Err(Stop::Conflict),
                Ok(CommitOutcome::Fenced) => {
                    tracing::info!(conversation = %self.fence.conversation_id, "fenced: another owner has it now");
                    insight::passivation("fenced");
                    return Err(Stop::Dead);
                }
                // Whether it happened is not known. If it did, the next try finds another sequence
                // and is fenced, and the next life reads what happened.
                Err(StoreError::Unavailable(why)) => match patience.next() {
                    Some(pause) => {
                        tracing::warn!(why, "commit failed, trying again");
                        tokio::time::sleep(*pause).await;
                    }
                    None => return Err(Stop::Dead),
                },
                Err(error) => {
                    // The next life would be refused the same: this run cannot go on.
                    tracing::error!(%error, conversation = %self.fence.conversation_id, "commit was refused");
                    if let Some(run) = self.current {
                        let cause =
                            RunError::new("internal_error", "The database refused what this run wants to store.");
                        let ended = effects::end_unowned(&self.inner, run, StopReason::Error, Some(cause)).await;
                        if let Err(error) = ended {
                            tracing::warn!(%error, %run, "a refused run could not be ended");
                        }
                    }
                    return Err(Stop::Dead);
                }
            }
        }
    }

    /// As [`Live::die`], when it is the run's fault.
    fn die_of_it(&mut self) {
        if let Some(run) = self.current {
            effects::count_death(&self.inner, run);
        }
        self.die();
    }

    /// Lets the state go. The database knows better: the reconciler looks there, and so does whoever listens.
    pub(crate) fn die(&mut self) {
        insight::passivation("failed");
        self.dead = true;
        self.outside.cancel();
        self.journal = None;
        if let Some(reply) = self.answer_to.take() {
            let _ = reply.send(Err(interrupted()));
        }
        self.inner.driving.remove(&self.fence.conversation_id);
        if let Some(run) = self.current.take() {
            self.inner.hub.leave(run);
        }
        self.inner.orphans.insert(self.fence.conversation_id);
        self.inner.reconcile_soon.notify_one();
    }

    fn answer(&mut self, result: CommandResult) {
        let Some(reply) = self.answer_to.take() else { return };
        let outcome = match result {
            CommandResult::Done => Ok(CommandOutcome::Done),
            CommandResult::Prompt(text) => Ok(CommandOutcome::Prompt(text)),
            CommandResult::Compacted { summary, before, after } => {
                Ok(CommandOutcome::Compacted { summary, before, after })
            }
            CommandResult::Message(message) => Ok(CommandOutcome::Message(Arc::clone(&message))),
            CommandResult::NotFound => Err(CommandError::NotFound),
        };
        let _ = reply.send(outcome);
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
        Err(StoreError::Unavailable(_)) => "unavailable",
        Err(_) => "refused",
    }
}
