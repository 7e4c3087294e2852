//! What is left of a play, without ids and times, to be compared with another one.

use std::collections::{BTreeMap, BTreeSet};

use engram_domain::{Content, Message, Run, RunId, RunStatus, StopReason, ToolStatus};
use engram_testkit::ONCE;

use crate::{group, sim::Sim};

/// What became of one request.
#[derive(Debug, PartialEq, Eq, Default)]
struct Told {
    ends: Vec<Option<StopReason>>,
    story: Vec<String>,
}

/// What is left.
pub struct Outcome {
    /// How often the world was changed.
    pub effects: u64,
    requests: BTreeMap<String, Told>,
    /// Requests that somebody ended: how far they came is a matter of time.
    cancelled: BTreeSet<String>,
    /// What was said outside of runs.
    loose: Vec<String>,
    /// Lines in memory, each called as the call that wrote it.
    lines: BTreeSet<String>,
}

fn of_run(run: &Run) -> (String, u64) {
    let name = run.metadata["request"].as_str().unwrap_or_default().to_owned();
    (name, run.metadata["attempt"].as_u64().unwrap_or_default())
}

fn line(message: &Message) -> String {
    match &message.content {
        // Whether it was lost is told in no other way than by its result.
        Content::ToolReturn(r) if r.name == ONCE && !r.text.contains("denied") => format!("{}: result", r.name),
        Content::ToolReturn(r) => {
            let ok = r.status == ToolStatus::Success;
            // The whole of memory is in these.
            let text = if r.name.contains("memory") { "" } else { &r.text };
            format!("{}: {} {text}", r.name, if ok { "ok" } else { "error" })
        }
        Content::Parts { parts } => {
            let text = engram_domain::message::parts_text(parts);
            let hidden = engram_core::package::is_hidden(&text);
            format!("{}: {}", message.role.as_str(), if hidden { "(event)" } else { &text })
        }
        Content::Assistant { text, calls, .. } => {
            let calls: Vec<&str> = calls.iter().map(|c| c.id.as_str()).collect();
            format!("{}: {} {calls:?}", message.role.as_str(), text.as_deref().unwrap_or_default())
        }
        other => format!("{}: {}", message.role.as_str(), other.plain_text()),
    }
}

/// Calls are called as the request that they are made for.
fn is_of_another(message: &Message, name: &str) -> bool {
    matches!(&message.content, Content::ToolReturn(r) if !r.tool_call_id.starts_with(name))
}

impl Outcome {
    pub fn of(sim: &Sim) -> Self {
        sim.db.with(|t| {
            // How many runs an alarm with several times becomes is a matter of time: one makes up for all that were missed.
            let is_certain =
                |run: &&Run| !sim.plan.alarms.iter().any(|(name, at)| *name == of_run(run).0 && at.len() > 1);
            let runs = || t.main.world.runs.values().filter(is_certain);
            // Only the try that was not in anybody's way.
            let mut last: BTreeMap<String, u64> = BTreeMap::new();
            for (name, attempt) in runs().map(of_run) {
                let known = last.entry(name).or_default();
                *known = attempt.max(*known);
            }
            let mut requests: BTreeMap<String, Told> = BTreeMap::new();
            let mut cancelled = BTreeSet::new();
            let mut in_order: Vec<&Run> = runs().collect();
            in_order.sort_by_key(|run| (run.created_at, run.id));
            let mut names: BTreeMap<RunId, String> = BTreeMap::new();
            for run in in_order {
                let (name, attempt) = of_run(run);
                if run.status == RunStatus::Cancelled {
                    cancelled.insert(name.clone());
                }
                if last[&name] == attempt {
                    requests.entry(name.clone()).or_default().ends.push(run.stop_reason);
                    names.insert(run.id, name);
                }
            }
            let mut loose = Vec::new();
            for message in t.main.world.messages.values() {
                match message.run_id.map(|run| names.get(&run)) {
                    // Calls that another run has left open are closed by the next one.
                    Some(Some(name)) if is_of_another(message, name) => {}
                    Some(Some(name)) => requests.entry(name.clone()).or_default().story.push(line(message)),
                    Some(None) => {}
                    None if message.role == engram_domain::Role::System => {}
                    None => loose.push(line(message)),
                }
            }
            for run in t.groups.values().flat_map(|group| group.runs.values()) {
                let (name, _) = of_run(run);
                if run.status == RunStatus::Cancelled {
                    cancelled.insert(name.clone());
                }
                let story = group::story(t, run.id);
                requests.insert(name, Told { ends: vec![run.stop_reason], story });
            }
            loose.sort_unstable();
            let lines = t.main.world.snapshot.blocks[0].value.lines().skip(1).map(str::to_owned).collect();
            Self { effects: sim.effects(), requests, cancelled, loose, lines }
        })
    }

    /// What another play of the same plan has made different.
    pub fn compare(&self, other: &Self) -> Result<(), String> {
        let cancelled: BTreeSet<&String> = self.cancelled.union(&other.cancelled).collect();
        let names: BTreeSet<&String> = self.requests.keys().chain(other.requests.keys()).collect();
        for name in names.into_iter().filter(|name| !cancelled.contains(name)) {
            let (calm, now) = (self.requests.get(name), other.requests.get(name));
            if calm != now {
                return Err(format!("{name} was\n{calm:#?}\nand is\n{now:#?}"));
            }
        }
        let kept = |lines: &BTreeSet<String>| -> BTreeSet<String> {
            let of_cancelled = |line: &&String| cancelled.iter().any(|name| line.starts_with(&format!("{name}-")));
            lines.iter().filter(|line| !of_cancelled(line)).cloned().collect()
        };
        if kept(&self.lines) != kept(&other.lines) {
            return Err(format!("memory was {:?} and is {:?}", self.lines, other.lines));
        }
        if cancelled.is_empty() && self.loose != other.loose {
            return Err(format!("beside the runs was {:?} and is {:?}", self.loose, other.loose));
        }
        Ok(())
    }
}
