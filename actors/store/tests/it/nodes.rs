//! Nodes: who is alive, who takes work, with whom a conversation lives, which runs it has not begun.

use engram_core::ports::{Commits, Leases, NodeStatus, Nodes, Owner};
use engram_domain::{ConversationId, NodeId};
use engram_store::Store;
use uuid::Uuid;

use crate::support::*;

async fn others(store: &Db, id: NodeId) -> Vec<String> {
    store.system.other_nodes(id).await.unwrap().into_iter().map(|peer| peer.url).collect()
}

#[tokio::test]
async fn a_node_is_listed_with_what_it_says_of_itself_and_without_its_secret() {
    let Some(db) = test_db().await else { return };
    let (a, b, c) = (node(), node(), node());
    db.system.heartbeat(&node_info(a, "http://a"), NodeStatus { live: 3, draining: false }).await.unwrap();
    db.system.heartbeat(&node_info(b, "http://b"), NodeStatus { live: 9, draining: true }).await.unwrap();
    beat(&db, c, "http://c").await;
    for owner in [a, a, b] {
        let conversation = store_agent(&db, vec![]).await.id.default_conversation();
        db.system.claim(conversation, owner).await.unwrap().unwrap();
    }
    db.system.retire(c).await.unwrap();
    let existing = Store::connect_existing(&db.uri(), &settings()).await.unwrap();
    let nodes = existing.nodes().await.unwrap();
    existing.close().await;
    let seen: Vec<_> = nodes
        .iter()
        .map(|n| (&*n.name, &*n.version, n.live, n.draining, n.retired, n.alive, n.conversations))
        .collect();
    let want = [
        ("http://a", "1.2.3", 3, false, false, true, 2),
        ("http://b", "1.2.3", 9, true, false, true, 1),
        ("http://c", "1.2.3", 0, false, true, false, 0),
    ];
    assert_eq!(seen, want);
    assert!(!format!("{nodes:?}").contains("secret"));
    db.drop_database().await;
}

#[tokio::test]
async fn who_drains_owns_what_it_has_but_takes_nothing() {
    let Some(db) = test_db().await else { return };
    let (a, b, c) = (node(), node(), node());
    beat(&db, a, "http://a").await;
    db.system.heartbeat(&node_info(b, "http://b"), NodeStatus { live: 9, draining: true }).await.unwrap();
    assert!(others(&db, a).await.is_empty());
    assert_eq!(others(&db, b).await, ["http://a"]);
    let conversation = store_agent(&db, vec![]).await.id.default_conversation();
    db.system.claim(conversation, b).await.unwrap().unwrap();
    assert!(matches!(db.system.owner(conversation.into(), a).await.unwrap(), Owner::Peer(peer) if peer.id == b));
    assert_eq!(db.system.claim(conversation, a).await.unwrap(), None);
    beat(&db, c, "http://c").await;
    db.system.retire(c).await.unwrap();
    assert!(others(&db, a).await.is_empty());
    beat(&db, c, "http://c").await;
    assert_eq!(others(&db, a).await, ["http://c"], "a heartbeat brings a retired one back");
    db.drop_database().await;
}

#[tokio::test]
async fn a_conversation_lives_with_one_node_or_nobody() {
    let Some(db) = test_db().await else { return };
    let (a, b) = (node(), node());
    beat(&db, a, "http://a").await;
    beat(&db, b, "http://b").await;
    let conversation = store_agent(&db, vec![]).await.id.default_conversation();
    assert_eq!(db.system.owner(ConversationId(Uuid::new_v4()).into(), a).await.unwrap(), Owner::Gone);
    assert_eq!(db.system.owner(conversation.into(), a).await.unwrap(), Owner::Nobody);
    let fence = db.system.claim(conversation, a).await.unwrap().unwrap();
    assert_eq!(db.system.owner(conversation.into(), a).await.unwrap(), Owner::Me);
    let Owner::Peer(peer) = db.system.owner(conversation.into(), b).await.unwrap() else { panic!() };
    assert_eq!((peer.id, &*peer.url, &*peer.secret), (a, "http://a", "secret of http://a"));
    let mut raw = db.raw().await;
    sqlx::query("UPDATE nodes SET seen_at = now() - interval '4 seconds' WHERE id = $1")
        .bind(a.0)
        .execute(&mut raw)
        .await
        .unwrap();
    assert_eq!(db.system.owner(conversation.into(), b).await.unwrap(), Owner::Nobody, "its lease is over");
    assert_eq!(db.system.owner(conversation.into(), a).await.unwrap(), Owner::Me, "but nobody has taken it");
    db.system.release(fence).await.unwrap();
    assert_eq!(db.system.owner(conversation.into(), a).await.unwrap(), Owner::Nobody);
    drop(raw);
    db.drop_database().await;
}

#[tokio::test]
async fn waiting_are_the_runs_that_their_owner_has_not_begun() {
    let Some(db) = test_db().await else { return };
    let (a, b) = (node(), node());
    beat(&db, a, "http://a").await;
    beat(&db, b, "http://b").await;
    let mut runs = vec![];
    for (seconds, owner) in [(3, Some(a)), (2, Some(a)), (1, Some(b)), (0, None)] {
        let agent = store_agent(&db, vec![]).await;
        let run = new_run(agent.id, agent.id.default_conversation(), seconds);
        accept(&db, &run).await;
        if let Some(owner) = owner {
            db.system.claim(agent.id.default_conversation(), owner).await.unwrap().unwrap();
        }
        runs.push((agent.id, run.id));
    }
    let later = engram_domain::Time::from_timestamp(4_000_000_000, 0).unwrap();
    let mut fresh = new_run(runs[0].0, runs[0].0.default_conversation(), 0);
    fresh.created_at = later;
    accept(&db, &fresh).await;
    let of = |i: usize| (runs[i].0.default_conversation(), runs[i].1);
    assert_eq!(db.system.waiting(a, 10).await.unwrap(), [of(1), of(0)], "oldest first, and none that just came");
    assert_eq!(db.system.waiting(a, 1).await.unwrap(), [of(1)]);
    assert_eq!(db.system.waiting(b, 10).await.unwrap(), [of(2)]);
    let fence = db.system.claim(of(1).0, a).await.unwrap().unwrap();
    let mut begin = appending(runs[1].0, of(1).0, 1, &["on"]);
    begin.run = Some(run_start(runs[1].1));
    db.system.commit(fence, &begin).await.unwrap();
    assert_eq!(db.system.waiting(a, 10).await.unwrap(), [of(0)]);
    db.drop_database().await;
}
