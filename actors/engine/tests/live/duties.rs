//! What a node does again and again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use engram_engine::Ticker;

use crate::house::{House, listen, send};

/// Calls by which one sees that a duty was performed.
const SEEN: [&str; 6] =
    ["heartbeat", "orphaned", "begin_scheduled", "begin_sleep_time", "begin_voice_sleep_time", "sweep_ephemeral"];

#[tokio::test(start_paused = true)]
async fn what_is_due_does_not_wait_for_the_next_second() {
    let house = House::new();
    // Their agents are gone when they are woken.
    house.db.with(|t| t.due_schedules = 1_050);
    let started = tokio::time::Instant::now();
    let _node = house.node("a").await;
    house.until("everything is begun", || house.db.with(|t| t.due_schedules) == 0).await;
    assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_duty_that_fails_keeps_no_other_waiting_and_is_tried_again() {
    for fails in SEEN {
        let house = House::new();
        let node = house.node("a").await;
        node.switch.fails.lock().replace(fails);
        let before = SEEN.map(|call| node.switch.count(call));
        tokio::time::sleep(Duration::from_secs(5)).await;
        for (call, before) in SEEN.into_iter().zip(before) {
            assert!(node.switch.count(call) - before >= 4, "{call} while {fails} fails");
        }
        node.switch.fails.lock().take();
        house.db.with(|t| t.due_schedules = 1);
        house.until("what is due is begun", || house.db.with(|t| t.due_schedules) == 0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_duty_that_panics_is_tried_again() {
    let house = House::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let pressure = move || {
        assert!(count.fetch_add(1, Ordering::SeqCst) > 0, "the first time it panics");
        false
    };
    let _node = house.node_with("a", 0, |settings| settings.pressure = Some(Arc::new(pressure))).await;
    house.until("it is asked again", || asked.load(Ordering::SeqCst) > 2).await;
}

#[tokio::test]
async fn the_ticker_calls_every_duty_until_the_node_has_closed() {
    let house = House::new();
    let node = house.node_with("a", 0, |settings| settings.ticker = Ticker::WallClock).await;
    let counts = || SEEN.map(|call| node.switch.count(call));
    house.until("each was called at once, and again", || counts().iter().all(|n| *n >= 3)).await;
    node.engine.shutdown().await;
    let then = counts();
    tokio::time::sleep(Duration::from_millis(1_600)).await;
    assert_eq!(counts(), then);
}

#[tokio::test(start_paused = true)]
async fn an_idle_actor_leaves_memory_by_the_engines_clock() {
    let house = House::new();
    let a = house.node_that_sleeps("a", Duration::from_mins(5)).await;
    listen(send(&a, house.say("hello")).await).await;
    tokio::time::sleep(Duration::from_mins(4)).await;
    assert_eq!(a.engine.live(), 1);
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(a.engine.live(), 0);
}
