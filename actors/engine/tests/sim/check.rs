//! What must hold whenever all is over, whatever went wrong.

use std::collections::{BTreeMap, BTreeSet};

use engram_domain::{Content, Message, MessageId, Run, RunErrorKind, RunId, RunStatus, ToolStatus};
use engram_testkit::{ONCE, World};

use crate::{db::Tables, group, sim::Sim, views::is_shown};

/// Says what is wrong.
pub fn check(sim: &Sim) {
    sim.db.with(|t| {
        for place in t.places() {
            let world = &place.world;
            // A run that was ended while nobody drove it may leave calls open, which the next one closes.
            if let Some(run) = world.open_calls().and_then(|m| m.run_id)
                && world.runs[&run].status != RunStatus::Cancelled
            {
                sim.wrong(format!("{run} has left calls open"));
            }
            for run in world.runs.values() {
                end(sim, run);
                log(sim, t, run);
            }
            turns(sim, world);
        }
        for run in t.groups.values().flat_map(|group| group.runs.values()) {
            end(sim, run);
            log(sim, t, run);
        }
        for (key, run) in &*sim.accepted.lock() {
            if t.keys.get(key) != Some(run) {
                sim.wrong(format!("{key} was accepted as {run}, which is lost"));
            }
        }
        outside(sim, t);
        memory(sim, t);
        views(sim, t);
        alarms(sim, t);
        companions(sim, t);
        group::check(sim, t);
    });
}

fn end(sim: &Sim, run: &Run) {
    let in_the_way = run.error_kind == Some(RunErrorKind::PendingApproval);
    match run.status {
        RunStatus::Completed | RunStatus::Cancelled => {}
        RunStatus::Failed if in_the_way => {}
        _ => sim.wrong(format!("{} is {:?}: {:?}", run.id, run.status, run.error)),
    }
}

/// The events that are kept have no gap, and at most one end, which is the last.
fn log(sim: &Sim, t: &Tables, run: &Run) {
    let Some(log) = t.events.get(&run.id) else { return };
    if !log.keys().copied().eq(1..=log.len() as i64) {
        sim.wrong(format!("kept events of {}: {:?}", run.id, log.keys().collect::<Vec<_>>()));
    }
    let ends: Vec<i64> = log.iter().filter(|(_, e)| e.get("ended").is_some()).map(|(n, _)| *n).collect();
    if ends.len() > 1 || ends.first().is_some_and(|n| *n != log.len() as i64) {
        sim.wrong(format!("kept ends of {}: {ends:?} of {}", run.id, log.len()));
    }
}

/// Runs have their turns one after the other.
fn turns(sim: &Sim, world: &World) {
    let (mut over, mut on) = (BTreeSet::new(), None);
    for run in world.messages.values().filter_map(|m| m.run_id) {
        if on != Some(run) {
            over.extend(on.replace(run));
            if over.contains(&run) {
                sim.wrong(format!("{run} goes on after another run's turn"));
            }
        }
    }
}

fn results(t: &Tables) -> impl Iterator<Item = (&Message, &engram_domain::ToolReturn)> {
    t.main.world.messages.values().filter_map(|m| match &m.content {
        Content::ToolReturn(r) => Some((&**m, r)),
        _ => None,
    })
}

/// What has an effect outside happened at most once, and exactly once when its result says so.
fn outside(sim: &Sim, t: &Tables) {
    let rung = sim.rung.lock();
    for (which, times) in &*rung {
        if *times > 1 {
            sim.wrong(format!("the bell rang {times} times for {which}"));
        }
    }
    for (_, r) in results(t).filter(|(_, r)| r.name == ONCE && r.text.starts_with(ONCE)) {
        // Calls are called as their only argument is.
        if rung.get(&format!("{:?}", r.tool_call_id)) != Some(&1) {
            sim.wrong(format!("the bell did not ring for {}", r.tool_call_id));
        }
    }
}

/// A line is in memory exactly when the call that wrote it has a result that says so.
fn memory(sim: &Sim, t: &Tables) {
    let value = &t.main.world.snapshot.blocks[0].value;
    let mut lines: Vec<&str> = value.lines().skip(1).collect();
    lines.sort_unstable();
    let edits = results(t).filter(|(_, r)| r.name.contains("memory") && r.status == ToolStatus::Success);
    let mut written: Vec<&str> = edits.map(|(_, r)| r.tool_call_id.as_str()).collect();
    written.sort_unstable();
    if lines != written {
        sim.wrong(format!("memory has {lines:?}, results say {written:?}"));
    }
}

/// Everybody was told what is in the database.
fn views(sim: &Sim, t: &Tables) {
    let mut shown: BTreeMap<RunId, Vec<MessageId>> = BTreeMap::new();
    for message in t.main.world.messages.values().filter(|m| is_shown(m.role, &m.content)) {
        if let Some(run) = message.run_id {
            shown.entry(run).or_default().push(message.id);
        }
    }
    for run in t.groups.values().flat_map(|group| group.runs.keys()) {
        shown.insert(*run, group::shown(t, *run));
    }
    for view in &*sim.views.whole.lock() {
        if view.events.is_empty() && view.after > 0 {
            continue;
        }
        if let Err(why) = view.check() {
            sim.wrong(why);
        }
        let Some(run) = t.run(view.run) else { continue };
        if let Some((_, engram_engine::StreamEvent::Ended(end))) = view.events.last()
            && (end.status, Some(end.stop_reason)) != (run.status, run.stop_reason)
        {
            sim.wrong(format!("{} was told as {:?} and is {:?}", run.id, end.stop_reason, run.stop_reason));
        }
        let all = shown.get(&view.run).cloned().unwrap_or_default();
        let told = view.shown();
        if view.after == 0 && told != all {
            sim.wrong(format!(
                "of {} ({}) was told {told:?} of {all:?}",
                run.id,
                if view.durable { "kept" } else { "live" }
            ));
        }
    }
}

/// Every time of an alarm has become a run, or one that came later has made up for it; and no time has become two.
fn alarms(sim: &Sim, t: &Tables) {
    for (alarm, (name, times)) in t.alarms.iter().zip(&sim.plan.alarms) {
        let runs: BTreeSet<RunId> = alarm.begun.iter().map(|(_, run)| *run).collect();
        let in_order = alarm.begun.is_sorted_by(|(a, _), (b, _)| a < b);
        if alarm.begun.is_empty() || alarm.begun.len() > times.len() || runs.len() != alarm.begun.len() || !in_order {
            sim.wrong(format!("{name} at {times:?} became {:?}", alarm.begun));
        }
        let named = |run: &&Run| run.metadata["request"] == name.as_str();
        let there = t.main.world.runs.values().filter(named).map(|run| run.id).collect::<BTreeSet<RunId>>();
        if there != runs {
            sim.wrong(format!("{name} began {runs:?}, and there are {there:?}"));
        }
    }
}

/// For every full number of turns each companion has had one run.
fn companions(sim: &Sim, t: &Tables) {
    let Some(group) = &t.sleep else { return };
    let completed = |run: &&Run| {
        run.status == RunStatus::Completed && run.stop_reason != Some(engram_domain::StopReason::RequiresApproval)
    };
    let turns = t.main.world.runs.values().filter(completed).count();
    let full = turns / usize::try_from(group.frequency).expect("it is small");
    for companion in &group.companions {
        let world = &t.others[&companion.default_conversation()].world;
        let done = world.runs.values().filter(completed).count();
        if done != full || world.runs.len() != full {
            sim.wrong(format!("after {turns} turns, {} of {} runs of {companion} are done", done, world.runs.len()));
        }
    }
}
