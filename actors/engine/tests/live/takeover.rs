//! Several nodes over one database, and one of them dies, freezes, or comes back as a zombie.

use std::{sync::atomic::Ordering, time::Duration};

use engram_core::ports::NewRun;
use engram_domain::{RunErrorKind, RunStatus, StopReason};
use engram_engine::StreamEvent;
use engram_testkit::{ONCE, READ};
use tokio::time::Instant;

use crate::house::{House, all, listen, send};

/// The owner is gone at any moment of the run: who listens on another node gets the same stream, without gap or
/// repeat, and the run is over within seconds.
#[tokio::test(start_paused = true)]
async fn a_listener_survives_the_owner() {
    for background in [false, true] {
        for heard in 0..14 {
            let house = House::new();
            let (a, b) = (house.node("a").await, house.node("b").await);
            listen(send(&a, house.say("mine")).await).await;
            *house.brain.pace.lock() = Duration::from_millis(40);
            let run = NewRun { background, ..house.stream(&format!("call {READ} 2")) };
            let id = run.id;
            let mut stream = send(&b, run).await;
            let mut events = Vec::new();
            for _ in 0..heard {
                events.extend(stream.next().await);
            }
            a.switch.kill();
            let killed = Instant::now();
            events.extend(all(stream).await);
            assert!(killed.elapsed() < Duration::from_secs(5), "work goes on within five seconds");
            let messages: Vec<String> = events
                .iter()
                .filter_map(|(_, e)| if let StreamEvent::Message(m) = e { Some(m.id.to_string()) } else { None })
                .collect();
            let kept: Vec<String> = house.db.with(|t| {
                t.main.world.messages.values().filter(|m| m.run_id == Some(id)).map(|m| m.id.to_string()).collect()
            });
            assert_eq!(messages, kept, "background {background}, killed after {heard} events");
            assert_eq!(events.iter().filter(|(_, e)| matches!(e, StreamEvent::Ended(_))).count(), 1);
            if background {
                let numbers: Vec<i64> = events.iter().map(|(n, _)| *n).collect();
                assert_eq!(numbers, (1..=events.len() as i64).collect::<Vec<_>>());
            }
            assert_eq!(house.run(id).status, RunStatus::Completed);
            house.check();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_frozen_owner_does_not_hold_up_a_cancellation() {
    let house = House::new();
    let (a, b) = (house.node("a").await, house.node("b").await);
    house.brain.hangs.store(true, Ordering::SeqCst);
    let run = house.background("frozen");
    let id = run.id;
    drop(send(&a, run).await);
    house.asked(1).await;
    let stream = b.engine.follow(&house.run(id), 0);
    a.switch.stop(true);
    let started = Instant::now();
    assert!(b.engine.cancel(house.conversation().into(), id).await.unwrap());
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(house.run(id).status, RunStatus::Cancelled);
    let events = all(stream).await;
    assert!(matches!(events.last(), Some((_, StreamEvent::Ended(end))) if end.stop_reason == StopReason::Cancelled));
    // The conversation is free at once.
    house.brain.hangs.store(false, Ordering::SeqCst);
    let (said, ..) = listen(send(&b, house.say("next")).await).await;
    assert_eq!(said, ["heard next"]);
    assert!(started.elapsed() < Duration::from_secs(4));
    // The zombie wakes with the model's answer in its hands, and may write none of it.
    a.switch.stop(false);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(house.db.with(|t| t.fenced) > 0);
    assert_eq!(house.run(id).status, RunStatus::Cancelled);
    assert_eq!(listen(send(&a, house.say("and you?")).await).await.0, ["heard and you?"]);
    house.check();
}

/// Frozen for longer than its lease, a node finds that the world went on without it.
#[tokio::test(start_paused = true)]
async fn a_zombie_is_fenced() {
    let house = House::new();
    let (a, b) = (house.node("a").await, house.node("b").await);
    *house.brain.pace.lock() = Duration::from_millis(100);
    let run = house.background(&format!("call {READ} 3"));
    let id = run.id;
    let here = tokio::spawn(all(send(&a, run).await));
    let there = tokio::spawn(all(b.engine.follow(&house.run(id), 0)));
    house.asked(2).await;
    a.switch.stop(true);
    house.until("the other goes on", || house.run(id).status.is_terminal()).await;
    a.switch.stop(false);
    let (here, there) = (here.await.unwrap(), there.await.unwrap());
    let text = |events: &[(i64, StreamEvent)]| -> Vec<String> {
        events.iter().map(|(n, e)| format!("{n} {}", serde_json::to_string(e).unwrap())).collect()
    };
    assert_eq!(text(&here), text(&there));
    assert!(house.db.with(|t| t.fenced) > 0);
    assert_eq!(house.run(id).status, RunStatus::Completed);
    tokio::time::sleep(Duration::from_secs(10)).await;
    house.check();
}

/// The owner dies while a tool with an effect outside runs: its result is lost, and it is not run again.
#[tokio::test(start_paused = true)]
async fn a_tool_with_an_effect_outside_is_not_run_again_by_the_next_owner() {
    let house = House::new();
    let (a, b) = (house.node("a").await, house.node("b").await);
    listen(send(&a, house.say("mine")).await).await;
    let stream = send(&b, house.say(&format!("call {ONCE}"))).await;
    house.until("the tool runs", || house.brain.rang.load(Ordering::SeqCst) == 1).await;
    a.switch.kill();
    let (said, _, end) = listen(stream).await;
    assert_eq!(said.last().map(String::as_str), Some("heard after the tool"));
    assert_eq!(end.status, RunStatus::Completed);
    assert_eq!(house.brain.rang.load(Ordering::SeqCst), 1);
    house.check();
}

/// A run that kills every process that drives it is given up, with its reason.
#[tokio::test(start_paused = true)]
async fn poison_is_given_up() {
    let house = House::new();
    house.brain.hangs.store(true, Ordering::SeqCst);
    let mut node = house.node("n").await;
    let run = house.background("poison");
    let id = run.id;
    drop(send(&node, run).await);
    for n in 1..=4 {
        house
            .until("it is begun or given up", || {
                house.brain.asked.load(Ordering::SeqCst) == n || house.run(id).status.is_terminal()
            })
            .await;
        node.switch.kill();
        node = house.node("n").await;
    }
    house.until("it is given up", || house.run(id).status.is_terminal()).await;
    let run = house.run(id);
    assert_eq!((run.status, run.error_kind.clone()), (RunStatus::Failed, Some(RunErrorKind::Internal)));
    assert!(run.error.as_ref().is_some_and(|e| e.contains("interrupted 3 times")), "{:?}", run.error);
    assert_eq!(house.brain.asked.load(Ordering::SeqCst), 3);
    house.brain.hangs.store(false, Ordering::SeqCst);
    assert_eq!(listen(send(&node, house.say("next")).await).await.0, ["heard next"]);
    house.check();
}
