//! The agent actor: the one writer of a conversation.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use engram_core::{
    ports::{Fence, StoreError},
    step::{Event, RunError, State},
};
use engram_domain::{ConversationId, Run, RunId, RunStatus, StopReason, run::MAX_ATTEMPTS};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::{
    Inner,
    api::{Command, CommandError, CommandOutcome},
    census::{Activity, Seat},
    effects,
    insight::{self, QueueDepth},
    journal::Journal,
    registry,
};

/// Finished runs that are remembered, so that a pointer that comes late starts nothing.
const REMEMBERED: usize = 128;

/// What comes into the mailbox.
pub(crate) enum Msg {
    /// A run was accepted. Only a pointer: losing it loses nothing, the run is in the database.
    Run {
        run: Box<Run>,
        /// The agent's revision when the run was accepted.
        rev: i64,
        /// The request that brought it.
        cause: Span,
    },
    /// There is a run that this actor may not have heard of.
    Look { run: RunId },
    /// Something that ran outside is done.
    Event(Event),
    /// Do something when idle.
    Command { command: Command, reply: Reply },
    /// End a run.
    Cancel { run: RunId, reply: oneshot::Sender<Result<bool, StoreError>> },
    /// The actor is known under its conversation: what was left open comes first.
    Begin,
    /// Is there anything left to do?
    Idle,
    /// Memory is short: come to an end if nothing is on.
    Passivate,
    /// Come to an end: begin no other run, and finish the one that is on, or only the step that is on when
    /// another node can take over.
    Close { hand_over: bool },
}

/// How an actor comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Closing {
    No,
    /// After the run that is on.
    AfterRun,
    /// After the step that is on.
    AfterStep,
}

/// Why nobody takes a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The conversation does not exist any more.
    Gone,
    /// It lives with another node, or could not be loaded.
    Elsewhere,
    /// Its actor was interrupted in the middle of it.
    Interrupted,
}

pub(crate) type Reply = oneshot::Sender<Result<CommandOutcome, CommandError>>;

/// What an actor is started with.
pub(crate) struct Arguments {
    pub(crate) inner: Arc<Inner>,
    pub(crate) conversation: ConversationId,
}

/// A run's row with the agent's revision of that time and the request's span, where they came along with
/// the pointer.
type Row = Option<(Box<Run>, i64, Span)>;

/// What an actor holds besides the agent's state.
pub(crate) struct Live {
    pub(crate) inner: Arc<Inner>,
    pub(crate) myself: ActorRef<Msg>,
    pub(crate) fence: Fence,
    pub(crate) state: State,
    /// Runs that wait their turn, with their row where it came along.
    queue: VecDeque<(RunId, Row)>,
    /// Runs that wait until somebody has decided on what waits for approval.
    deferred: VecDeque<RunId>,
    /// How many wait, for the metrics.
    depth: QueueDepth,
    /// What it does, for whoever looks.
    seat: Seat,
    commands: VecDeque<(Command, Reply)>,
    /// Who waits for the command that is on.
    pub(crate) answer_to: Option<Reply>,
    /// The run that is on.
    pub(crate) current: Option<RunId>,
    /// Since when.
    pub(crate) started: Instant,
    /// Its span.
    pub(crate) span: Span,
    recent: VecDeque<RunId>,
    /// Stops what runs outside for the current run.
    pub(crate) outside: CancellationToken,
    last_busy: Instant,
    closing: Closing,
    /// Whether the actor has lost its right to write and must end.
    pub(crate) dead: bool,
    /// Whether it has stopped between two steps, for another node to go on.
    pub(crate) handed_over: bool,
    /// Whether the events of the run that is on are kept, and the number of the last one.
    pub(crate) log: Option<i64>,
    /// Pieces of the model's answer on their way into the log.
    pub(crate) journal: Option<Journal>,
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
        let queue: VecDeque<_> = store.open_runs(conversation).await?.into_iter().map(|id| (id, None)).collect();
        insight::activation("ok");
        let seat = inner.census.seat(conversation, inner.ports.clock.now());
        let live = Live {
            outside: CancellationToken::new(),
            inner,
            myself: myself.clone(),
            fence,
            state,
            queue,
            deferred: VecDeque::new(),
            depth: QueueDepth::default(),
            seat,
            commands: VecDeque::new(),
            answer_to: None,
            current: None,
            started: Instant::now(),
            span: Span::none(),
            recent: VecDeque::new(),
            last_busy: Instant::now(),
            closing: Closing::No,
            dead: false,
            handed_over: false,
            log: None,
            journal: None,
        };
        Ok(live)
    }

    async fn handle(&self, myself: ActorRef<Msg>, message: Msg, live: &mut Live) -> Result<(), ActorProcessingErr> {
        // On the heap, and only while something is on: what a message may lead to is several KiB of future, which
        // every idle agent would keep otherwise.
        Box::pin(live.take(&myself, message)).await;
        Ok(())
    }

    async fn post_stop(&self, myself: ActorRef<Msg>, live: &mut Live) -> Result<(), ActorProcessingErr> {
        live.outside.cancel();
        live.inner.registry.remove(live.fence.conversation_id, myself.get_id());
        if !live.dead
            && let Err(error) = live.inner.ports.store.release(live.fence).await
        {
            tracing::debug!(%error, "a conversation could not be given back; its lease runs out with this node");
        }
        live.pass_on().await;
        Ok(())
    }
}

