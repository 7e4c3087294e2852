//! Groups whose agents speak in turns.
//!
//! A message to such a group is a row of its own. Whoever drives the group asks the members one after the other, by runs
//! that are named after the message and the turn: a driver that begins again finds what was said before as it was, because
//! a run of a known name is the run that has it. So a crash loses nothing, and two drivers do nothing twice. A group
//! hears one message at a time: the next one waits until everybody has spoken. A node has one driver for each group, as
//! long as messages to it are open here; a message that was stored without one (a lost answer, a driver that failed) is
//! found by the ticker.
//!
//! Listeners hear whole messages; members' runs are not asked for pieces of them. They listen on the node that took the
//! message: it is the one that drives it, as long as it lives.

mod turn;

use std::{collections::HashSet, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use dashmap::Entry;
use engram_core::{
    group::{Discussion, Next, Policy},
    ports::{
        GroupRun, GroupScene, StoreError,
        store::{Claim, GroupAccepted},
    },
    step::{RunEnd, RunError},
};
use engram_domain::{
    AgentId, Group, GroupId, KeyKind, ManagerConfig, RequestKey, RunErrorKind, RunId, RunInput, StopReason, Usage,
};
use futures::FutureExt;
use turn::{Tally, member_input, turn};

use crate::{
    Engine, Inner,
    api::{StreamEvent, SubmitError},
    follow::RunStream,
    metrics,
};

/// Pauses between tries while the database cannot be reached, and between looks at what another node drives.
const AGAIN: Duration = Duration::from_millis(500);
/// Tries of what the database refuses.
const TRIES: u32 = 5;

/// What listeners hear when the node stops first.
const STOPPING: &str = "The server is stopping. The group's conversation goes on when it is back.";
/// What they hear when nothing helped.
const FAILED: &str = "The group's conversation failed inside the server.";
/// What they hear when there is nothing to hear.
const GONE: &str =
    "The group was deleted before its agents had spoken, or they spoke on another node: list its messages.";

/// A group that this node drives.
#[derive(Default)]
pub(crate) struct Stage {
    /// Whether something may have come since the driver looked.
    again: bool,
    /// Messages that were accepted here and are not over.
    audience: HashSet<RunId>,
}

impl Engine {
    /// Accepts a message to a group whose agents speak in turns, unless `max_queue` are waiting. The stream has what
    /// they say, and ends with the last of them; it is that of the earlier message when it came before under the
    /// same name.
    pub async fn submit_to_group(&self, run: GroupRun, max_queue: i64) -> Result<RunStream, SubmitError> {
        let inner = &self.0;
        if stops(inner) {
            return Err(SubmitError::ShuttingDown);
        }
        let here = inner.hub.accept(run.id);
        let stream = RunStream::of_group(inner.clone(), &run).here(here);
        let work = inner.clone();
        // A task of its own: a client that goes away in the middle drops this future.
        let stored = inner.tasks.spawn(async move {
            let accepted = accept(&work, &run, max_queue).await;
            if !matches!(accepted, Ok(None)) {
                work.hub.leave(run.id);
            }
            accepted
        });
        let result = stored.await.unwrap_or_else(|e| Err(StoreError::Database(e.to_string()).into()));
        Ok(result?.unwrap_or(stream))
    }
}

/// Stores a message. The stream of the earlier one if it was known.
async fn accept(inner: &Arc<Inner>, run: &GroupRun, max_queue: i64) -> Result<Option<RunStream>, SubmitError> {
    match inner.ports.store.insert_group_run(run, max_queue, inner.settings.node.id).await? {
        GroupAccepted::Stored => {
            drive(inner, run.group_id, Some(run.id));
            Ok(None)
        }
        GroupAccepted::Known(known, input) => {
            let by_key = run.key.as_ref().and_then(RequestKey::kind) == Some(KeyKind::Idempotency);
            if by_key && !input.asks_the_same(&run.input) {
                return Err(SubmitError::KeyReused);
            }
            let known = GroupRun { id: known, ..run.clone() };
            let reader = inner.hub.find(known.id).ok_or(SubmitError::HeardBefore(known.id))?;
            Ok(Some(RunStream::of_group(inner.clone(), &known).here(reader)))
        }
        GroupAccepted::Full => Err(SubmitError::Full),
        GroupAccepted::NotFound => Err(SubmitError::NotFound),
    }
}

/// Sees to it that a group is driven here until no message to it is open. `heard`: one that was accepted here.
pub(crate) fn drive(inner: &Arc<Inner>, group: GroupId, heard: Option<RunId>) {
    match inner.stages.entry(group) {
        Entry::Occupied(mut stage) => {
            stage.get_mut().again = true;
            stage.get_mut().audience.extend(heard);
            return;
        }
        Entry::Vacant(slot) => drop(slot.insert(Stage { again: false, audience: heard.into_iter().collect() })),
    }
    let inner = inner.clone();
    inner.tasks.clone().spawn(async move {
        let words = loop {
            match lead(&inner, group).await {
                Ok(()) => {}
                Err(_) if stops(&inner) => break RunError::new(RunErrorKind::Interrupted, STOPPING),
                Err(error) => {
                    metrics::error("group");
                    tracing::warn!(%error, %group, "a group cannot be driven; it is tried again in a moment");
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
            }
            // What came since is looked at before anybody is told that nothing comes.
            if let Some((_, stage)) = inner.stages.remove_if(&group, |_, stage| !stage.again) {
                tell(&inner, stage, &RunError::new(RunErrorKind::NotFound, GONE));
                return;
            }
            if let Some(mut stage) = inner.stages.get_mut(&group) {
                stage.again = false;
            }
        };
        if let Some((_, stage)) = inner.stages.remove(&group) {
            tell(&inner, stage, &words);
        }
    });
}

/// Tells those who wait that nothing comes.
fn tell(inner: &Inner, stage: Stage, why: &RunError) {
    for run in stage.audience {
        over(inner, run, end(run, StopReason::Error, Some(why.clone())));
    }
}

/// Plays one message after the other. An error when the database is away or the node stops first: another one, or the
/// next start of this one, goes on then.
async fn lead(inner: &Arc<Inner>, group: GroupId) -> Result<(), StoreError> {
    loop {
        match inner.ports.store.claim_group_run(group, inner.settings.node.id).await? {
            Claim::Taken(scene) => {
                persist(inner, &scene).await?;
                if let Some(mut stage) = inner.stages.get_mut(&group) {
                    stage.audience.remove(&scene.run.id);
                }
            }
            Claim::Nothing => return Ok(()),
            Claim::Later if stops(inner) => return Err(stopping()),
            Claim::Later => tokio::time::sleep(AGAIN).await,
        }
    }
}

/// Plays one message, again after the database was away. What the database refuses again and again is given up, and so
/// is a play that panics.
async fn persist(inner: &Arc<Inner>, scene: &GroupScene) -> Result<(), StoreError> {
    let run = scene.run.id;
    let mut refused = 0;
    loop {
        let words = match AssertUnwindSafe(play(inner, scene)).catch_unwind().await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) if stops(inner) => return Err(error),
            Ok(Err(error)) => {
                metrics::error("group");
                refused += u32::from(!matches!(error, StoreError::Unavailable(_)));
                if refused < TRIES {
                    tracing::warn!(%error, %run, "a group's conversation was interrupted; it goes on in a moment");
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
                tracing::error!(%error, %run, "a group's conversation was given up");
                error.to_string()
            }
            Err(_) => {
                tracing::error!(%run, "driving a group's conversation panicked");
                FAILED.to_owned()
            }
        };
        let now = inner.ports.clock.now();
        inner.ports.store.end_group_run(run, StopReason::Error, Some(&words), now).await?;
        over(inner, run, end(run, StopReason::Error, Some(RunError::new(RunErrorKind::Internal, FAILED))));
        return Ok(());
    }
}

/// Whether nothing is begun here any more, not even for others to do.
fn stops(inner: &Inner) -> bool {
    inner.closing.is_cancelled() && !inner.is_draining()
}

fn stopping() -> StoreError {
    StoreError::Unavailable(STOPPING.into())
}

async fn play(inner: &Arc<Inner>, scene: &GroupScene) -> Result<(), StoreError> {
    let id = scene.run.id;
    let mut tally = Tally::default();
    let outcome = match Policy::of(&scene.group.manager, scene.manager.as_ref()) {
        Some(policy) => perform(inner, scene, policy, &mut tally).await?,
        None => Some(RunError::new(RunErrorKind::Internal, "The group's agents do not speak in turns.")),
    };
    let reason = if outcome.is_some() { StopReason::Error } else { StopReason::EndTurn };
    // Also of a conversation in which others spoke.
    let words = (!tally.errors.is_empty()).then(|| tally.words());
    inner.ports.store.end_group_run(id, reason, words.as_deref(), inner.ports.clock.now()).await?;
    over(inner, id, RunEnd { usage: tally.usage, step_count: tally.steps, ..end(id, reason, outcome) });
    Ok(())
}

fn end(run_id: RunId, reason: StopReason, error: Option<RunError>) -> RunEnd {
    RunEnd {
        run_id,
        // No single one.
        agent_id: AgentId(run_id.0),
        status: reason.status(),
        stop_reason: reason,
        usage: Usage::default(),
        step_count: 0,
        context_tokens: 0,
        error,
    }
}

/// Tells whoever listens that it is over.
fn over(inner: &Inner, run: RunId, end: RunEnd) {
    inner.hub.publish(run, None, StreamEvent::Ended(Box::new(end)));
}

/// Plays to the end. The error that ended it: when nobody could speak at all, or the group is gone.
async fn perform(
    inner: &Arc<Inner>,
    scene: &GroupScene,
    policy: Policy,
    tally: &mut Tally,
) -> Result<Option<RunError>, StoreError> {
    let input = scene.run.input.messages.clone();
    let mut discussion = Discussion::new(scene.group.id, policy, scene.members.clone(), input);
    let mut outcome = None;
    while let Next::Ask { to, messages, decisions, tools, shown } = discussion.next() {
        // Deleting the group is how its conversation is stopped.
        if !inner.ports.store.group_run_is_open(scene.run.id).await? {
            outcome = Some(RunError::new(RunErrorKind::NotFound, GONE));
            break;
        }
        let input = RunInput { messages, decisions, client_tools: tools, ..member_input(scene) };
        let turn = turn(inner, scene, discussion.turns.len(), to, input, shown, tally).await?;
        discussion.turns.push(turn);
    }
    if discussion.nobody_spoke() {
        outcome = outcome.or_else(|| tally.errors.last().map(|(_, error)| error.clone()));
    }
    if let Some((to, decision)) = discussion.open_call() {
        // So that its conversation is in order. What it makes of the end is its own.
        let input = RunInput { decisions: vec![decision], ..member_input(scene) };
        turn(inner, scene, discussion.turns.len(), to, input, false, tally).await?;
    }
    Ok(outcome)
}

/// Whether agents of a group speak in turns, as opposed to its manager speaking alone.
pub fn speaks_in_turns(group: &Group) -> bool {
    matches!(group.manager, ManagerConfig::RoundRobin { .. } | ManagerConfig::Dynamic { .. })
}
