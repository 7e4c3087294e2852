//! Requests that change a conversation: on any node, whoever owns it.

use std::{sync::Arc, time::Duration};

use engram_core::{
    ports::{Accepted, NewRun, Owner, Peer, StoreError},
    retry::Pauses,
    step::CommandOutcome,
};
use engram_domain::{ConversationId, KeyKind, NodeId, Run, RunId, RunOwner, StopReason, run::BusyPolicy};
use tokio::sync::oneshot;
use tracing::Span;

use crate::{
    Engine, Inner, agent,
    api::{Command, CommandError, SubmitError},
    drivers,
    follow::RunStream,
    groups, metrics,
    peer::{PeerReply, PeerRequest},
    stream::Reader,
};

/// How long a node may take to answer a cancellation before the conversation is taken from it.
const CANCEL_PATIENCE: Duration = Duration::from_millis(700);
/// Tries to interrupt earlier runs, while the database cannot be reached.
const INTERRUPT_TRIES: usize = 3;
/// How long another node may take over a command, besides the model call that a compaction waits for.
const COMMAND_PATIENCE: Duration = Duration::from_secs(30);
/// How often a conversation that moves is looked for again.
const LOOKS: u64 = 8;

impl Engine {
    /// Accepts a run. When this returns, the run is in the database and will reach a terminal state,
    /// whatever happens to this process. The stream has all its events; it is that of an earlier run when
    /// the same request was accepted before.
    pub async fn submit(&self, run: NewRun) -> Result<RunStream, SubmitError> {
        let inner = self.0.clone();
        if inner.closing.is_cancelled() && !inner.is_draining() {
            return Err(SubmitError::ShuttingDown);
        }
        let here = inner.hub.accept(run.id);
        let cause = Span::current();
        // A task of its own: a client that goes away in the middle drops this future, and a run that is
        // stored must have its pointer sent.
        let id = run.id;
        let work = inner.clone();
        let stored = self.0.tasks.spawn(async move {
            let result = accept(&work, run, here, cause).await;
            if !matches!(&result, Ok(stream) if stream.run_id() == id) {
                work.hub.leave(id);
            }
            result
        });
        let result = stored.await.unwrap_or_else(|e| Err(StoreError::Database(e.to_string()).into()));
        if let Ok(stream) = &result {
            metrics::about_run(stream.run_id());
        }
        result
    }

    /// Listens to a run from the event after `after`, wherever it is, also when it is over.
    pub fn follow(&self, run: &Run, after: i64) -> RunStream {
        metrics::about_run(run.id);
        RunStream::new(self.0.clone(), run, after)
    }

    /// Ends a run. True when this call ended it, false when it was over.
    pub async fn cancel(&self, owner: RunOwner, run: RunId) -> Result<bool, StoreError> {
        metrics::about_run(run);
        match owner {
            RunOwner::Conversation(conversation) => self.cancel_in_conversation(conversation, run).await,
            RunOwner::Group(group) => match self.cancel_elsewhere(owner, run).await? {
                Some(ended) => Ok(ended),
                None => groups::cancel(self, group, run).await,
            },
        }
    }

    pub(crate) async fn cancel_in_conversation(
        &self,
        conversation: ConversationId,
        run: RunId,
    ) -> Result<bool, StoreError> {
        let inner = &self.0;
        if let Some(answer) = self.cancel_by_actor(conversation, run).await {
            return answer;
        }
        if let Some(ended) = self.cancel_elsewhere(conversation.into(), run).await? {
            return Ok(ended);
        }
        // Also where nobody seems to have it: an actor may be waking with the run in its hands.
        let ended = inner.ports.store.revoke(run, StopReason::Cancelled, inner.ports.clock.now()).await?;
        inner.hub.leave(run);
        if ended {
            inner.reconcile_soon.notify_one();
            notify(inner, None, conversation.into());
        }
        Ok(ended)
    }

    /// Has another node cancel a run if it owns the conversation or group. None when none does, or when it does not answer.
    async fn cancel_elsewhere(&self, owner: RunOwner, run: RunId) -> Result<Option<bool>, StoreError> {
        let inner = &self.0;
        let Owner::Peer(peer) = inner.ports.store.owner(owner, inner.settings.node.id).await? else { return Ok(None) };
        match inner.ports.peers.ask(&peer, PeerRequest::Cancel { owner, run }, CANCEL_PATIENCE).await {
            Ok(PeerReply::Cancelled(ended)) => {
                metrics::forwarded("cancel", "ok");
                return Ok(Some(ended));
            }
            Ok(_) => metrics::forwarded("cancel", "moved"),
            Err(error) => {
                metrics::forwarded("cancel", "failed");
                tracing::info!(%error, %run, node = %peer.id, "a silent node cannot cancel a run: this one does");
            }
        }
        Ok(None)
    }

