//! Acceptance: one request is one run, however often it comes; what happens to a second request while a run is active.

use std::{sync::atomic::Ordering, time::Duration};

use engram_core::ports::NewRun;
use engram_domain::{
    BusyPolicy, RequestKey, RunErrorKind, RunInput, RunStatus, StopReason, ToolRule, rule::RuleKind, run::Decision,
};
use engram_engine::SubmitError;
use engram_testkit::ONCE;

use crate::house::{House, all, listen, refused, send};

fn named(run: NewRun, key: &str) -> NewRun {
    NewRun { keys: vec![RequestKey::stored(key)], ..run }
}

#[tokio::test(start_paused = true)]
async fn the_same_request_is_the_same_run_while_it_runs_and_after() {
    let house = House::new();
    let (a, b) = (house.node("a").await, house.node("b").await);
    house.brain.hangs.store(true, Ordering::SeqCst);
    let first = send(&a, named(house.stream("once only"), "otid:1")).await;
    house.asked(1).await;
    let second = send(&a, named(house.stream("once only"), "otid:1")).await;
    let third = send(&b, named(house.stream("once only"), "otid:1")).await;
    assert_eq!((second.run_id(), third.run_id()), (first.run_id(), first.run_id()));
    let id = first.run_id();
    let listeners = [first, second, third].map(|stream| tokio::spawn(listen(stream)));
    tokio::time::sleep(Duration::from_millis(100)).await;
    house.brain.hangs.store(false, Ordering::SeqCst);
    for listener in listeners {
        let (said, pieces, end) = listener.await.unwrap();
        assert_eq!((said[0].as_str(), pieces.concat().as_str()), ("heard once only", "heard once only"));
        assert_eq!(end.status, RunStatus::Completed);
    }
    let late = send(&b, named(house.stream("once only"), "otid:1")).await;
    assert_eq!(late.run_id(), id);
    assert_eq!(listen(late).await.0, ["heard once only"]);
    assert_eq!(house.brain.asked.load(Ordering::SeqCst), 1);
    assert_eq!(house.db.with(|t| t.main.world.runs.len()), 1);
}

