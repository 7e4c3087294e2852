//! What begins by itself: alarms, and the runs of sleep-time companions. The rules are those of `engram-store`: what is
//! due and the run that it becomes change in one transaction.

use engram_core::ports::{
    Accepted, Ids, NewRun,
    store::{Begun, RunUpdate, ScheduledRun},
};
use engram_domain::{
    AgentId, ConversationId, NodeId, RequestKey, RunId, RunStatus, RunType, ScheduleId, StopReason, Time,
    run::BusyPolicy,
};
use engram_testkit::{input, new_run};
use uuid::Uuid;

use super::{Db, Tables};

/// A schedule of the agent: at these times it is told its name.
pub struct Alarm {
    pub name: String,
    pub id: ScheduleId,
    /// Those that are still to come, in order. One run makes up for all that were missed.
    pub times: Vec<Time>,
    last_run: Option<RunId>,
    /// The times that became runs.
    pub begun: Vec<(Time, RunId)>,
}

impl Alarm {
    pub fn new(name: &str, times: Vec<Time>) -> Self {
        let id = ScheduleId(Uuid::from_u128(0x900 + name.bytes().map(u128::from).sum::<u128>()));
        Self { name: name.into(), id, times, last_run: None, begun: Vec::new() }
    }
}

/// The agent's companions, and how far they have come.
pub struct SleepGroup {
    /// After so many turns they work.
    pub frequency: i64,
    pub companions: Vec<AgentId>,
    /// Turns that were committed.
    pub turns: i64,
    /// Turns of which the companions were told.
    pub worked: i64,
}

impl Tables {
    /// The commit that ends a turn counts it.
    pub(super) fn count_turn(&mut self, conversation: ConversationId, update: &RunUpdate) {
        let ended = update.status == RunStatus::Completed && update.stop_reason != Some(StopReason::RequiresApproval);
        if let Some(group) = self.sleep.as_mut().filter(|_| ended && conversation == self.main.id()) {
            group.turns += 1;
        }
    }

    fn begin(&mut self, run: &NewRun) -> bool {
        matches!(self.accept(run, NodeId(Uuid::nil())), Accepted::Stored { .. })
    }

    /// Whether an alarm has work for whoever asks.
    fn is_due(&self, alarm: &Alarm, now: Time) -> bool {
        let busy = alarm.last_run.and_then(|run| self.run(run)).is_some_and(|run| !run.status.is_terminal());
        !busy && alarm.times.first().is_some_and(|time| *time <= now)
    }
}

fn told(text: &str, to: AgentId, run_type: RunType, key: RequestKey, id: RunId, now: Time) -> NewRun {
    NewRun {
        id,
        metadata: serde_json::json!({ "request": text, "attempt": 0 }),
        background: run_type == RunType::ScheduledMessage,
        run_type,
        keys: vec![key],
        busy_policy: Some(BusyPolicy::Queue),
        max_queue: i64::MAX,
        created_at: now,
        ..new_run(to, input(text))
    }
}

impl Db {
    /// Whether an alarm or a schedule is due.
    pub fn schedules_are_due(&self) -> bool {
        let now = self.now();
        self.with(|t| t.due_schedules > 0 || t.alarms.iter().any(|alarm| t.is_due(alarm, now)))
    }

    pub fn begin_scheduled(&self, now: Time, limit: i64) -> Vec<ScheduledRun> {
        self.with(|t| {
            let mut begun = Vec::new();
            for at in 0..t.alarms.len() {
                if !t.is_due(&t.alarms[at], now) {
                    continue;
                }
                let (run_id, agent_id) = (RunId(t.main.world.ids.uuid()), t.main.world.conversation.agent_id);
                let (name, schedule_id) = (t.alarms[at].name.clone(), t.alarms[at].id);
                let due_at = t.alarms[at].times[0];
                let key = RequestKey::schedule(schedule_id, due_at);
                assert!(t.begin(&told(&name, agent_id, RunType::ScheduledMessage, key, run_id, now)), "each time once");
                let alarm = &mut t.alarms[at];
                alarm.times.retain(|time| *time > now);
                alarm.last_run = Some(run_id);
                alarm.begun.push((due_at, run_id));
                begun.push(ScheduledRun {
                    schedule_id,
                    agent_id,
                    run_id,
                    due_at,
                    next_at: alarm.times.first().copied(),
                });
            }
            let gone = t.due_schedules.min(usize::try_from(limit).unwrap_or(0));
            t.due_schedules -= gone;
            begun.extend((0..gone).map(|_| ScheduledRun {
                schedule_id: ScheduleId(t.main.world.ids.uuid()),
                agent_id: AgentId(t.main.world.ids.uuid()),
                run_id: RunId(t.main.world.ids.uuid()),
                due_at: now,
                next_at: None,
            }));
            begun
        })
    }

    /// Whether companions have work.
    pub fn sleep_is_due(&self) -> bool {
        self.with(|t| t.sleep.as_ref().is_some_and(|group| group.turns - group.worked >= group.frequency))
    }

    pub fn begin_sleep_time(&self, now: Time) -> Vec<Begun> {
        self.with(|t| {
            let mut begun = Vec::new();
            while let Some(group) = t.sleep.as_mut().filter(|group| group.turns - group.worked >= group.frequency) {
                group.worked += group.frequency;
                let (worked, companions) = (group.worked, group.companions.clone());
                for companion in companions {
                    let id = RunId(t.main.world.ids.uuid());
                    let name = format!("up to turn {worked} for {companion}");
                    let key = RequestKey::stored(format!("sleep:{companion}:{worked}"));
                    assert!(
                        t.begin(&told(&name, companion, RunType::SleepTime, key, id, now)),
                        "each number of turns once"
                    );
                    begun.push((companion.default_conversation(), id));
                }
            }
            begun
        })
    }
}
