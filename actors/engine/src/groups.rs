//! Runs whose owner is a group: its agents speak in turns.
//!
//! One node owns a group and drives its runs one after the other. A turn is a run of a member, a child of the group's run,
//! and its key consists of the group's run and the number of the turn. So a driver that begins again, here or on another
//! node, finds the turns that were made already, and goes on after them: a crash loses nothing, and two drivers do nothing
//! twice. Whole messages of members are shown, as events that are kept under their numbers; members' runs are not asked
//! for pieces.
//!
//! [`run`] drives one run, [`turn`] makes one turn of it, [`end`] ends a run from outside.

mod end;
mod run;
mod turn;

use std::{collections::HashSet, sync::Arc, time::Duration};

use dashmap::{DashMap, Entry};
use engram_core::{
    ports::StoreError,
    step::{RunEnd, RunError},
};
use engram_domain::{Group, GroupId, ManagerConfig, RunErrorKind, RunId, StopReason};
use run::Outcome;

pub(crate) use end::cancel;

use crate::{Inner, api::StreamEvent, metrics};

/// Pauses between tries while the database cannot be reached.
const AGAIN: Duration = Duration::from_millis(500);
/// What followers are told when the last node stops first.
const STOPPING: &str = "The server is stopping. The group's conversation goes on when it is back.";

/// The groups that this node drives.
#[derive(Default)]
pub(crate) struct Groups(DashMap<GroupId, Driver>);

/// What a group's driver must know from others.
#[derive(Default)]
struct Driver {
    /// Whether something may have come since it looked.
    again: bool,
    /// Runs that somebody here may follow.
    followed: HashSet<RunId>,
}

impl Groups {
    pub(crate) fn contains(&self, group: GroupId) -> bool {
        self.0.contains_key(&group)
    }
}

/// Sees to it that a group is driven here until no run of it is open. `run`: one that somebody here follows.
pub(crate) fn drive(inner: &Arc<Inner>, group: GroupId, run: Option<RunId>) {
    match inner.groups.0.entry(group) {
        Entry::Occupied(mut driver) => {
            driver.get_mut().again = true;
            driver.get_mut().followed.extend(run);
            return;
        }
        Entry::Vacant(slot) => drop(slot.insert(Driver { again: false, followed: run.into_iter().collect() })),
    }
    let inner = inner.clone();
    inner.tasks.clone().spawn(async move { work(&inner, group).await });
}

/// How a driver has come to its end.
enum Driven {
    /// No run is open any more.
    All,
    /// Another node owns the group, or the group is gone.
    Elsewhere,
    /// This node stops.
    Stopped,
}

async fn work(inner: &Arc<Inner>, group: GroupId) {
    let drivers = &inner.groups.0;
    let driver = loop {
        match drive_all(inner, group).await {
            Ok(Driven::All) => {
                // What came meanwhile is looked at first.
                if let Some((_, driver)) = drivers.remove_if(&group, |_, driver| !driver.again) {
                    break Some(driver);
                }
                if let Some(mut driver) = drivers.get_mut(&group) {
                    driver.again = false;
                }
            }
            Ok(Driven::Elsewhere | Driven::Stopped) => break drivers.remove(&group).map(|(_, driver)| driver),
            Err(_) if inner.closing.is_cancelled() => break drivers.remove(&group).map(|(_, driver)| driver),
            Err(error) => {
                metrics::error("group");
                tracing::warn!(%error, %group, "a group cannot be driven; it is tried again in a moment");
                tokio::time::sleep(AGAIN).await;
            }
        }
    };
    for run in driver.into_iter().flat_map(|driver| driver.followed) {
        // One that somebody has ended has its end in the database, and no other.
        if inner.closing.is_cancelled() && !inner.is_draining() && !matches!(run::is_over(inner, run).await, Ok(true)) {
            stopping(inner, run);
        }
        // Whoever follows it looks for it again: with its new owner, or in the database.
        inner.hub.leave(run);
    }
}

/// Tells whoever follows a run that nobody goes on with it for the moment.
fn stopping(inner: &Inner, run_id: RunId) {
    let end = RunEnd {
        run_id,
        status: StopReason::Error.status(),
        stop_reason: StopReason::Error,
        usage: engram_domain::Usage::default(),
        step_count: 0,
        context_tokens: 0,
        error: Some(RunError::new(RunErrorKind::Interrupted, STOPPING)),
    };
    inner.hub.publish(run_id, None, StreamEvent::Ended(Box::new(end)));
}

/// Claims the group and drives one run after the other.
async fn drive_all(inner: &Arc<Inner>, group: GroupId) -> Result<Driven, StoreError> {
    let store = &inner.ports.store;
    let Some(fence) = store.claim_group(group, inner.settings.node.id).await? else { return Ok(Driven::Elsewhere) };
    let driven = loop {
        if inner.closing.is_cancelled() {
            break Driven::Stopped;
        }
        let Some(task) = store.begin_group_run(fence, inner.ports.clock.now()).await? else { break Driven::All };
        match run::drive(inner, fence, &task).await? {
            Outcome::Over => {
                if let Some(mut driver) = inner.groups.0.get_mut(&group) {
                    driver.followed.remove(&task.run.id);
                }
            }
            Outcome::Lost => return Ok(Driven::Elsewhere),
            Outcome::Stopped => break Driven::Stopped,
        }
    };
    store.release_group(fence).await?;
    if matches!(driven, Driven::Stopped) {
        store.notify(None, group.into()).await?;
    }
    Ok(driven)
}

/// Whether agents of a group speak in turns, as opposed to its manager speaking alone.
pub fn speaks_in_turns(group: &Group) -> bool {
    matches!(group.manager, ManagerConfig::RoundRobin { .. } | ManagerConfig::Dynamic { .. })
}
