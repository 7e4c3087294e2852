//! Whatever callers ask for, heartbeats and commits go on.

use std::time::Duration;

use engram_core::ports::{AcceptRuns, NodeStatus, Nodes, StoreError};
use engram_domain::Scope;
use engram_store::{PoolSettings, Store, search::MessageSearch};
use futures::future::join_all;
use sqlx::{Connection, PgConnection};

use crate::support::*;

/// Keeps every search from beginning until the transaction ends.
async fn hold_messages(raw: &mut PgConnection) -> sqlx::Transaction<'_, sqlx::Postgres> {
    let mut tx = raw.begin().await.unwrap();
    sqlx::query("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE").execute(&mut *tx).await.unwrap();
    tx
}

fn overloaded<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    match answer {
        Err(StoreError::Overloaded(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn searches_that_hang_take_no_connection_of_heartbeats_or_runs() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let settings = PoolSettings {
        max_connections: 8,
        acquire_timeout: Duration::from_secs(2),
        query_timeout: Some(Duration::from_secs(2)),
        searches: 2,
        search_wait: Duration::from_millis(100),
        ..PoolSettings::default()
    };
    let store = Store::connect(&db.uri(), &settings).await.unwrap();
    let scoped = store.scoped(Scope::System);
    let mut raw = db.raw().await;
    let held = hold_messages(&mut raw).await;
    let search = MessageSearch { text: Some("x".into()), limit: 1, ..MessageSearch::default() };
    let searches = join_all((0..40).map(|_| scoped.search_messages(&search)));
    let work = async {
        // When all places are taken, and all others wait.
        tokio::time::sleep(Duration::from_millis(50)).await;
        store.heartbeat(&node_info(node(), "http://a"), NodeStatus::default()).await.unwrap();
        let run = new_run(agent.id, agent.id.default_conversation(), 0);
        store.accept_run(&run, node()).await.unwrap();
        assert!(scoped.agent(agent.id).await.unwrap().is_some());
    };
    let (answers, ()) = tokio::join!(searches, work);
    let texts: Vec<String> = answers.into_iter().map(overloaded).collect();
    assert_eq!(texts.iter().filter(|text| text.contains("Too many searches")).count(), 38, "{texts:?}");
    assert_eq!(texts.iter().filter(|text| text.contains("took longer")).count(), 2, "{texts:?}");
    held.rollback().await.unwrap();
    assert!(scoped.search_messages(&search).await.unwrap().is_empty());
    store.close().await;
    drop(raw);
    db.drop_database().await;
}

#[tokio::test]
async fn a_search_that_nobody_waits_for_keeps_its_place_as_long_as_the_database_works_on_it() {
    let Some(db) = test_db().await else { return };
    let settings = PoolSettings {
        max_connections: 8,
        searches: 1,
        search_wait: Duration::from_millis(100),
        ..PoolSettings::default()
    };
    let store = Store::connect(&db.uri(), &settings).await.unwrap();
    let scoped = store.scoped(Scope::System);
    let mut raw = db.raw().await;
    let held = hold_messages(&mut raw).await;
    let search = MessageSearch { limit: 1, ..MessageSearch::default() };
    let gone = tokio::time::timeout(Duration::from_millis(300), scoped.search_messages(&search)).await;
    assert!(gone.is_err(), "{gone:?}");
    assert!(overloaded(scoped.search_messages(&search).await).contains("Too many searches"));
    held.rollback().await.unwrap();
    // Its place is free as soon as the database has answered, which nobody can wait for here but by asking.
    let mut answer = scoped.search_messages(&search).await;
    for _ in 0..20 {
        if answer.is_ok() {
            break;
        }
        answer = scoped.search_messages(&search).await;
    }
    assert!(answer.unwrap().is_empty());
    store.close().await;
    drop(raw);
    db.drop_database().await;
}