#[tokio::test(start_paused = true)]
async fn a_header_that_was_used_for_another_request_is_refused() {
    let house = House::new();
    let a = house.node("a").await;
    listen(send(&a, named(house.say("this"), "key:1")).await).await;
    assert!(matches!(refused(&a, named(house.say("that"), "key:1")).await, SubmitError::KeyReused));
    assert_eq!(listen(send(&a, named(house.say("this"), "key:1")).await).await.0, ["heard this"]);
    // The caller's id of a message speaks for itself.
    listen(send(&a, named(house.say("this"), "otid:2")).await).await;
    assert_eq!(listen(send(&a, named(house.say("that"), "otid:2")).await).await.0, ["heard this"]);
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_want_to_wait_is_told_who_is_on() {
    let house = House::new();
    let (a, b) = (house.node("a").await, house.node("b").await);
    house.brain.hangs.store(true, Ordering::SeqCst);
    let first = send(&a, house.say("first")).await;
    house.asked(1).await;
    let impatient = || NewRun { busy_policy: Some(BusyPolicy::Reject), ..house.say("now!") };
    for node in [&a, &b] {
        assert!(matches!(refused(node, impatient()).await, SubmitError::Busy(run) if run == first.run_id()));
    }
    house.brain.hangs.store(false, Ordering::SeqCst);
    listen(first).await;
    assert_eq!(listen(send(&b, impatient()).await).await.0, ["heard now!"]);
    // A refused request leaves nothing behind.
    assert_eq!(house.db.with(|t| t.main.world.runs.len()), 2);
}

#[tokio::test(start_paused = true)]
async fn no_more_wait_than_may() {
    let house = House::new();
    let a = house.node("a").await;
    house.brain.hangs.store(true, Ordering::SeqCst);
    let few = |text: &str| NewRun { max_queue: 3, ..house.say(text) };
    let mut streams = Vec::new();
    for n in 0..3 {
        streams.push(send(&a, few(&format!("{n}"))).await);
    }
    assert!(matches!(refused(&a, few("3")).await, SubmitError::Full));
    house.brain.hangs.store(false, Ordering::SeqCst);
    for stream in streams {
        assert_eq!(listen(stream).await.2.status, RunStatus::Completed);
    }
    assert_eq!(listen(send(&a, few("3")).await).await.0, ["heard 3"]);
}

#[tokio::test(start_paused = true)]
async fn an_interruption_ends_what_came_before_it_on_any_node() {
    for across in [false, true] {
        let house = House::new();
        let (a, b) = (house.node("a").await, house.node("b").await);
        house.brain.hangs.store(true, Ordering::SeqCst);
        let first = send(&a, house.say("first")).await;
        house.asked(1).await;
        let waiting = send(&b, house.say("waiting")).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        let now = NewRun { busy_policy: Some(BusyPolicy::Interrupt), ..house.say("now!") };
        let now = send(if across { &b } else { &a }, now).await;
        house.brain.hangs.store(false, Ordering::SeqCst);
        assert_eq!(listen(now).await.0, ["heard now!"]);
        assert_eq!(listen(first).await.2.stop_reason, StopReason::Cancelled);
        assert_eq!(listen(waiting).await.2.stop_reason, StopReason::Cancelled);
        house.check();
    }
}

/// In the same commit that begins the new run, so no crash leaves the one without the other.
#[tokio::test(start_paused = true)]
async fn an_interruption_denies_what_waits_for_approval() {
    let house = House::new();
    let a = house.node("a").await;
    house.db.with(|t| {
        let mut agent = (*t.main.world.snapshot.agent).clone();
        agent.tool_rules.push(ToolRule::new(ONCE, RuleKind::RequiresApproval));
        agent.busy_policy = BusyPolicy::Interrupt;
        t.main.world.snapshot.agent = std::sync::Arc::new(agent);
    });
    let (_, _, end) = listen(send(&a, house.say(&format!("call {ONCE}"))).await).await;
    assert_eq!(end.stop_reason, StopReason::RequiresApproval);
    // The agent's own policy is enough.
    let commits = a.switch.count("commit");
    let run = house.say("never mind");
    let id = run.id;
    let events = all(send(&a, run).await).await;
    assert_eq!(a.switch.count("commit") - commits, 2);
    assert_eq!(house.run(id).status, RunStatus::Completed);
    assert!(events.len() >= 4, "decision, result, words, end");
    assert_eq!(house.brain.rang.load(Ordering::SeqCst), 0);
    // There is nothing to decide on any more.
    let decision = Decision::Approval { tool_call_id: None, approve: true, reason: None };
    let late = NewRun {
        input: RunInput { decisions: vec![decision], ..RunInput::default() },
        busy_policy: Some(BusyPolicy::Queue),
        ..house.say("")
    };
    assert_eq!(listen(send(&a, late).await).await.2.error.map(|e| e.kind), Some(RunErrorKind::NoPendingApproval));
    house.check();
}

/// The first request came by a node whose clock is ahead: it came first all the same.
#[tokio::test(start_paused = true)]
async fn an_interruption_does_not_ask_the_clocks_of_nodes_what_came_before_it() {
    let house = House::new();
    let (a, b) = (house.node("a").await, house.node("b").await);
    house.brain.hangs.store(true, Ordering::SeqCst);
    let mut first = house.say("tell me everything");
    first.created_at += chrono::Duration::days(2);
    let first = send(&a, first).await;
    house.asked(1).await;
    let now = NewRun { busy_policy: Some(BusyPolicy::Interrupt), ..house.say("now!") };
    let second = send(&b, now).await;
    assert_eq!(listen(first).await.2.stop_reason, StopReason::Cancelled);
    house.brain.hangs.store(false, Ordering::SeqCst);
    assert_eq!(listen(second).await.0, ["heard now!"]);
    house.check();
}