    /// As [`Engine::cancel`], for another node: a run of a conversation only if an actor of this node owns it.
    pub async fn cancel_here(&self, owner: RunOwner, run: RunId) -> Option<Result<bool, StoreError>> {
        match owner {
            RunOwner::Conversation(conversation) => self.cancel_by_actor(conversation, run).await,
            RunOwner::Group(group) => Some(groups::cancel(self, group, run).await),
        }
    }

    async fn cancel_by_actor(&self, conversation: ConversationId, run: RunId) -> Option<Result<bool, StoreError>> {
        let (reply, answer) = oneshot::channel();
        // To one that is waking too: it may have the run's pointer in its hands already.
        if !self.0.registry.send_if_here(conversation, agent::Msg::Cancel { run, reply }) {
            return None;
        }
        answer.await.ok()
    }

    /// Has the conversation's actor do something when it is idle, wherever it lives.
    pub async fn command(
        &self,
        conversation: ConversationId,
        command: Command,
    ) -> Result<CommandOutcome, CommandError> {
        let inner = &self.0;
        for look in 0..LOOKS {
            if look > 0 {
                tokio::time::sleep(Duration::from_millis(100 * look)).await;
            }
            let peer = if inner.registry.contains(conversation) { None } else { self.elsewhere(conversation).await? };
            match peer {
                None => match self.command_here(conversation, command.clone()).await {
                    Err(CommandError::Elsewhere) => {}
                    other => return other,
                },
                Some(peer) => {
                    let request = PeerRequest::Command { conversation, command: command.clone() };
                    let patience = inner.settings.llm_timeout + COMMAND_PATIENCE;
                    let reply = inner.ports.peers.ask(&peer, request, patience).await;
                    metrics::forwarded("command", if reply.is_ok() { "ok" } else { "failed" });
                    match reply {
                        Ok(PeerReply::Done(outcome)) => return Ok(outcome),
                        Ok(PeerReply::NotFound) => return Err(CommandError::NotFound),
                        Ok(PeerReply::Invalid(why)) => return Err(CommandError::Invalid(why)),
                        Ok(PeerReply::Unavailable(why)) => return Err(CommandError::Unavailable(why)),
                        Ok(PeerReply::NotHere | PeerReply::Cancelled(_) | PeerReply::Activity(_)) | Err(_) => {}
                    }
                }
            }
        }
        Err(CommandError::Unavailable("the agent is moving between nodes; try again".into()))
    }

    /// As [`Engine::command`], on this node. [`CommandError::Elsewhere`] when the conversation lives with another.
    pub async fn command_here(
        &self,
        conversation: ConversationId,
        command: Command,
    ) -> Result<CommandOutcome, CommandError> {
        if self.0.closing.is_cancelled() {
            return Err(CommandError::Elsewhere);
        }
        let (reply, answer) = oneshot::channel();
        self.0.registry.send(conversation, agent::Msg::Command { command, reply });
        answer.await.unwrap_or_else(|_| Err(agent::Refusal::Interrupted.into()))
    }

    /// The node that shall do it, when that is not this one.
    async fn elsewhere(&self, conversation: ConversationId) -> Result<Option<Peer>, CommandError> {
        let inner = &self.0;
        let me = inner.settings.node.id;
        match inner.ports.store.owner(conversation.into(), me).await? {
            Owner::Gone => Err(CommandError::NotFound),
            Owner::Peer(peer) => Ok(Some(peer)),
            Owner::Nobody | Owner::Me if !inner.closing.is_cancelled() => Ok(None),
            Owner::Nobody | Owner::Me => match inner.ports.store.other_nodes(me).await?.into_iter().next() {
                Some(peer) => Ok(Some(peer)),
                None => Err(CommandError::Unavailable("the server is shutting down".into())),
            },
        }
    }

    /// Listens to a run for another node: only what happens here, and only while it does.
    pub fn follow_here(&self, owner: RunOwner, run: RunId, after: i64) -> Option<LocalEvents> {
        if let Some(reader) = self.0.hub.ended(run, after) {
            return Some(LocalEvents { reader, inner: self.0.clone(), owner });
        }
        if !drivers::is_here(&self.0, owner) {
            return None;
        }
        // Opened before the actor is asked: should the run be over, the actor closes what is open.
        let reader = self.0.hub.open(run, after);
        drivers::look(&self.0, owner, run);
        Some(LocalEvents { reader, inner: self.0.clone(), owner })
    }
}

