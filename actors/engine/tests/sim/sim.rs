//! One play of a plan.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use engram_domain::{AgentType, RunId, Time, ToolRule, rule::RuleKind};
use engram_testkit::{ONCE, World};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    client,
    db::{Alarm, Db, Place, SleepGroup},
    fault::{Fault, Kind},
    group,
    net::Net,
    node::{self, Node},
    outcome::Outcome,
    plan::Plan,
    rng::Rng,
    views::Views,
};

/// A play that takes longer than this, on its own clock, hangs.
const PATIENCE: Duration = Duration::from_mins(5);

/// What all parts of a play share.
pub struct Sim {
    pub plan: Plan,
    pub db: Arc<Db>,
    pub net: Arc<Net>,
    pub places: Vec<Mutex<Option<Arc<Node>>>>,
    rng: Mutex<Rng>,
    effects: AtomicU64,
    fault: Option<Fault>,
    /// How often each call of the tool with an effect outside was run.
    pub rung: Mutex<BTreeMap<String, usize>>,
    /// What was accepted, under its key.
    pub accepted: Mutex<BTreeMap<String, RunId>>,
    pub views: Views,
    /// What is wrong.
    pub wrong: Mutex<Vec<String>>,
    tell: bool,
    started: Instant,
}

/// A new world. Making one takes longer than many a play.
fn world(agent_type: AgentType) -> World {
    thread_local! {
        static WORLDS: RefCell<Vec<World>> = const { RefCell::new(Vec::new()) };
    }
    WORLDS.with_borrow_mut(|worlds| {
        let known = worlds.iter().find(|world| world.snapshot.agent.agent_type == agent_type);
        known.cloned().unwrap_or_else(|| {
            worlds.push(World::small(1, agent_type));
            worlds.last().expect("just pushed").clone()
        })
    })
}

impl Sim {
    fn new(seed: u64, fault: Option<Fault>, tell: bool) -> Self {
        let plan = Plan::of(seed);
        let mut world = world(plan.agent_type);
        if plan.approvals {
            let mut agent = (*world.snapshot.agent).clone();
            agent.tool_rules.push(ToolRule::new(ONCE, RuleKind::RequiresApproval));
            world.snapshot.agent = Arc::new(agent);
        }
        let db = Db::new(world);
        db.with(|t| {
            let time = |at: &Duration| Time::UNIX_EPOCH + *at;
            t.alarms = plan.alarms.iter().map(|(name, at)| Alarm::new(name, at.iter().map(time).collect())).collect();
            if let Some((companions, frequency)) = plan.sleep {
                let companions = (0..companions).map(|n| World::small(10 + n, AgentType::LettaV1Agent));
                let companions: Vec<Place> = companions.map(Place::new).collect();
                let ids = companions.iter().map(|place| place.world.conversation.agent_id).collect();
                t.sleep = Some(SleepGroup { frequency, companions: ids, turns: 0, worked: 0 });
                t.others.extend(companions.into_iter().map(|place| (place.world.conversation.id, place)));
            }
            if let Some(plan) = &plan.group {
                let (group, members) = group::found(plan);
                t.groups.insert(group.group.id, group);
                t.others.extend(members.into_iter().map(|place| (place.world.conversation.id, place)));
            }
        });
        Self {
            places: (0..plan.nodes).map(|_| Mutex::default()).collect(),
            plan,
            db: Arc::new(db),
            net: Arc::default(),
            rng: Mutex::new(Rng::new(seed ^ 0x005E_ED00)),
            effects: AtomicU64::new(0),
            fault,
            rung: Mutex::default(),
            accepted: Mutex::default(),
            views: Views::default(),
            wrong: Mutex::default(),
            tell,
            started: Instant::now(),
        }
    }

    pub fn draw<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.rng.lock())
    }

    /// Counts an effect. What goes wrong with it, if something does.
    pub fn effect(&self, node: &str, call: &str) -> Option<Kind> {
        let at = self.effects.fetch_add(1, Ordering::Relaxed);
        let kind = self.fault.filter(|fault| fault.at == at).map(|fault| fault.kind);
        self.tell(|| format!("{at:>4} {node} {call} {}", kind.map_or(String::new(), |kind| format!("{kind:?}"))));
        kind
    }

    pub fn tell(&self, what: impl FnOnce() -> String) {
        if self.tell {
            println!("{:>9.3} {}", self.started.elapsed().as_secs_f64(), what());
        }
    }

    pub fn wrong(&self, what: String) {
        self.tell(|| format!("WRONG: {what}"));
        self.wrong.lock().push(what);
    }

    pub fn effects(&self) -> u64 {
        self.effects.load(Ordering::Relaxed)
    }

    pub fn is_disturbed(&self) -> bool {
        self.fault.is_some()
    }
}

/// Plays a seed to its end.
pub fn play(seed: u64, fault: Option<Fault>, tell: bool) -> Result<Outcome, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|e| e.to_string())?;
    runtime.block_on(async {
        let sim = Arc::new(Sim::new(seed, fault, tell));
        sim.tell(|| format!("{:?}", sim.plan));
        for place in 0..sim.plan.nodes {
            tokio::spawn(node::keep(sim.clone(), place));
        }
        for (place, at) in sim.plan.drains.clone() {
            tokio::spawn(node::drain(sim.clone(), place, at));
        }
        let clients = client::all(&sim);
        let played = tokio::time::timeout(PATIENCE, async {
            clients.await;
            // What nobody waits for any more comes to its end too.
            while sim.db.with(|t| !t.open().is_empty() || t.alarms.iter().any(|alarm| !alarm.times.is_empty()))
                || sim.db.sleep_is_due()
            {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            client::read_again(&sim).await;
        });
        if played.await.is_err() {
            let open = sim.db.with(|t| t.open());
            sim.wrong(format!("it hangs; open runs: {open:?}"));
        }
        // Nothing comes after the end.
        tokio::time::sleep(Duration::from_secs(5)).await;
        crate::check::check(&sim);
        let wrong = std::mem::take(&mut *sim.wrong.lock());
        let result = if wrong.is_empty() { Ok(Outcome::of(&sim)) } else { Err(wrong.join("; ")) };
        // The processes hold the world and the world holds them: without this, every play would stay in memory.
        sim.net.clear();
        sim.places.iter().for_each(|place| drop(place.lock().take()));
        result
    })
}
