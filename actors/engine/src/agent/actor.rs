//! The actor's life: the claim of a conversation, its messages one after the other, the release.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use engram_core::{
    ports::StoreError,
    step::{Event, RunError, State},
};
use engram_domain::{ConversationId, RunErrorKind, RunId, RunStatus, StopReason, run::MAX_ATTEMPTS};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tracing::Span;

use super::{
    drive::Driver,
    mailbox::{AcceptedRun, Msg, Refusal, Reply, refuse},
    queue::RunQueue,
};
use crate::{
    Inner,
    activity::{Activity, ActivityEntry},
    api::Command,
    held::Share,
    metrics::{self, QueueDepth},
    orphans,
};

/// How an actor comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Closing {
    No,
    /// After the current run.
    AfterRun,
    /// After the current step.
    AfterStep,
}

/// What an actor is started with.
pub(crate) struct Arguments {
    pub(crate) inner: Arc<Inner>,
    pub(crate) conversation: ConversationId,
}

/// What an actor holds: who drives its runs, and what waits.
pub(crate) struct Live {
    inner: Arc<Inner>,
    driver: Driver,
    queue: RunQueue<Box<AcceptedRun>>,
    /// How many runs wait, for the metrics.
    depth: QueueDepth,
    /// What it does, for whoever looks.
    activity: ActivityEntry,
    /// What it holds in memory.
    held: Share,
    commands: VecDeque<(Command, Reply)>,
    /// When it last had something to do, on the clock of [`engram_core::ports::Clock::monotonic_ns`].
    last_busy_ns: i64,
    closing: Closing,
}

pub(crate) struct AgentActor;

impl Actor for AgentActor {
    type Msg = Msg;
    type State = Live;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Msg>, args: Arguments) -> Result<Live, ActorProcessingErr> {
        let Arguments { inner, conversation } = args;
        let store = &inner.ports.store;
        let fence = store
            .claim(conversation, inner.settings.node.id)
            .await?
            .ok_or_else(|| format!("{conversation} is gone or owned by another node"))?;
        let loaded = store.load(conversation).await?.ok_or_else(|| format!("{conversation} is gone"))?;
        let state = State::new(loaded).ok_or_else(|| format!("{conversation} has no system message"))?;
        // What was accepted and not finished comes first; pointers that arrive later are checked
        // against it.
        let queue = RunQueue::new(store.open_runs(conversation.into()).await?);
        metrics::activation("ok");
        Ok(Live {
            driver: Driver::new(inner.clone(), myself, fence, state),
            queue,
            depth: QueueDepth::default(),
            activity: inner.activity.enter(conversation, inner.ports.clock.now()),
            held: inner.held.enter(),
            last_busy_ns: inner.ports.clock.monotonic_ns(),
            inner,
            commands: VecDeque::new(),
            closing: Closing::No,
        })
    }

    async fn handle(&self, myself: ActorRef<Msg>, message: Msg, live: &mut Live) -> Result<(), ActorProcessingErr> {
        // On the heap, and only while there is work: what a message may lead to is several KiB of future, which
        // every idle agent would keep otherwise.
        Box::pin(live.receive(&myself, message)).await;
        Ok(())
    }

    async fn post_stop(&self, myself: ActorRef<Msg>, live: &mut Live) -> Result<(), ActorProcessingErr> {
        live.driver.abort();
        let fence = live.driver.fence();
        live.inner.registry.remove(fence.conversation_id, myself.get_id());
        if !live.driver.is_dead()
            && let Err(error) = live.inner.ports.store.release(fence).await
        {
            tracing::debug!(%error, "a conversation could not be given back; its lease runs out with this node");
        }
        live.pass_on().await;
        Ok(())
    }
}