/// Events of a run on this node.
pub struct LocalEvents {
    reader: Reader,
    inner: Arc<Inner>,
    owner: RunOwner,
}

impl LocalEvents {
    /// The next event. None when nothing more comes from here. Cancel safe.
    pub async fn next(&mut self) -> Option<(i64, crate::StreamEvent)> {
        match self.reader.next().await {
            crate::stream::Next::Event(number, event) => Some((number, event)),
            // The other node reads the log itself.
            crate::stream::Next::InLog(_) | crate::stream::Next::Moved | crate::stream::Next::Over => None,
        }
    }

    /// Whether the run is still driven here.
    pub fn is_here(&self) -> bool {
        drivers::is_here(&self.inner, self.owner)
    }
}

/// Stores a run and sees to it that somebody drives it.
async fn accept(inner: &Arc<Inner>, new: NewRun, here: Reader, cause: Span) -> Result<RunStream, SubmitError> {
    let store = &inner.ports.store;
    let (rev, owner, policy) = match store.accept_run(&new, inner.settings.node.id).await? {
        Accepted::Stored { rev, owner, policy } => (rev, owner, policy),
        Accepted::Known(known) => {
            let by_key = new.keys.iter().any(|key| key.kind() == Some(KeyKind::Idempotency));
            if by_key && !known.input.asks_the_same(&new.input) {
                return Err(SubmitError::KeyReused);
            }
            return Ok(RunStream::new(inner.clone(), &known, 0));
        }
        Accepted::Busy(run) => return Err(SubmitError::Busy(run)),
        Accepted::Full => return Err(SubmitError::Full),
        Accepted::NotFound => return Err(SubmitError::NotFound),
    };
    let run = new.into_run(policy == BusyPolicy::Interrupt);
    let stream = match owner {
        None if !inner.closing.is_cancelled() => {
            let stream = RunStream::new(inner.clone(), &run, 0).here(here);
            match run.owner {
                RunOwner::Conversation(conversation) => {
                    let accepted = agent::AcceptedRun { run: run.clone(), rev, cause };
                    inner.registry.send(conversation, agent::Msg::Run(Box::new(accepted)));
                }
                RunOwner::Group(group) => groups::drive(inner, group, Some(run.id)),
            }
            stream
        }
        // Its owner hears of it, or everybody does: this node takes nothing new.
        owner => {
            inner.hub.leave(run.id);
            notify(inner, owner.as_ref().map(|peer| peer.id), run.owner);
            RunStream::new(inner.clone(), &run, 0).there(owner)
        }
    };
    if policy == BusyPolicy::Interrupt {
        cut_short(inner, &run).await;
    }
    Ok(stream)
}

/// Tells a node, or all, of work, without waiting for it: whoever is not told finds it later.
fn notify(inner: &Arc<Inner>, node: Option<NodeId>, owner: RunOwner) {
    let inner = inner.clone();
    inner.tasks.clone().spawn(async move {
        if let Err(error) = inner.ports.store.notify(node, owner).await {
            tracing::debug!(%error, "another node could not be told of a run; it finds it itself");
        }
    });
}

/// Cancels what was accepted in the conversation before this run. The run is accepted by now: where nothing helps it
/// waits its turn.
async fn cut_short(inner: &Arc<Inner>, by: &Run) {
    for pause in Pauses::DATABASE.iter().take(INTERRUPT_TRIES) {
        match interrupt(inner, by).await {
            Ok(()) => return,
            Err(error) => tracing::warn!(%error, run = %by.id, "earlier runs could not be interrupted"),
        }
        tokio::time::sleep(pause).await;
    }
}

/// One try of [`cut_short`].
async fn interrupt(inner: &Arc<Inner>, by: &Run) -> Result<(), StoreError> {
    let open = inner.ports.store.open_runs(by.owner).await?;
    // The database says which came first: what this node's clock said about it may be wrong.
    let Some(before) = open.iter().position(|run| *run == by.id) else { return Ok(()) };
    let engine = Engine(inner.clone());
    // The current run comes last: were it first, the next in line would begin.
    for run in open.into_iter().take(before).rev() {
        engine.cancel(by.owner, run).await?;
    }
    Ok(())
}
