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
use engram_domain::{ConversationId, Run, RunId, StopReason, run::MAX_ATTEMPTS};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::{
    Inner,
    api::{Command, CommandError, CommandOutcome},
    effects, registry,
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
    },
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
    /// Come to an end: finish the run that is on, begin no other.
    Close,
}

pub(crate) type Reply = oneshot::Sender<Result<CommandOutcome, CommandError>>;

/// What an actor is started with.
pub(crate) struct Arguments {
    pub(crate) inner: Arc<Inner>,
    pub(crate) conversation: ConversationId,
}

/// A run's row with the agent's revision of that time, where it came along with the pointer.
type Row = Option<(Box<Run>, i64)>;

/// What an actor holds besides the agent's state.
pub(crate) struct Live {
    pub(crate) inner: Arc<Inner>,
    pub(crate) myself: ActorRef<Msg>,
    pub(crate) fence: Fence,
    pub(crate) state: State,
    /// Runs that wait their turn, with their row where it came along.
    queue: VecDeque<(RunId, Row)>,
    commands: VecDeque<(Command, Reply)>,
    /// Who waits for the command that is on.
    pub(crate) answer_to: Option<Reply>,
    /// The run that is on.
    pub(crate) current: Option<RunId>,
    recent: VecDeque<RunId>,
    /// Stops what runs outside for the current run.
    pub(crate) outside: CancellationToken,
    last_busy: Instant,
    closing: bool,
    /// Whether the actor has lost its right to write and must end.
    pub(crate) dead: bool,
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
            .claim(conversation, inner.settings.node)
            .await?
            .ok_or_else(|| format!("{conversation} is gone or owned by another node"))?;
        let loaded = store.load(conversation).await?.ok_or_else(|| format!("{conversation} is gone"))?;
        let state = State::new(loaded).ok_or_else(|| format!("{conversation} has no system message"))?;
        // What was accepted and not finished comes first; pointers that arrive later are checked
        // against it.
        let queue = store.open_runs(conversation).await?.into_iter().map(|id| (id, None)).collect();
        let live = Live {
            outside: CancellationToken::new(),
            inner,
            myself: myself.clone(),
            fence,
            state,
            queue,
            commands: VecDeque::new(),
            answer_to: None,
            current: None,
            recent: VecDeque::new(),
            last_busy: Instant::now(),
            closing: false,
            dead: false,
        };
        Ok(live)
    }

    async fn handle(&self, myself: ActorRef<Msg>, message: Msg, live: &mut Live) -> Result<(), ActorProcessingErr> {
        if live.dead {
            refuse(&live.inner, vec![message], false);
            return Ok(());
        }
        match message {
            Msg::Run { run, rev } => live.enqueue(run, rev),
            Msg::Event(event) => live.drive(event).await,
            Msg::Command { command, reply } => live.commands.push_back((command, reply)),
            Msg::Cancel { run, reply } => {
                let _ = reply.send(live.cancel(run).await);
            }
            Msg::Begin => drop(myself.send_after(live.inner.settings.idle_after, || Msg::Idle)),
            Msg::Idle => live.doze(&myself),
            Msg::Close => live.closing = true,
        }
        live.next().await;
        settle(&myself, live);
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
        live.pass_on();
        Ok(())
    }
}

/// Ends the actor when it must: the registry first, so that what is sent from now on wakes another.
fn settle(myself: &ActorRef<Msg>, live: &Live) {
    if live.dead || (live.closing && !live.state.is_busy()) {
        live.inner.registry.remove(live.fence.conversation_id, myself.get_id());
        let _ = myself.drain();
    }
}

impl Live {
    fn enqueue(&mut self, run: Box<Run>, rev: i64) {
        let id = run.id;
        if self.current == Some(id) || self.recent.contains(&id) {
            return;
        }
        match self.queue.iter_mut().find(|(queued, _)| *queued == id) {
            Some((_, row)) => *row = Some((run, rev)),
            None => self.queue.push_back((id, Some((run, rev)))),
        }
    }

    /// Begins what is next if nothing is on.
    async fn next(&mut self) {
        while !self.state.is_busy() && !self.dead && !self.closing {
            self.last_busy = Instant::now();
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
            let error =
                RunError::new("internal_error", "The run failed inside the server, repeatedly, and is given up.");
            if let Err(error) = effects::end_unowned(&self.inner, id, StopReason::Error, Some(error)).await {
                tracing::warn!(%error, run = %id, "a run could not be given up");
                self.die();
            }
            return;
        }
        let run = match row {
            Some((run, rev)) => {
                if rev > self.state.snapshot.agent.rev {
                    self.refresh().await;
                }
                run
            }
            None => match self.inner.ports.store.run(id).await {
                Ok(Some(run)) => Box::new(run),
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, run = %id, "a run could not be read; it is tried again");
                    self.die();
                    return;
                }
            },
        };
        if run.status.is_terminal() || self.dead {
            return;
        }
        self.current = Some(id);
        self.inner.driving.insert(self.fence.conversation_id, id);
        self.drive(Event::Start(run)).await;
    }

    async fn cancel(&mut self, run: RunId) -> Result<bool, StoreError> {
        if self.current == Some(run) && self.state.turn.is_some() {
            self.drive(Event::Cancel { run_id: run }).await;
            if !self.dead {
                return Ok(true);
            }
        }
        self.queue.retain(|(id, _)| *id != run);
        // Its pointer may still be on the way.
        self.remember(run);
        effects::end_unowned(&self.inner, run, StopReason::Cancelled, None).await
    }

    /// Hands what came too late for this actor to the next one.
    fn pass_on(&mut self) {
        let conversation = self.fence.conversation_id;
        if self.dead || self.inner.closing.is_cancelled() {
            for (run, _) in self.queue.drain(..) {
                effects::report_if_over(&self.inner, run);
            }
            for (_, reply) in self.commands.drain(..) {
                let _ = reply.send(Err(interrupted()));
            }
            return;
        }
        for (_, row) in self.queue.drain(..) {
            match row {
                Some((run, rev)) => registry::send(&self.inner, conversation, Msg::Run { run, rev }),
                None => registry::ensure(&self.inner, conversation),
            }
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
        if self.state.is_busy() || !self.queue.is_empty() || !self.commands.is_empty() {
            self.last_busy = Instant::now();
            myself.send_after(idle_after, || Msg::Idle);
        } else if idle >= idle_after {
            self.closing = true;
        } else {
            myself.send_after(idle_after.saturating_sub(idle).max(Duration::from_millis(100)), || Msg::Idle);
        }
    }
}

/// What becomes of messages that no actor will take: runs stay in the database, the others' callers
/// are told. `gone`: the conversation does not exist any more.
pub(crate) fn refuse(inner: &Arc<Inner>, messages: Vec<Msg>, gone: bool) {
    for message in messages {
        match message {
            Msg::Command { reply, .. } => {
                let _ = reply.send(Err(if gone { CommandError::NotFound } else { interrupted() }));
            }
            Msg::Cancel { run, reply } => {
                let inner = inner.clone();
                tokio::spawn(async move {
                    let _ = reply.send(effects::end_unowned(&inner, run, StopReason::Cancelled, None).await);
                });
            }
            Msg::Run { run, .. } => {
                effects::report_if_over(inner, run.id);
                inner.nudge.notify_one();
            }
            Msg::Event(_) | Msg::Begin | Msg::Idle | Msg::Close => {}
        }
    }
}

/// The caller may try again.
pub(crate) fn interrupted() -> CommandError {
    CommandError::Unavailable("the agent was interrupted; try again".into())
}