impl Live {
    /// Takes a message in, and does what is next.
    async fn receive(&mut self, myself: &ActorRef<Msg>, message: Msg) {
        if self.driver.has_stopped() {
            refuse(&self.inner, vec![message], Refusal::Interrupted);
            return;
        }
        // Not one that was just started for work that has not reached it yet.
        let worked = matches!(message, Msg::Event(_) | Msg::Command { .. });
        match message {
            Msg::Run(accepted) => self.enqueue(accepted.run.id, Some(accepted)),
            Msg::Look { run } => self.enqueue(run, None),
            Msg::Event(event) => self.drive(event).await,
            Msg::Command { command, reply } => self.commands.push_back((command, reply)),
            Msg::Cancel { run, reply } => {
                let _ = reply.send(self.cancel(run).await);
            }
            Msg::Begin => drop(myself.send_after(self.inner.settings.idle_after, || Msg::Idle)),
            Msg::Idle => self.end_if_idle(myself),
            Msg::Passivate if self.is_idle() => {
                metrics::passivation("pressure");
                self.close(Closing::AfterRun);
            }
            Msg::Passivate => {}
            Msg::Close { hand_over } => self.close(if hand_over { Closing::AfterStep } else { Closing::AfterRun }),
        }
        self.next().await;
        self.note_activity();
        if worked && self.is_idle() && self.inner.held.total() > self.inner.settings.held_bytes {
            metrics::passivation("pressure");
            self.close(Closing::AfterRun);
        }
        self.end_if_done(myself);
    }

    async fn drive(&mut self, event: Event) {
        self.driver.drive(event).await;
        self.queue_ended();
    }

    /// Remembers the run that the driver has brought to its end.
    fn queue_ended(&mut self) {
        if let Some(run) = self.driver.take_ended() {
            self.queue.finish(run);
        }
    }

    fn enqueue(&mut self, id: RunId, row: Option<Box<AcceptedRun>>) {
        if self.driver.current() == Some(id) {
            return;
        }
        if self.queue.is_over(id) {
            // Whoever came to follow it here finds its end in the database.
            return self.inner.hub.leave(id);
        }
        self.queue.push(id, row);
    }

    fn note_activity(&mut self) {
        let queued = self.queue.len();
        self.depth.set(queued);
        let activity = match &self.driver.state {
            state if state.is_busy() => Activity::Running,
            state if state.pending_approval().is_some() => Activity::Waiting,
            _ => Activity::Idle,
        };
        self.held.set(self.driver.state.bytes());
        self.activity.note(activity, self.driver.current(), queued, || self.inner.ports.clock.now());
    }

    fn is_idle(&self) -> bool {
        !self.driver.state.is_busy() && self.queue.is_empty() && self.commands.is_empty()
    }

    fn close(&mut self, how: Closing) {
        self.closing = self.closing.max(how);
        self.driver.hand_over = self.closing == Closing::AfterStep;
    }

    /// Ends the actor when it must: the registry first, so that what is sent from now on wakes another.
    fn end_if_done(&self, myself: &ActorRef<Msg>) {
        if self.driver.has_stopped() || (self.closing != Closing::No && !self.driver.state.is_busy()) {
            self.inner.registry.remove(self.driver.fence().conversation_id, myself.get_id());
            let _ = myself.drain();
        }
    }

    /// Begins what is next if there is no current run or command.
    async fn next(&mut self) {
        while !self.driver.state.is_busy() && !self.driver.is_dead() && self.closing == Closing::No {
            self.last_busy_ns = self.inner.ports.clock.monotonic_ns();
            if self.driver.state.pending_approval().is_none() {
                self.queue.readmit();
            }
            if let Some((command, reply)) = self.commands.pop_front() {
                self.driver.command(command, reply).await;
            } else if let Some((id, row)) = self.queue.pop() {
                self.begin(id, row).await;
            } else {
                break;
            }
        }
    }

