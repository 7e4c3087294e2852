//! Driving one run of a group.

use std::{collections::HashSet, panic::AssertUnwindSafe, sync::Arc};

use engram_core::{
    group::{Discussion, Next, Policy},
    ports::{
        LoggedEvent, StoreError,
        store::{GroupFence, GroupTask},
    },
    step::{RunEnd, RunError},
};
use engram_domain::{Message, MessageId, RunErrorKind, RunId, RunInput, StopReason, Usage};
use futures::FutureExt;

use super::{
    AGAIN,
    end::{deny_open_call, stored},
    turn::{Ask, make, turn_input},
};
use crate::{Inner, api::StreamEvent, journal::logged, metrics};

/// Tries of what the database refuses.
const TRIES: u32 = 5;
/// Events that are read from the database at once.
const PAGE: i64 = 500;
/// What followers are told when nothing helped.
const FAILED: &str = "The group's conversation failed inside the server.";

/// What became of a run.
pub(super) enum Outcome {
    /// It has ended.
    Over,
    /// Another node has claimed the group.
    Lost,
    /// This node stops; another one, or its next start, goes on.
    Stopped,
}

/// Why a driver cannot go on.
pub(super) enum Stop {
    /// The run was ended by somebody else, or another node has claimed the group.
    Lost,
    /// This node stops.
    Closing,
    /// The database.
    Store(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Drives a run to its end, again after the database was away. What the database refuses again and again is given up, and
/// so is a run whose driver panics. An error when the node stops while the database is away.
pub(super) async fn drive(inner: &Arc<Inner>, fence: GroupFence, task: &GroupTask) -> Result<Outcome, StoreError> {
    let run = task.run.id;
    let mut refused = 0;
    loop {
        let error = match AssertUnwindSafe(try_drive(inner, fence, task)).catch_unwind().await {
            Ok(Ok(())) => return Ok(Outcome::Over),
            Ok(Err(Stop::Closing)) => return Ok(Outcome::Stopped),
            Ok(Err(Stop::Lost)) => return lost(inner, task).await,
            Ok(Err(Stop::Store(error))) if inner.closing.is_cancelled() => return Err(error),
            Ok(Err(Stop::Store(error))) => {
                metrics::error("group");
                refused += u32::from(!matches!(error, StoreError::Unavailable(_) | StoreError::Overloaded(_)));
                if refused < TRIES {
                    tracing::warn!(%error, %run, "a group's run was interrupted; it goes on in a moment");
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
                error.to_string()
            }
            Err(_) => "its driver panicked".to_owned(),
        };
        tracing::error!(error, %run, "a group's run was given up");
        let end = RunEnd::of(&task.run, StopReason::Error, Some(RunError::new(RunErrorKind::Internal, FAILED)));
        return if finish(inner, fence, task, end).await? { Ok(Outcome::Over) } else { lost(inner, task).await };
    }
}

async fn try_drive(inner: &Arc<Inner>, fence: GroupFence, task: &GroupTask) -> Result<(), Stop> {
    let mut progress = Progress::load(inner, fence, task.run.id).await?;
    let error = match Policy::of(&task.group.manager, task.manager.as_ref()) {
        Some(policy) => discuss(&mut progress, task, policy).await?,
        None => Some(RunError::new(RunErrorKind::Internal, "The group's agents do not speak in turns.")),
    };
    let reason = if error.is_some() { StopReason::Error } else { StopReason::EndTurn };
    let end = RunEnd { usage: progress.usage, step_count: progress.steps, ..RunEnd::of(&task.run, reason, error) };
    if finish(inner, fence, task, end).await? { Ok(()) } else { Err(Stop::Lost) }
}

/// Asks one agent after the other. The error with which the run ends: when nobody could speak at all.
async fn discuss(progress: &mut Progress<'_>, task: &GroupTask, policy: Policy) -> Result<Option<RunError>, Stop> {
    let input = task.run.input.messages.clone();
    let mut discussion = Discussion::new(task.group.id, policy, task.members.clone(), input);
    while let Next::Ask { to, messages, decisions, tools, shown } = discussion.next() {
        let input = RunInput { messages, decisions, client_tools: tools, ..turn_input(task) };
        let turn = make(progress, task, Ask { number: discussion.turns.len(), to, input, shown }).await?;
        discussion.turns.push(turn);
        progress.check().await?;
    }
    // What an agent makes of the end is its own: it changes nothing about how the run ends.
    let error = if discussion.nobody_spoke() { progress.last_error.take() } else { None };
    if let Some((to, decision)) = discussion.open_call() {
        let input = RunInput { decisions: vec![decision], ..turn_input(task) };
        make(progress, task, Ask { number: discussion.turns.len(), to, input, shown: false }).await?;
    }
    Ok(error)
}

/// Ends the run. False when that is not this driver's to do any more.
async fn finish(inner: &Inner, fence: GroupFence, task: &GroupTask, end: RunEnd) -> Result<bool, StoreError> {
    let event = StreamEvent::Ended(Box::new(end.clone()));
    let store = &inner.ports.store;
    let ended = store.end_group_run(task.group.id, Some(fence), &stored(&end, &event), inner.ports.clock.now()).await?;
    if let Some(ended) = ended {
        inner.hub.publish(task.run.id, Some(ended.number), event);
    }
    Ok(ended.is_some())
}

/// Another node drives the run, or somebody has ended it; whoever follows it finds it there.
async fn lost(inner: &Arc<Inner>, task: &GroupTask) -> Result<Outcome, StoreError> {
    inner.hub.leave(task.run.id);
    if !is_over(inner, task.run.id).await? {
        return Ok(Outcome::Lost);
    }
    // The one who ended it may have come before the manager's call.
    if let Some(manager) = &task.manager {
        deny_open_call(inner, manager.id, &inner.ports.store.turns(task.run.id).await?);
    }
    Ok(Outcome::Over)
}

/// Whether a run has ended, or was deleted.
pub(super) async fn is_over(inner: &Inner, run: RunId) -> Result<bool, StoreError> {
    Ok(inner.ports.store.run(run).await?.is_none_or(|run| run.status.is_terminal()))
}

/// How far a run has come.
pub(super) struct Progress<'a> {
    pub(super) inner: &'a Arc<Inner>,
    fence: GroupFence,
    run: RunId,
    /// The number of its last event.
    last: i64,
    /// Messages that are among its events.
    shown: HashSet<MessageId>,
    /// What its turns have cost.
    pub(super) usage: Usage,
    pub(super) steps: i32,
    /// Why the last agent that could not speak could not.
    pub(super) last_error: Option<RunError>,
}

impl<'a> Progress<'a> {
    /// Reads what earlier drivers have shown.
    async fn load(inner: &'a Arc<Inner>, fence: GroupFence, run: RunId) -> Result<Self, StoreError> {
        let mut progress = Self {
            inner,
            fence,
            run,
            last: 0,
            shown: HashSet::new(),
            usage: Usage::default(),
            steps: 0,
            last_error: None,
        };
        loop {
            let page = inner.ports.store.events(run, progress.last, PAGE).await?;
            let Some(newest) = page.last() else { break };
            progress.last = newest.seq;
            progress.shown.extend(page.into_iter().filter_map(|kept| match serde_json::from_value(kept.event) {
                Ok(StreamEvent::Message(message)) => Some(message.id),
                Ok(_) | Err(_) => None,
            }));
        }
        inner.hub.begin(run, progress.last);
        Ok(progress)
    }

    /// Shows a message, unless an earlier driver has.
    pub(super) async fn show(&mut self, message: Message) -> Result<(), Stop> {
        if self.shown.contains(&message.id) {
            return Ok(());
        }
        let id = message.id;
        let event = StreamEvent::Message(Arc::new(message));
        self.write(logged(self.last + 1, &event).as_slice()).await?;
        self.last += 1;
        self.shown.insert(id);
        self.inner.hub.publish(self.run, Some(self.last), event);
        Ok(())
    }

    /// Goes on only if the run is not over and still this node's to drive.
    pub(super) async fn check(&self) -> Result<(), Stop> {
        self.write(&[]).await
    }

    async fn write(&self, events: &[LoggedEvent]) -> Result<(), Stop> {
        let ports = &self.inner.ports;
        let written = ports.store.advance_group_run(self.fence, self.run, events, ports.clock.now()).await?;
        if written { Ok(()) } else { Err(Stop::Lost) }
    }
}
