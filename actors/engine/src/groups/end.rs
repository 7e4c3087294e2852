//! Ending a group's run from outside: it is cancelled, or its group is deleted.

use std::sync::Arc;

use engram_core::{
    ports::{
        StoreError,
        store::{GroupRunEnd, TurnRun},
    },
    step::{RunEnd, RunError},
};
use engram_domain::{AgentId, GroupId, RunErrorKind, RunId, StopReason};

use crate::{
    Engine, Inner,
    api::{Command, CommandError, Pending, StreamEvent},
};

/// What followers are told of a group that is deleted.
const DELETED: &str = "The group was deleted before its agents had spoken.";

impl Engine {
    /// Ends all open runs of a group that is about to be deleted.
    pub async fn end_group_runs(&self, group: GroupId) -> Result<(), StoreError> {
        let open = self.0.ports.store.open_runs(group.into()).await?;
        // The current one comes last: were it first, the next one would begin.
        for run in open.into_iter().rev() {
            let error = RunError::new(RunErrorKind::NotFound, DELETED);
            end(self, group, run, StopReason::Error, Some(error)).await?;
        }
        Ok(())
    }
}

/// Cancels a run of a group. True when this call ended it, false when it was over.
pub(crate) async fn cancel(engine: &Engine, group: GroupId, run: RunId) -> Result<bool, StoreError> {
    end(engine, group, run, StopReason::Cancelled, None).await
}

/// Ends a run, then its open turns. In this order a driver cannot begin another turn in between: it looks after each
/// submission whether the run is still open.
async fn end(
    engine: &Engine,
    group: GroupId,
    run: RunId,
    reason: StopReason,
    error: Option<RunError>,
) -> Result<bool, StoreError> {
    let inner = &engine.0;
    let store = &inner.ports.store;
    let Some(row) = store.run(run).await? else { return Ok(false) };
    let end = RunEnd::of(&row, reason, error);
    let event = StreamEvent::Ended(Box::new(end.clone()));
    let ended = store.end_group_run(group, None, &stored(&end, &event), inner.ports.clock.now()).await?;
    // Whoever follows it finds its end in the database.
    inner.hub.leave(run);
    let Some(ended) = ended else { return Ok(false) };
    let turns = store.turns(run).await?;
    for turn in turns.iter().filter(|turn| turn.open) {
        engine.cancel_in_conversation(turn.conversation_id, turn.id).await?;
    }
    store.sum_turns(run).await?;
    if let Some(manager) = ended.manager {
        deny_open_call(inner, manager, &turns);
    }
    Ok(true)
}

/// An end as the store takes it.
pub(super) fn stored(end: &RunEnd, event: &StreamEvent) -> GroupRunEnd {
    GroupRunEnd {
        run: end.run_id,
        stop_reason: end.stop_reason,
        error: end.error.clone(),
        event: serde_json::to_value(event).expect("an end has no keys but strings"),
    }
}

/// Denies what a manager has asked the group for in these turns and nobody will answer: its conversation must not wait for
/// ever.
pub(super) fn deny_open_call(inner: &Arc<Inner>, manager: AgentId, turns: &[TurnRun]) {
    let conversation = manager.default_conversation();
    let asked = turns.iter().filter(|turn| turn.conversation_id == conversation).map(|turn| turn.id).collect();
    let engine = Engine(inner.clone());
    inner.tasks.spawn(async move {
        match engine.command(conversation, Command::DenyPending(Pending::Runs(asked))).await {
            Ok(_) | Err(CommandError::NotFound) => {}
            Err(error) => tracing::warn!(%error, %manager, "a manager still waits for its group"),
        }
    });
}
