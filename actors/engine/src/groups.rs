//! Groups whose agents speak in turns.
//!
//! A message to such a group is a row of its own. Whoever drives it asks the members one after the other, by runs that are
//! named after the message and the turn: a driver that begins again finds what was said before as it was, because a
//! run of a known name is the run that has it. So a crash loses nothing, and two drivers do nothing twice. A group hears
//! one message at a time: the next one waits until everybody has spoken.
//!
//! Listeners hear whole messages; members' runs are not asked for pieces of them.

mod turn;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use engram_core::{
    group::{self, Next, Play, Policy},
    ports::{GroupRun, GroupScene, StoreError, company::Claim},
    step::{RunEnd, RunError},
};
use engram_domain::{AgentId, Group, ManagerConfig, RunId, RunInput, StopReason, Usage};
use futures::FutureExt;
use turn::{member_input, turn};

use crate::{
    Engine, Inner,
    api::{StreamEvent, SubmitError},
    follow::RunStream,
    insight,
};

/// Pauses between tries while the database cannot be reached.
const AGAIN: Duration = Duration::from_millis(500);
/// Tries of what the database refuses.
const TRIES: u32 = 5;

/// What listeners hear when the node stops first.
const STOPPING: &str = "The server is stopping. The group's conversation goes on when it is back.";
/// What they hear when nothing helped.
const FAILED: &str = "The group's conversation failed inside the server.";

impl Engine {
    /// Accepts a message to a group whose agents speak in turns. The stream has what they say, and ends with
    /// the last of them.
    pub async fn submit_to_group(&self, run: GroupRun) -> Result<RunStream, SubmitError> {
        let inner = &self.0;
        if inner.closing.is_cancelled() {
            return Err(SubmitError::ShuttingDown);
        }
        let here = inner.hub.accept(run.id);
        let stream = RunStream::of_group(inner.clone(), &run).here(here);
        let work = inner.clone();
        let stored = inner.tasks.spawn(async move {
            if !work.ports.company.insert_group_run(&run, work.settings.card.id).await? {
                return Err(SubmitError::NotFound);
            }
            drive(&work, run.id);
            Ok(())
        });
        let result = stored.await.unwrap_or_else(|e| Err(StoreError::Database(e.to_string()).into()));
        if result.is_err() {
            inner.hub.leave(stream.run_id());
        }
        result.map(|()| stream)
    }
}

/// Drives a message to a group in a task of its own, unless this node does so already.
pub(crate) fn drive(inner: &Arc<Inner>, run: RunId) {
    if !inner.plays.insert(run) {
        return;
    }
    let inner = inner.clone();
    inner.tasks.clone().spawn(async move {
        let driving = AssertUnwindSafe(persist(&inner, run)).catch_unwind();
        let error = match driving.await {
            Ok(Ok(())) => None,
            Ok(Err(_)) if stops(&inner) => Some(RunError::new("interrupted", STOPPING)),
            Ok(Err(error)) => {
                tracing::error!(%error, %run, "a group's conversation was given up");
                Some(RunError::new("internal_error", FAILED))
            }
            Err(_) => {
                tracing::error!(%run, "driving a group's conversation panicked");
                let now = inner.ports.clock.now();
                let ended = inner.ports.company.end_group_run(run, StopReason::Error, Some(FAILED), now).await;
                if let Err(error) = ended {
                    tracing::warn!(%error, %run, "the end of a group's conversation could not be noted");
                }
                Some(RunError::new("internal_error", FAILED))
            }
        };
        if let Some(error) = error {
            over(&inner, run, end(run, StopReason::Error, Some(error)));
        }
        inner.plays.remove(&run);
        inner.curtain.notify_waiters();
    });
}

