//! What a seed stands for: who sends what and when, and what the model does with it.

use std::{collections::BTreeMap, time::Duration};

use engram_domain::{AgentType, BusyPolicy};
use engram_testkit::{ONCE, READ};

use crate::rng::Rng;

/// Calls of one answer: names and arguments.
pub type Calls = Vec<(String, String)>;

/// What a client says to a request for approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    Approve,
    Deny,
    /// It ran the tool itself.
    Return,
    /// It takes the request back.
    Command,
}

/// A group, and what it is told.
#[derive(Debug, Clone)]
pub struct GroupPlan {
    pub members: u128,
    /// Turns in the answer to each message.
    pub turns: usize,
    /// Each sends its messages one after the other.
    pub clients: Vec<Vec<ToGroup>>,
}

/// A message to the group.
#[derive(Debug, Clone)]
pub struct ToGroup {
    pub name: String,
    /// Before it is sent.
    pub pause: Duration,
    /// Somebody wants it to end, so long after it was accepted.
    pub cancel: Option<Duration>,
}

/// Something that a client sends, under its name.
#[derive(Debug, Clone)]
pub struct Request {
    pub name: String,
    /// Before it is sent.
    pub pause: Duration,
    pub background: bool,
    pub tokens: bool,
    /// Sent again, somewhere else perhaps, so long after.
    pub again: Option<Duration>,
    /// Other listeners to its events, and when they come.
    pub readers: Vec<Duration>,
    /// Somebody wants it to end, so long after it was accepted.
    pub cancel: Option<Duration>,
    pub policy: Option<BusyPolicy>,
    pub word: Word,
}

/// The whole of it.
#[derive(Debug, Clone)]
pub struct Plan {
    pub agent_type: AgentType,
    pub nodes: usize,
    pub clients: Vec<Vec<Request>>,
    /// What the model does for a request, answer by answer, before it says its last words.
    pub scripts: BTreeMap<String, Vec<Calls>>,
    /// The tool with an effect outside needs approval.
    pub approvals: bool,
    /// Nodes that are taken out in order, and when.
    pub drains: Vec<(usize, Duration)>,
    /// Memory is short all the time: agents sleep whenever they can.
    pub sleepy: bool,
    /// When the agent is told something by the clock, under which names.
    pub alarms: Vec<(String, Vec<Duration>)>,
    /// How many companions the agent has, and after how many turns they work.
    pub sleep: Option<(u128, i64)>,
    /// A group whose agents speak in turns.
    pub group: Option<GroupPlan>,
    /// The longest that the database takes to answer, in milliseconds.
    pub store_ms: u64,
    /// The longest that the model takes for a piece of its answer.
    pub model_ms: u64,
}

impl Plan {
    pub fn of(seed: u64) -> Self {
        let rng = &mut Rng::new(seed);
        let agent_type = *rng.pick(&[
            AgentType::LettaV1Agent,
            AgentType::LettaV1Agent,
            AgentType::MemgptAgent,
            AgentType::WorkflowAgent,
        ]);
        let nodes = *rng.pick(&[1, 1, 1, 2, 2, 3]);
        let approvals = agent_type != AgentType::WorkflowAgent && rng.chance(20);
        let disturbed = rng.chance(30);
        let mut plan = Self {
            agent_type,
            nodes,
            clients: vec![],
            scripts: BTreeMap::new(),
            approvals,
            drains: vec![],
            sleepy: rng.chance(20),
            alarms: vec![],
            sleep: None,
            group: None,
            store_ms: *rng.pick(&[0, 1, 3, 3, 40]),
            model_ms: *rng.pick(&[5, 30, 30, 900]),
        };
        if rng.chance(25) {
            plan.drains.push((usize::try_from(rng.below(nodes as u64)).unwrap_or(0), rng.millis(5, 600)));
        }
        for client in 0..*rng.pick(&[1, 1, 1, 1, 2, 2, 3]) {
            let requests = (0..=rng.below(2)).map(|n| plan.request(format!("c{client}r{n}"), disturbed, rng));
            let requests = requests.collect();
            plan.clients.push(requests);
        }
        // From numbers of their own, so that what was drawn before is drawn again.
        let rng = &mut Rng::new(seed ^ 0x000A_1A63);
        // What comes while an approval is pending waits or fails, as it comes: that is no story to compare.
        if !approvals && rng.chance(40) {
            for n in 0..=rng.below(2) {
                let mut times: Vec<Duration> = (0..*rng.pick(&[1, 1, 2, 4])).map(|_| rng.millis(0, 4_000)).collect();
                times.sort_unstable();
                times.dedup();
                plan.alarms.push((format!("alarm{n}"), times));
            }
        }
        if !approvals && rng.chance(40) {
            plan.sleep = Some((*rng.pick(&[1, 1, 2]), *rng.pick(&[1, 1, 2, 3])));
        }
        if rng.chance(35) {
            let mut clients = Vec::new();
            for client in 0..*rng.pick(&[1, 1, 2]) {
                let messages = *rng.pick(&[1, 1, 2]);
                let message = |n| ToGroup {
                    name: format!("g{client}m{n}"),
                    pause: rng.millis(0, 200),
                    cancel: (disturbed && rng.chance(30)).then(|| rng.millis(0, 300)),
                };
                clients.push((0..messages).map(message).collect());
            }
            plan.group = Some(GroupPlan { members: *rng.pick(&[1, 2, 3]), turns: *rng.pick(&[1, 2, 3, 4]), clients });
        }
        plan
    }

    fn request(&mut self, name: String, disturbed: bool, rng: &mut Rng) -> Request {
        let script = (0..rng.below(3)).map(|step| self.calls(&name, step, rng)).collect();
        self.scripts.insert(name.clone(), script);
        let background = rng.chance(50);
        let readers = if background { rng.below(3) } else { 0 };
        Request {
            pause: rng.millis(0, 60),
            background,
            tokens: rng.chance(60),
            again: rng.chance(25).then(|| rng.millis(0, 200)),
            readers: (0..readers).map(|_| rng.millis(0, 400)).collect(),
            cancel: (disturbed && rng.chance(40)).then(|| rng.millis(0, 150)),
            // A denied request for approval would be no request any more.
            policy: (disturbed && !self.approvals && rng.chance(30)).then_some(BusyPolicy::Interrupt),
            word: *rng.pick(&[Word::Approve, Word::Approve, Word::Deny, Word::Return, Word::Command]),
            name,
        }
    }

    /// One answer's calls. Every one of them has arguments of its own, by which it is known.
    fn calls(&self, name: &str, step: u64, rng: &mut Rng) -> Calls {
        let heartbeats = self.agent_type.has_heartbeats();
        (0..=rng.below(3))
            .map(|n| {
                let tag = format!("{name}-{step}-{n}");
                let mut args = serde_json::Map::new();
                let tool = match rng.below(8) {
                    0 | 1 => ONCE,
                    2 | 3 => READ,
                    4 => "no_such_tool",
                    5 => "memory_insert",
                    _ => "core_memory_append",
                };
                match tool {
                    "memory_insert" => {
                        args.extend([("label".to_owned(), "human".into()), ("new_string".to_owned(), tag.into())]);
                    }
                    "core_memory_append" => {
                        args.extend([("label".to_owned(), "human".into()), ("content".to_owned(), tag.into())]);
                    }
                    _ => _ = args.insert("n".to_owned(), tag.into()),
                }
                if heartbeats {
                    args.insert("request_heartbeat".to_owned(), true.into());
                }
                (tool.to_owned(), serde_json::Value::Object(args).to_string())
            })
            .collect()
    }
}
