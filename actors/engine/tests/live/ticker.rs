//! What begins by itself.

use std::time::Duration;

use crate::house::House;

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