/// Plays, again after the database was away. An error when the node stops before the end: another one, or the
/// next start of this one, goes on then. What the database refuses again and again is given up.
async fn persist(inner: &Arc<Inner>, run: RunId) -> Result<(), StoreError> {
    let mut refused = 0;
    loop {
        match play(inner, run).await {
            Ok(()) => return Ok(()),
            Err(error) if stops(inner) => return Err(error),
            Err(error) => {
                if !matches!(error, StoreError::Unavailable(_)) {
                    refused += 1;
                }
                if refused >= TRIES {
                    let (words, now) = (error.to_string(), inner.ports.clock.now());
                    inner.ports.company.end_group_run(run, StopReason::Error, Some(&words), now).await?;
                    return Err(error);
                }
                insight::error("group");
                tracing::warn!(%error, %run, "a group's conversation was interrupted; it goes on in a moment");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

/// Whether nothing is begun here any more, not even for others to do.
fn stops(inner: &Inner) -> bool {
    inner.closing.is_cancelled() && !inner.is_draining()
}

fn stopping() -> StoreError {
    StoreError::Unavailable(STOPPING.into())
}

async fn play(inner: &Arc<Inner>, id: RunId) -> Result<(), StoreError> {
    let company = &inner.ports.company;
    let Some(scene) = take(inner, id).await? else {
        let gone = "The group was deleted before its agents spoke, or they spoke on another node: list its messages.";
        over(inner, id, end(id, StopReason::Error, Some(RunError::new("not_found", gone))));
        return Ok(());
    };
    let mut usage = Usage::default();
    let mut steps = 0;
    let outcome = match policy(&scene) {
        Some(policy) => perform(inner, &scene, policy, &mut usage, &mut steps).await?,
        None => Some(RunError::new("internal_error", "The group's agents do not speak in turns.")),
    };
    let reason = if outcome.is_some() { StopReason::Error } else { StopReason::EndTurn };
    let words = outcome.as_ref().map(|error| error.message.as_str());
    company.end_group_run(id, reason, words, inner.ports.clock.now()).await?;
    over(inner, id, RunEnd { usage, step_count: steps, ..end(id, reason, outcome) });
    Ok(())
}

/// Waits for the message's turn. None when there is nothing to do any more.
async fn take(inner: &Arc<Inner>, id: RunId) -> Result<Option<GroupScene>, StoreError> {
    loop {
        let curtain = inner.curtain.notified();
        match inner.ports.company.claim_group_run(id, inner.settings.card.id).await? {
            Claim::Taken(scene) => return Ok(Some(*scene)),
            Claim::Over => return Ok(None),
            Claim::Later if stops(inner) => return Err(stopping()),
            // What is waited for may be on another node.
            Claim::Later => drop(tokio::time::timeout(AGAIN, curtain).await),
        }
    }
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
    inner.hub.publish(run, StreamEvent::Ended(Box::new(end)));
}

fn policy(scene: &GroupScene) -> Option<Policy> {
    let turns = |n: Option<i32>| n.and_then(|n| usize::try_from(n).ok());
    match &scene.group.manager {
        ManagerConfig::RoundRobin { max_turns } => Some(Policy::RoundRobin { max_turns: turns(*max_turns) }),
        ManagerConfig::Dynamic { termination_token, max_turns, .. } => Some(Policy::Dynamic {
            manager: scene.manager.clone()?,
            termination_token: termination_token.clone(),
            max_turns: turns(*max_turns),
        }),
        _ => None,
    }
}

/// Plays to the end. The error that ended it: when nobody could speak at all.
async fn perform(
    inner: &Arc<Inner>,
    scene: &GroupScene,
    policy: Policy,
    usage: &mut Usage,
    steps: &mut i32,
) -> Result<Option<RunError>, StoreError> {
    let mut members = scene.members.clone();
    if let Policy::Dynamic { manager, .. } = &policy {
        // It leads, and does not speak.
        members.retain(|member| member.id != manager.id);
    }
    let manager = scene.manager.as_ref().map(|manager| manager.id);
    let input = scene.run.input.messages.clone();
    let mut play = Play { group: scene.group.id, policy, members, input, turns: Vec::new() };
    let mut last_error = None;
    while let Next::Ask { to, messages, decisions, tools, aloud } = play.next() {
        let input = RunInput { messages, decisions, client_tools: tools, ..member_input(scene) };
        let turn = turn(inner, scene, play.turns.len(), to, input, aloud, (&mut *usage, &mut *steps)).await?;
        last_error = turn.error.clone().or(last_error);
        play.turns.push(turn);
    }
    if let Some(decision) = manager.and_then(|manager| group::farewell(&play, manager)) {
        // So that the manager's conversation is in order. What it makes of the end is its own.
        let input = RunInput { decisions: vec![decision], ..member_input(scene) };
        let to = manager.unwrap_or(AgentId(scene.run.id.0));
        turn(inner, scene, play.turns.len(), to, input, false, (&mut *usage, &mut *steps)).await?;
    }
    let nobody_spoke = play.turns.iter().filter(|turn| Some(turn.agent) != manager).all(|turn| turn.error.is_some());
    Ok(last_error.filter(|_| nobody_spoke).map(|message| RunError::new("internal_error", message)))
}

/// Whether agents of a group speak in turns, as opposed to its manager speaking alone.
pub fn speaks_in_turns(group: &Group) -> bool {
    matches!(group.manager, ManagerConfig::RoundRobin { .. } | ManagerConfig::Dynamic { .. })
}