/// Ends the actor when it must: the registry first, so that what is sent from now on wakes another.
fn settle(myself: &ActorRef<Msg>, live: &Live) {
    if live.dead || live.handed_over || (live.closing != Closing::No && !live.state.is_busy()) {
        live.inner.registry.remove(live.fence.conversation_id, myself.get_id());
        let _ = myself.drain();
    }
}

impl Live {
    /// Takes a message in, and does what is next.
    async fn take(&mut self, myself: &ActorRef<Msg>, message: Msg) {
        if self.dead || self.handed_over {
            refuse(&self.inner, vec![message], Refusal::Interrupted);
            return;
        }
        match message {
            Msg::Run { run, rev, cause } => self.enqueue(run.id, Some((run, rev, cause))),
            Msg::Look { run } => self.enqueue(run, None),
            Msg::Event(event) => self.drive(event).await,
            Msg::Command { command, reply } => self.commands.push_back((command, reply)),
            Msg::Cancel { run, reply } => {
                let _ = reply.send(self.cancel(run).await);
            }
            Msg::Begin => drop(myself.send_after(self.inner.settings.idle_after, || Msg::Idle)),
            Msg::Idle => self.doze(myself),
            Msg::Passivate if self.is_idle() => {
                insight::passivation("pressure");
                self.closing = self.closing.max(Closing::AfterRun);
            }
            Msg::Passivate => {}
            Msg::Close { hand_over } => {
                self.closing = if hand_over { Closing::AfterStep } else { self.closing.max(Closing::AfterRun) };
            }
        }
        self.next().await;
        self.show();
        settle(myself, self);
    }

    fn enqueue(&mut self, id: RunId, row: Row) {
        if self.current == Some(id) {
            return;
        }
        if self.recent.contains(&id) {
            // It is over: whoever came to listen here finds its end in the database.
            return self.inner.hub.leave(id);
        }
        // One that is known already was read from the database: a row that comes along now may be older.
        if !self.deferred.contains(&id) && !self.queue.iter().any(|(queued, _)| *queued == id) {
            self.queue.push_back((id, row));
        }
    }

    /// Lets be seen what it does.
    fn show(&mut self) {
        let queued = self.queue.len() + self.deferred.len();
        self.depth.set(queued);
        let activity = match &self.state {
            state if state.is_busy() => Activity::Running,
            state if state.pending_approval().is_some() => Activity::Waiting,
            _ => Activity::Idle,
        };
        self.seat.note(activity, self.current, queued, || self.inner.ports.clock.now());
    }

    fn is_idle(&self) -> bool {
        !self.state.is_busy() && self.queue.is_empty() && self.deferred.is_empty() && self.commands.is_empty()
    }

    /// Whether the run that is on should go on somewhere else.
    pub(crate) fn hands_over(&self) -> bool {
        self.closing == Closing::AfterStep
    }

    /// Begins what is next if nothing is on.
    async fn next(&mut self) {
        while !self.state.is_busy() && !self.dead && self.closing == Closing::No {
            self.last_busy = Instant::now();
            if !self.deferred.is_empty() && self.state.pending_approval().is_none() {
                for run in self.deferred.drain(..).rev() {
                    self.queue.push_front((run, None));
                }
            }
            if let Some((command, reply)) = self.commands.pop_front() {
                self.answer_to = Some(reply);
                self.command(command).await;
            } else if let Some((id, row)) = self.queue.pop_front() {
                self.begin(id, row).await;
            } else {
                break;
            }
        }
    }

    async fn begin(&mut self, id: RunId, row: Row) {
        if self.inner.deaths.get(&id).is_some_and(|n| *n >= MAX_ATTEMPTS) {
            self.inner.deaths.remove(&id);
            insight::error("run_given_up");
            let error =
                RunError::new("internal_error", "The run failed inside the server, repeatedly, and is given up.");
            if let Err(error) = effects::end_unowned(&self.inner, id, StopReason::Error, Some(error)).await {
                tracing::warn!(%error, run = %id, "a run could not be given up");
                self.die();
            }
            return;
        }
        let (run, cause) = match row {
            Some((run, rev, cause)) => {
                if rev > self.state.snapshot.agent.rev {
                    self.refresh().await;
                }
                (run, cause)
            }
            None => match self.inner.ports.store.run(id).await {
                Ok(Some(run)) => (Box::new(run), Span::none()),
                // Deleted: whoever listens finds that out.
                Ok(None) => return self.inner.hub.leave(id),
                Err(error) => {
                    tracing::warn!(%error, run = %id, "a run could not be read; it is tried again");
                    self.die();
                    return;
                }
            },
        };
        if run.status.is_terminal() {
            // Whoever listens here finds its end in the database.
            self.inner.hub.leave(id);
        }
        if run.status.is_terminal() || self.dead {
            return;
        }
        if self.state.must_wait(&run) {
            return self.deferred.push_back(id);
        }
        if run.status == RunStatus::Running {
            insight::recovered(1);
            if !run.background {
                // Whoever listens here since it was accepted has not heard what it said in its life elsewhere.
                self.inner.hub.leave(id);
            }
        }
        if !self.open_log(&run).await {
            return;
        }
        self.current = Some(id);
        self.started = Instant::now();
        self.span = insight::turn_span(&run, &cause);
        self.inner.driving.insert(self.fence.conversation_id, id);
        self.drive(Event::Start(run)).await;
    }

