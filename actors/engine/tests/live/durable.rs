//! Runs whose events are kept: numbers mean the same for ever, for everybody, on any node.

use std::time::Duration;

use engram_domain::RunStatus;
use engram_engine::{RunStream, StreamEvent};
use engram_testkit::READ;
use tokio::time::Instant;

use crate::house::{House, Node, all, send};

const PACE: Duration = Duration::from_millis(40);

/// Events as text, to compare them.
async fn told(stream: RunStream) -> Vec<(i64, String)> {
    let started = Instant::now();
    let events = all(stream).await;
    assert!(started.elapsed() < Duration::from_secs(10), "a reader is not kept waiting");
    events.into_iter().map(|(n, e)| (n, serde_json::to_string(&e).expect("it is JSON"))).collect()
}

fn check_numbers(events: &[(i64, String)], from: i64) {
    let numbers: Vec<i64> = events.iter().map(|(n, _)| *n).collect();
    assert_eq!(numbers, (from + 1..=from + numbers.len() as i64).collect::<Vec<_>>());
}

/// A run with two tool calls and some words, told to its end.
async fn finished(house: &House, node: &Node) -> (engram_domain::Run, Vec<(i64, String)>) {
    let run = house.background(&format!("call {READ} 2"));
    let id = run.id;
    let events = told(send(node, run).await).await;
    check_numbers(&events, 0);
    // The user's words, two calls with results, pieces, the answer, the end.
    assert!(events.len() > 8, "{events:#?}");
    (house.run(id), events)
}

#[tokio::test(start_paused = true)]
async fn numbers_have_no_gaps_and_every_position_can_be_resumed_from() {
    let house = House::new();
    let a = house.node("a").await;
    *house.brain.pace.lock() = PACE;
    let (run, events) = finished(&house, &a).await;
    let log: Vec<(i64, String)> =
        house.db.with(|t| t.events[&run.id].iter().map(|(n, e)| (*n, e.to_string())).collect());
    assert_eq!(log, events, "what was told is what is kept");
    // From this node's memory, from the database when it has forgotten, from a node that never knew.
    for node in [&a, &house.node("b").await] {
        for after in 0..=events.len() as i64 {
            assert_eq!(told(node.engine.follow(&run, after)).await, events[after as usize..], "after {after}");
        }
        assert_eq!(told(node.engine.follow(&run, 1_000)).await, [], "nothing comes after the end");
        tokio::time::sleep(Duration::from_mins(2)).await;
    }
    for after in 0..=events.len() as i64 {
        assert_eq!(told(a.engine.follow(&run, after)).await, events[after as usize..], "forgotten, after {after}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_readers_at_once_see_the_same_also_when_they_come_in_the_middle() {
    let house = House::new();
    let (a, b) = (house.node("a").await, house.node("b").await);
    *house.brain.pace.lock() = PACE;
    let run = house.background(&format!("call {READ} 3"));
    let id = run.id;
    let first = tokio::spawn(told(send(&a, run).await));
    let mut others = Vec::new();
    for n in 0..12 {
        tokio::time::sleep(PACE / 2).await;
        let node = if n % 2 == 0 { &a } else { &b };
        others.push((n, tokio::spawn(told(node.engine.follow(&house.run(id), n)))));
    }
    let events = first.await.unwrap();
    check_numbers(&events, 0);
    for (after, other) in others {
        assert_eq!(other.await.unwrap(), events[after as usize..], "after {after}");
    }
}

/// The reader leaves and comes back, again and again, on other nodes, while it runs.
#[tokio::test(start_paused = true)]
async fn a_reader_that_comes_back_goes_on_where_it_was() {
    let house = House::new();
    let nodes = [house.node("a").await, house.node("b").await, house.node("c").await];
    *house.brain.pace.lock() = PACE;
    let run = house.background(&format!("call {READ} 3"));
    let id = run.id;
    drop(send(&nodes[0], run).await);
    let (mut events, mut position) = (Vec::new(), 0);
    for n in 0.. {
        let mut stream = nodes[n % 3].engine.follow(&house.run(id), position);
        let Some((number, event)) = stream.next().await else { break };
        position = number;
        events.push((number, serde_json::to_string(&event).unwrap()));
    }
    check_numbers(&events, 0);
    assert_eq!(told(nodes[1].engine.follow(&house.run(id), 0)).await, events);
}

/// Killed in the middle of the words; what was told before stays as it was.
#[tokio::test(start_paused = true)]
async fn numbers_survive_a_restart_in_the_middle() {
    for kill_after in 1..12 {
        let house = House::new();
        let a = house.node("a").await;
        *house.brain.pace.lock() = PACE;
        let run = house.background(&format!("call {READ} 2"));
        let id = run.id;
        let mut stream = send(&a, run).await;
        let mut before = Vec::new();
        for _ in 0..kill_after {
            let Some((number, event)) = stream.next().await else { break };
            before.push((number, serde_json::to_string(&event).unwrap()));
        }
        a.switch.kill();
        drop(stream);
        let again = house.node("a").await;
        let position = before.last().map_or(0, |(n, _)| *n);
        let rest = told(again.engine.follow(&house.run(id), position)).await;
        let events: Vec<_> = before.into_iter().chain(rest).collect();
        check_numbers(&events, 0);
        assert!(events.last().is_some_and(|(_, e)| e.contains("ended")));
        assert_eq!(told(again.engine.follow(&house.run(id), 0)).await, events, "killed after {kill_after}");
        assert_eq!(house.run(id).status, RunStatus::Completed);
        house.check();
    }
}

/// A run that was ended while nobody drove it has an end all the same, under the next number, for ever.
#[tokio::test(start_paused = true)]
async fn a_run_that_ended_in_the_queue_has_one_event() {
    let house = House::new();
    let a = house.node("a").await;
    house.brain.hangs.store(true, std::sync::atomic::Ordering::SeqCst);
    let first = send(&a, house.background("first")).await;
    house.asked(1).await;
    let queued = house.background("queued");
    let id = queued.id;
    let stream = send(&a, queued).await;
    assert!(a.engine.cancel(house.conversation().into(), id).await.unwrap());
    let events = all(stream).await;
    assert!(matches!(events.as_slice(), [(1, StreamEvent::Ended(_))]), "{events:?}");
    assert!(all(a.engine.follow(&house.run(id), 1)).await.is_empty(), "nothing comes after the end");
    drop(first);
}
