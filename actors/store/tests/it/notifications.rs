//! What nodes say to each other through the database.

use std::time::Duration;

use engram_core::ports::{Notifications, Wakeup, Wakeups};
use engram_domain::{ConversationId, GroupId, RunOwner};
use futures::StreamExt;
use uuid::Uuid;

use crate::support::*;

async fn next(wakeups: &mut Wakeups) -> Wakeup {
    loop {
        match tokio::time::timeout(Duration::from_secs(10), wakeups.next()).await.unwrap().unwrap() {
            Ok(wakeup) => return wakeup,
            // A try to listen again that fails is told, and followed by another.
            Err(error) => eprintln!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_node_hears_what_is_said_to_it_and_to_all() {
    let Some(db) = test_db().await else { return };
    let (a, b) = (node(), node());
    let mut at_a = db.system.wakeups(a).await.unwrap().unwrap();
    let mut at_b = db.system.wakeups(b).await.unwrap().unwrap();
    let [first, second] = [0; 2].map(|_| RunOwner::from(ConversationId(Uuid::new_v4())));
    let third = RunOwner::from(GroupId(Uuid::new_v4()));
    db.system.notify(Some(a), first).await.unwrap();
    db.system.notify(Some(b), second).await.unwrap();
    let mut raw = db.raw().await;
    sqlx::query("NOTIFY engram, 'not an id'").execute(&mut raw).await.unwrap();
    db.system.notify(None, third).await.unwrap();
    assert_eq!((next(&mut at_a).await, next(&mut at_a).await), (Wakeup::Work(first), Wakeup::Work(third)));
    assert_eq!((next(&mut at_b).await, next(&mut at_b).await), (Wakeup::Work(second), Wakeup::Work(third)));
    // A connection that breaks is told, and replaced.
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND query LIKE 'LISTEN%'",
    )
    .execute(&mut raw)
    .await
    .unwrap();
    assert_eq!(next(&mut at_a).await, Wakeup::Missed);
    db.system.notify(Some(a), second).await.unwrap();
    assert_eq!(next(&mut at_a).await, Wakeup::Work(second));
    drop((at_a, at_b, raw));
    db.drop_database().await;
}

#[tokio::test]
async fn listening_takes_no_connection_of_the_pool() {
    let Some(db) = test_db().await else { return };
    let mut ears = vec![];
    // More of them than the pool has connections.
    for _ in 0..6 {
        ears.push(db.system.wakeups(node()).await.unwrap().unwrap());
    }
    db.ping().await.unwrap();
    drop(ears);
    db.drop_database().await;
}
