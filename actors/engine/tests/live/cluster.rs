//! Several nodes over one database, all of them well.

use std::{sync::atomic::Ordering, time::Duration};

use engram_domain::{RunStatus, StopReason};
use engram_engine::{Command, CommandError, CommandOutcome, Pending};
use engram_testkit::{ONCE, READ};

use crate::house::{House, LONG, all, listen, send};

/// Any node takes a request; the one that has the conversation does the work.
#[tokio::test(start_paused = true)]
async fn what_is_sent_to_another_node_is_done_by_the_owner_and_told_where_it_was_sent() {
    let house = House::new();
    let (a, b) = (house.node("a").await, house.node("b").await);
    listen(send(&a, house.say("mine")).await).await;
    let (said, pieces, end) = listen(send(&b, house.stream("a b c")).await).await;
    assert_eq!((said[0].as_str(), pieces.concat().as_str()), ("heard a b c", "heard a b c"));
    assert_eq!(end.status, RunStatus::Completed);
    assert_eq!((a.engine.live(), b.engine.live()), (1, 0));
    assert_eq!(b.switch.count("claim"), 0);
    house.check();
}

#[tokio::test(start_paused = true)]
async fn sends_to_all_nodes_at_once_are_answered_once_each() {
    let house = House::new();
    let nodes = [house.node("a").await, house.node("b").await, house.node("c").await];
    let mut streams = Vec::new();
    for n in 0..30 {
        streams.push(send(&nodes[n % 3], house.say(&format!("word {n}"))).await);
    }
    for (n, stream) in streams.into_iter().enumerate() {
        assert_eq!(listen(stream).await.0, [format!("heard word {n}")]);
    }
    assert_eq!(house.brain.asked.load(Ordering::SeqCst), 30);
    house.check();
}

#[tokio::test(start_paused = true)]
async fn cancel_reaches_the_owner() {
    let house = House::new();
    let (a, b) = (house.node("a").await, house.node("b").await);
    let stream = send(&a, house.say(&format!("call {ONCE}"))).await;
    house.until("the tool runs", || house.brain.rang.load(Ordering::SeqCst) == 1).await;
    let started = tokio::time::Instant::now();
    assert!(b.engine.cancel(house.conversation().into(), stream.run_id()).await.unwrap());
    assert!(!b.engine.cancel(house.conversation().into(), stream.run_id()).await.unwrap());
    assert!(started.elapsed() < Duration::from_millis(100));
    assert_eq!(listen(stream).await.2.stop_reason, StopReason::Cancelled);
    assert_eq!(house.db.with(|t| t.fenced), 0, "nothing was taken away");
    assert_eq!(listen(send(&b, house.say("next")).await).await.0, ["heard next"]);
    house.check();
}

#[tokio::test(start_paused = true)]
async fn a_command_reaches_the_owner() {
    let house = House::new();
    let (a, b) = (house.node("a").await, house.node("b").await);
    listen(send(&a, house.say("one")).await).await;
    let command = Command::Reset { add_default_initial_messages: false };
    let done = b.engine.command(house.conversation(), command).await.unwrap();
    assert!(matches!(done, CommandOutcome::Done));
    assert_eq!(house.db.with(|t| t.main.world.messages.len()), 1);
    assert_eq!((a.engine.live(), b.engine.live()), (1, 0));
    let deny = Command::DenyPending(Pending::Group("nobody's".into()));
    assert!(matches!(b.engine.command(house.conversation(), deny).await, Err(CommandError::NotFound)));
    house.check();
}

#[tokio::test(start_paused = true)]
async fn a_node_starts_though_its_first_connections_break() {
    let house = House::new();
    let node = house.node_whose_start_breaks("a", LONG, 2).await;
    listen(send(&node, house.say("one")).await).await;
    assert!(node.switch.count("heartbeat") >= 3);
    house.check();
}

/// A long answer with pauses longer than a follower's patience with a silent node.
#[tokio::test(start_paused = true)]
async fn a_model_that_thinks_for_long_costs_a_listener_elsewhere_nothing() {
    let house = House::new();
    let (a, b) = (house.node("a").await, house.node("b").await);
    listen(send(&a, house.say("mine")).await).await;
    *house.brain.pace.lock() = Duration::from_secs(20);
    for run in [house.stream("one two"), house.background("one two")] {
        let looked = b.switch.count("run");
        let events = all(send(&b, run).await).await;
        // The words, three pieces, the message, the end.
        assert_eq!(events.len(), 6);
        assert!(b.switch.count("run") - looked < 3, "it is not looked for again and again");
    }
    house.check();
}

/// SIGTERM with others alive: the step that is on comes to its end, another node goes on, nobody notices.
#[tokio::test(start_paused = true)]
async fn a_node_that_drains_hands_over_between_two_steps() {
    for background in [false, true] {
        for steps_before in 1..=3 {
            let house = House::new();
            let (a, b) = (house.node("a").await, house.node("b").await);
            *house.brain.pace.lock() = Duration::from_millis(100);
            let run = house.background(&format!("call {READ} 4"));
            let run = engram_core::ports::NewRun { background, ..run };
            let id = run.id;
            let here = tokio::spawn(all(send(&a, run).await));
            let there = tokio::spawn(all(b.engine.follow(&house.run(id), 0)));
            house.asked(steps_before).await;
            assert!(a.engine.drain().await, "there is another node");
            let closing = tokio::spawn({
                let engine = a.engine.clone();
                async move { engine.shutdown().await }
            });
            // It still takes requests, which the others answer.
            let late = send(&a, house.say("meanwhile")).await;
            let (here, there) = (here.await.unwrap(), there.await.unwrap());
            assert_eq!(listen(late).await.0, ["heard meanwhile"]);
            closing.await.unwrap();
            assert_eq!((a.engine.live(), b.engine.live()), (0, 1));
            // Words, four calls and results, pieces, the answer, the end.
            for events in [&here, &there] {
                let messages = events.iter().filter(|(_, e)| matches!(e, engram_engine::StreamEvent::Message(_)));
                assert_eq!(messages.count(), 10, "background {background}, drained in step {steps_before}");
                assert!(matches!(events.last(), Some((_, engram_engine::StreamEvent::Ended(_)))));
            }
            if background {
                let numbers: Vec<i64> = here.iter().map(|(n, _)| *n).collect();
                assert_eq!(numbers, (1..=here.len() as i64).collect::<Vec<_>>());
            }
            let run = house.run(id);
            assert_eq!((run.status, run.attempts, run.step_count), (RunStatus::Completed, 0, 5));
            assert_eq!(house.brain.asked.load(Ordering::SeqCst), 6, "no step was done twice");
            house.check();
        }
    }
}
