//! Who owns a conversation, and which runs nobody drives.

use engram_core::ports::{AcceptRuns, Accepted, Leases, Nodes, Runs};
use engram_domain::{ConversationId, StopReason};
use uuid::Uuid;

use crate::support::*;

#[tokio::test]
async fn only_one_live_node_has_a_conversation() {
    let Some(db) = test_db().await else { return };
    let conversation = store_agent(&db, vec![]).await.id.default_conversation();
    let (a, b) = (node(), node());
    beat(&db, a, "http://a").await;
    beat(&db, b, "http://b").await;
    let first = db.system.claim(conversation, a).await.unwrap().unwrap();
    assert_eq!(db.system.claim(conversation, b).await.unwrap(), None);
    let again = db.system.claim(conversation, a).await.unwrap().unwrap();
    assert_eq!(again.epoch, first.epoch + 1, "a claim of one's own fences the former self");
    assert_eq!((db.system.holds(first).await.unwrap(), db.system.holds(again).await.unwrap()), (false, true));
    db.system.release(first).await.unwrap();
    assert_eq!(db.system.claim(conversation, b).await.unwrap(), None, "a stale release does nothing");
    db.system.release(again).await.unwrap();
    assert!(db.system.claim(conversation, b).await.unwrap().is_some());
    db.system.retire(b).await.unwrap();
    assert!(db.system.claim(conversation, a).await.unwrap().is_some(), "a retired node owns nothing");
    assert_eq!(db.system.claim(ConversationId(Uuid::new_v4()), a).await.unwrap(), None);
    db.drop_database().await;
}

#[tokio::test]
async fn a_silent_node_loses_its_conversations_and_a_restarted_one_gets_them_at_once() {
    let Some(db) = test_db().await else { return };
    let conversation = store_agent(&db, vec![]).await.id.default_conversation();
    let (a, b, c) = (node(), node(), node());
    beat(&db, a, "http://a").await;
    beat(&db, b, "http://b").await;
    db.system.claim(conversation, a).await.unwrap().unwrap();
    let mut raw = db.raw().await;
    sqlx::query("UPDATE nodes SET seen_at = now() - interval '4 seconds' WHERE id = $1")
        .bind(a.0)
        .execute(&mut raw)
        .await
        .unwrap();
    assert!(db.system.claim(conversation, b).await.unwrap().is_some());
    // The process at b's address starts again under a new id.
    assert_eq!(db.system.claim(conversation, c).await.unwrap(), None);
    beat(&db, c, "http://b").await;
    assert!(db.system.claim(conversation, c).await.unwrap().is_some());
    // Nodes that were not heard of for a day are forgotten by the next newcomer.
    sqlx::query("UPDATE nodes SET seen_at = now() - interval '2 days' WHERE id = $1")
        .bind(a.0)
        .execute(&mut raw)
        .await
        .unwrap();
    beat(&db, node(), "http://d").await;
    let known: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM nodes").fetch_all(&mut raw).await.unwrap();
    assert!(!known.contains(&a.0) && known.contains(&b.0));
    drop(raw);
    db.drop_database().await;
}

#[tokio::test]
async fn orphaned_are_the_conversations_with_open_runs_and_without_a_live_owner() {
    let Some(db) = test_db().await else { return };
    let (a, b) = (node(), node());
    beat(&db, a, "http://a").await;
    beat(&db, b, "http://b").await;
    let mut conversations = vec![];
    for seconds in [3, 2, 1, 0] {
        let agent = store_agent(&db, vec![]).await;
        let conversation = agent.id.default_conversation();
        let run = new_run(agent.id, conversation, seconds);
        assert_eq!(accept(&db, &run).await, 1);
        conversations.push((conversation, run.id));
    }
    let [free, mine, theirs, over] = conversations[..] else { unreachable!() };
    db.system.claim(mine.0, a).await.unwrap();
    db.system.claim(theirs.0, b).await.unwrap();
    db.system.end_run(over.1, StopReason::Cancelled, None, at(9)).await.unwrap();
    assert_eq!(db.system.orphaned(a, 10).await.unwrap(), [free.0]);
    db.system.retire(b).await.unwrap();
    assert_eq!(db.system.orphaned(a, 10).await.unwrap(), [theirs.0, free.0], "oldest run first");
    assert_eq!(db.system.orphaned(a, 1).await.unwrap(), [theirs.0]);
    assert_eq!(db.system.open_runs(free.0.into()).await.unwrap(), [free.1]);
    assert!(db.system.open_runs(over.0.into()).await.unwrap().is_empty());
    db.drop_database().await;
}

#[tokio::test]
async fn a_run_needs_its_agent_and_conversation() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let other = store_agent(&db, vec![]).await;
    let missing = new_run(agent.id, ConversationId(Uuid::new_v4()), 0);
    assert_eq!(db.system.accept_run(&missing, node()).await.unwrap(), Accepted::NotFound);
    let foreign = new_run(agent.id, other.id.default_conversation(), 0);
    assert_eq!(db.system.accept_run(&foreign, node()).await.unwrap(), Accepted::NotFound);
    let run = new_run(agent.id, agent.id.default_conversation(), 0);
    assert_eq!(accept(&db, &run).await, 1);
    let twice = db.system.accept_run(&run, node()).await;
    assert!(matches!(twice, Err(engram_store::StoreError::Conflict(_))), "{twice:?}");
    db.drop_database().await;
}