    /// Finds out where the log of a run ends whose events are kept.
    async fn open_log(&mut self, run: &Run) -> bool {
        self.log = None;
        if !run.background {
            return true;
        }
        let last = match run.status {
            // Its first commit writes the first event.
            RunStatus::Created => Ok(0),
            _ => self.inner.ports.store.last_event(run.id).await,
        };
        match last {
            Ok(last) => {
                self.log = Some(last);
                self.inner.hub.begin(run.id, last);
                true
            }
            Err(error) => {
                tracing::warn!(%error, run = %run.id, "a run's events could not be read; it is tried again");
                self.die();
                false
            }
        }
    }

    async fn cancel(&mut self, run: RunId) -> Result<bool, StoreError> {
        if self.current == Some(run) && self.state.turn.is_some() {
            self.drive(Event::Cancel { run_id: run }).await;
            if !self.dead {
                return Ok(true);
            }
        }
        // Only once it is over may it be forgotten: the database may refuse, or its answer be lost. Then the run is
        // read again when its turn comes.
        if let Some((_, row)) = self.queue.iter_mut().find(|(id, _)| *id == run) {
            *row = None;
        }
        let ended = effects::end_unowned(&self.inner, run, StopReason::Cancelled, None).await?;
        self.queue.retain(|(id, _)| *id != run);
        self.deferred.retain(|id| *id != run);
        // Its pointer may still be on the way.
        self.remember(run);
        Ok(ended)
    }

    /// Hands what came too late for this actor to the next one, here or on another node.
    async fn pass_on(&mut self) {
        self.depth.set(0);
        let conversation = self.fence.conversation_id;
        self.queue.extend(self.deferred.drain(..).map(|run| (run, None)));
        let unfinished = self.current.is_some() || !self.queue.is_empty();
        if self.dead || self.inner.closing.is_cancelled() {
            for run in self.current.take().into_iter().chain(self.queue.drain(..).map(|(run, _)| run)) {
                self.inner.hub.leave(run);
            }
            for (_, reply) in self.commands.drain(..) {
                let _ = reply.send(Err(refused(Refusal::Elsewhere)));
            }
            if unfinished
                && !self.dead
                && let Err(error) = self.inner.ports.store.notify(None, conversation).await
            {
                tracing::debug!(%error, "other nodes could not be told; they find the work themselves");
            }
            return;
        }
        // Not their rows: they may be outdated when the next actor wakes.
        for (run, _) in self.queue.drain(..) {
            registry::look(&self.inner, conversation, run);
        }
        for (command, reply) in self.commands.drain(..) {
            registry::send(&self.inner, conversation, Msg::Command { command, reply });
        }
    }

    pub(crate) fn remember(&mut self, run: RunId) {
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(run);
    }

    /// Goes to sleep after a while with nothing to do.
    fn doze(&mut self, myself: &ActorRef<Msg>) {
        let idle_after = self.inner.settings.idle_after;
        let idle = self.last_busy.elapsed();
        if !self.is_idle() {
            self.last_busy = Instant::now();
            myself.send_after(idle_after, || Msg::Idle);
        } else if idle >= idle_after {
            insight::passivation("idle");
            self.closing = self.closing.max(Closing::AfterRun);
        } else {
            myself.send_after(idle_after.saturating_sub(idle).max(Duration::from_millis(100)), || Msg::Idle);
        }
    }
}

/// What becomes of messages that no actor will take: runs stay in the database and are found there, the
/// others' callers are told.
pub(crate) fn refuse(inner: &Arc<Inner>, messages: Vec<Msg>, why: Refusal) {
    for message in messages {
        match message {
            Msg::Command { reply, .. } => {
                let _ = reply.send(Err(refused(why)));
            }
            // The sender looks for the owner then.
            Msg::Cancel { reply, .. } => drop(reply),
            Msg::Run { run, .. } => {
                inner.hub.leave(run.id);
                inner.reconcile_soon.notify_one();
            }
            Msg::Look { run } => inner.hub.leave(run),
            Msg::Event(_) | Msg::Begin | Msg::Idle | Msg::Passivate | Msg::Close { .. } => {}
        }
    }
}

fn refused(why: Refusal) -> CommandError {
    match why {
        Refusal::Gone => CommandError::NotFound,
        Refusal::Elsewhere => CommandError::Elsewhere,
        Refusal::Interrupted => CommandError::Unavailable("the agent was interrupted; try again".into()),
    }
}

/// The caller may try again.
pub(crate) fn interrupted() -> CommandError {
    refused(Refusal::Interrupted)
}
