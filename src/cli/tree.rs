//! `engram tree`: who is awake, and what everybody does.

use std::{fmt::Write as _, process::ExitCode, time::Duration};

use engram_core::ports::Clock as _;
use engram_domain::Time;

use super::TreeArgs;
use crate::{
    ambient::SystemClock,
    config::Environment,
    http::dto::tree::{TreeAgent, TreeConversation, TreeDto, TreeSchedule},
};

/// How long the answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Prints the tree.
pub fn run(args: &TreeArgs) -> ExitCode {
    match fetch(args) {
        Ok(tree) => {
            let text = if args.json {
                serde_json::to_string_pretty(&tree).unwrap_or_else(|error| error.to_string())
            } else {
                picture(&tree, SystemClock::new().now())
            };
            println!("{}", text.trim_end());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("engram: {error}");
            ExitCode::FAILURE
        }
    }
}

fn fetch(args: &TreeArgs) -> Result<TreeDto, Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let base = args.url.trim_end_matches('/');
        // Proxies of the environment are for the world outside.
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
        let mut request = client.get(format!("{base}/v1/admin/tree")).query(&[("limit", args.limit)]);
        if let Some(password) = Environment::read().text(&["LETTA_SERVER_PASSWORD"]) {
            request = request.bearer_auth(password);
        }
        let answer = request.send().await.map_err(|error| {
            format!(
                "no server answers at {base}: {}",
                if error.is_connect() { "no connection".into() } else { error.to_string() }
            )
        })?;
        match answer.status() {
            status if status.is_success() => Ok(answer.json().await?),
            reqwest::StatusCode::UNAUTHORIZED => {
                Err("the server requires a password: set LETTA_SERVER_PASSWORD".into())
            }
            status => Err(format!("the server at {base} answered {status}: {}", answer.text().await?).into()),
        }
    })
}

/// The tree as one reads it.
fn picture(tree: &TreeDto, now: Time) -> String {
    let mut out = Picture { text: String::new(), now, many_nodes: tree.nodes.len() > 1 };
    for node in &tree.nodes {
        let live = match (&node.live, &node.error) {
            (Some(live), _) => format!("{live} live"),
            (None, why) => format!("not asked: {}", why.as_deref().unwrap_or("it did not answer")),
        };
        out.line("", &format!("node {}  {}  {live}", node.name, node.state));
    }
    for group in &tree.groups {
        let mut title = format!("group {}  {}", group.manager_type, group.id);
        if let Some(turns) = group.turns_counter {
            let _ = write!(title, "  {} turns", turns + 1);
        }
        if group.open_messages > 0 {
            let _ = write!(title, "  {} open messages", group.open_messages);
        }
        if !group.description.is_empty() {
            let _ = write!(title, "  {}", first_line(&group.description));
        }
        out.line("", &title);
        out.agents(&group.agents);
    }
    if !tree.agents.is_empty() {
        out.line("", if tree.groups.is_empty() { "agents" } else { "other agents" });
        out.agents(&tree.agents);
    }
    if tree.groups.is_empty() && tree.agents.is_empty() {
        out.line("", "no agent is live, and nothing is scheduled");
    }
    if tree.not_shown > 0 {
        out.line("", &format!("… and {} more live conversations (--limit)", tree.not_shown));
    }
    out.text
}

struct Picture {
    text: String,
    now: Time,
    many_nodes: bool,
}

impl Picture {
    fn line(&mut self, indent: &str, text: &str) {
        let _ = writeln!(self.text, "{indent}{}", text.trim_end());
    }

    fn agents(&mut self, agents: &[TreeAgent]) {
        for (index, agent) in agents.iter().enumerate() {
            let last = index + 1 == agents.len();
            let role = agent.role.as_deref().map(|role| format!("{role} ")).unwrap_or_default();
            let queued = if agent.queued > 0 { format!("  {} queued", agent.queued) } else { String::new() };
            let title = format!("{role}{}  {}  {}  {}{queued}", agent.name, agent.id, agent.agent_type, agent.state);
            let branch = if last { "└─ " } else { "├─ " };
            self.line(branch, &title);
            // One that is idle alone in its own history has said all there is.
            let worth = |c: &&TreeConversation| c.id != "default" || c.run_id.is_some() || self.many_nodes;
            let conversations = agent.conversations.iter().filter(worth).map(|c| self.conversation(c));
            let schedules = agent.schedules.iter().map(|schedule| self.schedule(schedule));
            let below: Vec<String> = conversations.chain(schedules).collect();
            for (index, text) in below.iter().enumerate() {
                let branch = if index + 1 == below.len() { "└─ " } else { "├─ " };
                self.line(&format!("{}{branch}", if last { "   " } else { "│  " }), text);
            }
        }
    }