    async fn begin(&mut self, id: RunId, row: Option<Box<AcceptedRun>>) {
        if self.inner.deaths.get(&id).is_some_and(|n| *n >= MAX_ATTEMPTS) {
            self.inner.deaths.remove(&id);
            metrics::error("run_given_up");
            let error =
                RunError::new(RunErrorKind::Internal, "The run failed inside the server, repeatedly, and is given up.");
            if let Err(error) = orphans::end(&self.inner, id, StopReason::Error, Some(error)).await {
                tracing::warn!(%error, run = %id, "a run could not be given up");
                self.driver.die();
            }
            return;
        }
        let (mut run, cause) = if let Some(accepted) = row {
            let AcceptedRun { run, rev, cause } = *accepted;
            if rev > self.driver.state.snapshot.agent.rev {
                self.driver.refresh().await;
            }
            (run, cause)
        } else {
            match self.inner.ports.store.run(id).await {
                Ok(Some(run)) => (run, Span::none()),
                // Deleted: whoever follows it finds that out.
                Ok(None) => return self.inner.hub.leave(id),
                Err(error) => {
                    tracing::warn!(%error, run = %id, "a run could not be read; it is tried again");
                    self.driver.die();
                    return;
                }
            }
        };
        if run.status.is_terminal() {
            // Whoever follows it here finds its end in the database.
            self.inner.hub.leave(id);
        }
        if run.status.is_terminal() || self.driver.is_dead() {
            return;
        }
        if self.driver.state.must_wait(&run) {
            return self.queue.defer(id);
        }
        if run.status == RunStatus::Running {
            metrics::recovered(1);
            if !run.background {
                // Whoever follows it here since it was accepted has not heard what it said in its life elsewhere.
                self.inner.hub.leave(id);
            }
        }
        orphans::begin_forgiven(&self.inner, &mut run).await;
        self.driver.begin(Box::new(run), &cause).await;
        self.queue_ended();
    }

    async fn cancel(&mut self, run: RunId) -> Result<bool, StoreError> {
        if self.driver.current() == Some(run) && self.driver.state.turn.is_some() {
            self.drive(Event::Cancel { run_id: run }).await;
            if !self.driver.is_dead() {
                return Ok(true);
            }
        }
        // Only once it is over may it be forgotten: the database may refuse, or its answer be lost. Then the run is
        // read again when its turn comes.
        self.queue.forget_row(run);
        let ended = orphans::end(&self.inner, run, StopReason::Cancelled, None).await?;
        // Its pointer may still be on the way.
        self.queue.finish(run);
        Ok(ended)
    }

    /// Hands what came too late for this actor to the next one, here or on another node.
    async fn pass_on(&mut self) {
        self.depth.set(0);
        let conversation = self.driver.fence().conversation_id;
        let current = self.driver.current();
        let waiting = self.queue.drain();
        if self.driver.is_dead() || self.inner.closing.is_cancelled() {
            let unfinished = current.is_some() || !waiting.is_empty();
            for run in current.into_iter().chain(waiting) {
                self.inner.hub.leave(run);
            }
            for (_, reply) in self.commands.drain(..) {
                let _ = reply.send(Err(Refusal::Elsewhere.into()));
            }
            if unfinished
                && !self.driver.is_dead()
                && let Err(error) = self.inner.ports.store.notify(None, conversation.into()).await
            {
                tracing::debug!(%error, "other nodes could not be told; they find the work themselves");
            }
            return;
        }
        // Not their rows: they may be outdated when the next actor wakes.
        for run in waiting {
            self.inner.registry.look(conversation, run);
        }
        for (command, reply) in self.commands.drain(..) {
            self.inner.registry.send(conversation, Msg::Command { command, reply });
        }
    }

    /// Ends the actor after a while with nothing to do.
    fn end_if_idle(&mut self, myself: &ActorRef<Msg>) {
        let idle_after = self.inner.settings.idle_after;
        let idle_ns = self.inner.ports.clock.monotonic_ns() - self.last_busy_ns;
        let idle = Duration::from_nanos(u64::try_from(idle_ns).unwrap_or(0));
        if !self.is_idle() {
            self.last_busy_ns = self.inner.ports.clock.monotonic_ns();
            myself.send_after(idle_after, || Msg::Idle);
        } else if idle >= idle_after {
            metrics::passivation("idle");
            self.close(Closing::AfterRun);
        } else {
            myself.send_after(idle_after.saturating_sub(idle).max(Duration::from_millis(100)), || Msg::Idle);
        }
    }
}
