//! Calls of one answer that run at once: which ones, and what becomes of their results.

use engram_core::{
    ports::ToolOutcome,
    step::{Effect, Event, State},
};
use engram_domain::{AgentType, Content, RunStatus, Tool, ToolRule, rule::RuleKind};
use engram_testkit::{ONCE, READ};

use crate::{
    brain::{Move, moves},
    play::{Brain, Play},
};

fn calls(names: &[&str]) -> Move {
    let args = |i: usize| format!("{{\"n\":{i}}}");
    Move::Call(names.iter().enumerate().map(|(i, name)| ((*name).to_owned(), args(i))).collect())
}

fn play(rules: Vec<ToolRule>) -> Play {
    let mut w = Play::new(AgentType::LettaV1Agent, 32_000);
    w.run_at_once();
    let mut agent = (*w.snapshot.agent).clone();
    agent.tool_rules.extend(rules);
    w.snapshot.agent = std::sync::Arc::new(agent);
    w
}

/// How many calls run at once when the model makes these.
fn at_once(names: &[&str], rules: Vec<ToolRule>) -> usize {
    let mut w = play(rules);
    w.accept("go", 50);
    w.settle(&moves(vec![calls(names)]));
    w.at_once
}

#[test]
fn neighbours_whose_tools_allow_it_run_at_once() {
    assert_eq!(at_once(&[READ, ONCE, READ], vec![]), 3);
    // An edit of memory happens in its place, and separates those around it.
    assert_eq!(at_once(&[READ, READ, "memory_insert", READ], vec![]), 2);
    assert_eq!(at_once(&[READ, "conversation_search", READ], vec![]), 1, "one of them does not allow it");
    let mut alone = Play::new(AgentType::LettaV1Agent, 32_000);
    alone.accept("go", 50);
    alone.settle(&moves(vec![calls(&[READ, READ])]));
    assert_eq!(alone.at_once, 1, "they do not allow it");
}

#[test]
fn rules_hold_as_if_one_came_after_the_other() {
    let rule = |kind| vec![ToolRule::new(READ, kind)];
    assert_eq!(at_once(&[READ, READ, READ], rule(RuleKind::MaxCountPerStep { max_count_limit: 2 })), 2);
    let child = RuleKind::Child { children: vec![ONCE.into()], child_arg_nodes: None };
    assert_eq!(at_once(&[READ, READ], rule(child.clone())), 1);
    assert_eq!(at_once(&[READ, ONCE], rule(child)), 2);
    let by_result = RuleKind::Conditional {
        default_child: None,
        child_output_mapping: serde_json::Map::new(),
        require_output_mapping: false,
    };
    assert_eq!(at_once(&[READ, ONCE], rule(by_result)), 1, "its result decides what may follow");
}

#[test]
fn results_are_stored_in_the_order_of_the_calls() {
    for backwards in [false, true] {
        let mut w = play(vec![]);
        w.backwards = backwards;
        w.accept("go", 50);
        w.settle(&moves(vec![calls(&[ONCE, READ, ONCE])]));
        insta::allow_duplicates! {
            insta::assert_snapshot!(w.story().join("\n"), @r#"
            user: go
            assistant:  ["ring_bell", "look_up", "ring_bell"]
            ring_bell: ok done
            look_up: ok read
            ring_bell: ok done
            assistant: done []
            "#);
        }
    }
}

/// A crash after any effect, in either order of the results: each call runs once at most, and has its result in its
/// place (which [`Play::settle`] checks).
#[test]
fn crashes_leave_each_call_one_result() {
    for backwards in [false, true] {
        for fuel in 0.. {
            let mut w = play(vec![]);
            w.backwards = backwards;
            let run = w.accept("go", 50);
            w.fuel = Some(fuel);
            w.settle(&moves(vec![calls(&[ONCE, READ, ONCE, ONCE]), calls(&[READ, READ])]));
            assert_eq!(w.runs[&run].status, RunStatus::Completed, "crashed after {fuel} effects");
            if w.fuel.is_some() {
                break;
            }
        }
    }
}

/// The tools' texts in the order of the messages.
fn results(w: &Play) -> Vec<String> {
    let text = |content: &Content| match content {
        Content::ToolReturn(r) => Some(r.text.clone()),
        _ => None,
    };
    w.messages.values().filter_map(|m| text(&m.content)).collect()
}

/// Runs until `names` are under way; the attempts of the calls.
fn under_way(w: &mut Play, names: &[&str], brain: &Brain<'_>) -> (State, Vec<u64>) {
    let id = w.accept("go", 50);
    let mut state = w.load();
    // The model's answer, and nothing after it.
    w.answers = Some(1);
    let run = w.runs[&id].clone();
    let mut attempts = Vec::new();
    w.watch(&mut state, Event::Start(Box::new(run)), brain, |effect| {
        if let Effect::RunTool { attempt, .. } = effect {
            attempts.push(*attempt);
        }
    });
    w.answers = None;
    assert_eq!(attempts.len(), names.len());
    (state, attempts)
}

#[test]
fn a_cancel_keeps_what_has_come_and_closes_the_rest() {
    let names = [ONCE, ONCE, ONCE];
    let brain = moves(vec![calls(&names)]);
    let mut w = play(vec![]);
    let (mut state, attempts) = under_way(&mut w, &names, &brain);
    let done = |attempt, text: &str| Event::ToolDone { attempt, outcome: Box::new(ToolOutcome::ok(text)) };
    // The last one first: its result waits for those before it.
    w.drive(&mut state, done(attempts[2], "third"), &brain);
    assert!(results(&w).is_empty());
    w.drive(&mut state, done(attempts[2], "twice"), &brain);
    let run_id = *w.runs.keys().next().expect("there is a run");
    w.drive(&mut state, Event::Cancel { run_id }, &brain);
    w.drive(&mut state, done(attempts[0], "late"), &brain);
    let cancelled = "The run was cancelled before this tool returned.";
    assert_eq!(results(&w), [cancelled, cancelled, "third"]);
    w.check();
}

#[test]
fn a_result_is_safe_once_those_before_it_are_there() {
    let names = [ONCE, ONCE];
    let brain = moves(vec![calls(&names)]);
    let mut w = play(vec![]);
    let (mut state, attempts) = under_way(&mut w, &names, &brain);
    let first = Event::ToolDone { attempt: attempts[0], outcome: Box::new(ToolOutcome::ok("first")) };
    w.drive(&mut state, first, &brain);
    assert_eq!(results(&w), ["first"], "the other one still runs");
    // The process dies. Nobody knows what became of the second call, and it is not made again.
    w.settle(&brain);
    let results = results(&w);
    assert!(results.len() == 2 && results[1].contains("interrupted"), "{results:?}");
}

/// A tool that was changed since the call may have been one that runs at once with others: not even then does a call with
/// an effect outside run twice.
#[test]
fn a_tool_that_no_longer_allows_it_is_not_run_again() {
    let names = [ONCE, ONCE];
    let brain = moves(vec![calls(&names)]);
    let mut w = play(vec![]);
    under_way(&mut w, &names, &brain);
    let change = |(name, tool): (&String, &std::sync::Arc<Tool>)| {
        let updated_at = tool.updated_at + chrono::Duration::hours(1);
        (name.clone(), std::sync::Arc::new(Tool { enable_parallel_execution: false, updated_at, ..(**tool).clone() }))
    };
    w.snapshot.tools = std::sync::Arc::new(w.snapshot.tools.iter().map(change).collect());
    w.settle(&brain);
    assert!(results(&w).iter().all(|text| text.contains("interrupted")), "{:?}", results(&w));
}