    fn conversation(&self, c: &TreeConversation) -> String {
        let mut text = format!("{}  {}", if c.id == "default" { "conversation default" } else { &c.id }, c.state);
        if let Some(run) = &c.run_id {
            let _ = write!(text, "  {run}");
        }
        if let Some(seconds) = self.seconds(&c.since) {
            let _ = write!(text, "  for {}", span(-seconds));
        }
        if self.many_nodes {
            let _ = write!(text, "  on {}", c.node_id);
        }
        text
    }

    fn schedule(&self, s: &TreeSchedule) -> String {
        let mut text = format!("schedule {}  {}", s.kind, s.id);
        if let Some(next) = &s.next_at {
            let _ = write!(text, "  next {next}");
            match self.seconds(next) {
                Some(seconds @ 1..) => drop(write!(text, " (in {})", span(seconds))),
                Some(_) => text.push_str(" (now)"),
                None => {}
            }
        }
        if let Some(last) = &s.last_at {
            let _ = write!(text, "  last {last} {}", s.last_run_status.as_deref().unwrap_or_default());
        }
        text.trim_end().to_owned()
    }

    /// Seconds from now to then.
    fn seconds(&self, then: &str) -> Option<i64> {
        Some((then.parse::<Time>().ok()? - self.now).num_seconds())
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(60).collect()
}

/// A time span as one says it.
fn span(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..=119 => format!("{s} s"),
        s @ 120..=7_199 => format!("{} min", s / 60),
        s @ 7_200..=172_799 => format!("{} h", s / 3_600),
        s => format!("{} days", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn groups_and_what_is_below_them() {
        let agent = |name: &str, role: Option<&str>, state: &str, conversations, schedules| {
            json!({
                "id": format!("agent-{name}"), "name": name, "agent_type": "letta_v1_agent", "role": role,
                "state": state, "queued": if state == "running" { 2 } else { 0 }, "conversations": conversations,
                "schedules": schedules,
            })
        };
        let conversation = |id: &str, state: &str, run: Option<&str>| {
            json!({ "id": id, "node_id": "node-1", "state": state, "run_id": run, "queued": 0,
                    "since": "2026-01-01T00:00:00Z" })
        };
        let schedule = json!([{ "id": "schedule-1", "type": "interval", "next_at": "2026-01-01T03:00:00Z",
                                "last_at": "2026-01-01T00:00:00Z", "last_run_status": "completed" }]);
        let tree: TreeDto = serde_json::from_value(json!({
            "nodes": [
                { "id": "node-1", "name": "http://a:8283 on box", "state": "alive", "live": 3, "error": null },
                { "id": "node-2", "name": "http://b:8283 on box", "state": "draining", "live": null, "error": "leaving" },
            ],
            "groups": [{
                "id": "group-1", "manager_type": "sleeptime", "description": "memory\nof ann", "open_messages": 1,
                "turns_counter": 4,
                "agents": [
                    agent("ann", Some("manager"), "running", json!([conversation("default", "running", Some("run-1"))]), schedule),
                    agent("ann-sleeptime", Some("companion"), "asleep", json!([]), json!([])),
                ],
            }],
            "agents": [agent("bob", None, "idle", json!([conversation("conv-1", "idle", None)]), json!([]))],
            "not_shown": 7,
        }))
        .expect("the shape of the API");
        let now = "2026-01-01T00:00:05Z".parse().expect("a time");
        insta::assert_snapshot!(picture(&tree, now), @"
        node http://a:8283 on box  alive  3 live
        node http://b:8283 on box  draining  not asked: leaving
        group sleeptime  group-1  5 turns  1 open messages  memory
        ├─ manager ann  agent-ann  letta_v1_agent  running  2 queued
        │  ├─ conversation default  running  run-1  for 5 s  on node-1
        │  └─ schedule interval  schedule-1  next 2026-01-01T03:00:00Z (in 2 h)  last 2026-01-01T00:00:00Z completed
        └─ companion ann-sleeptime  agent-ann-sleeptime  letta_v1_agent  asleep
        other agents
        └─ bob  agent-bob  letta_v1_agent  idle
           └─ conv-1  idle  for 5 s  on node-1
        … and 7 more live conversations (--limit)
        ");
        insta::assert_snapshot!(picture(&TreeDto::default(), now), @"no agent is live, and nothing is scheduled");
    }
}
