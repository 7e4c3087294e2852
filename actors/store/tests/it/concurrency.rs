//! Many writers at once: one of them wins, nothing is lost, nothing is twice.

use engram_core::ports::{Commit, CommitOutcome, Commits, Leases, Runs, store::BlockWrite};
use engram_domain::{BlockId, NodeId, StopReason};
use uuid::Uuid;

use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_owners_of_one_place_exactly_one_commits() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let conversation = agent.id.default_conversation();
    let fence = claim(&db, conversation).await;
    for seq in 1..=20 {
        let rivals = (0..4).map(|i| {
            let (store, text) = ((*db).clone(), format!("{seq}/{i}"));
            async move { store.system.commit(fence, &appending(agent.id, conversation, seq, &[&text])).await.unwrap() }
        });
        let outcomes = futures::future::join_all(rivals).await;
        let done = outcomes.iter().filter(|o| matches!(o, CommitOutcome::Done { .. })).count();
        assert_eq!(done, 1, "{outcomes:?}");
    }
    assert_eq!(db.load(conversation).await.unwrap().unwrap().context.len(), 21);
    db.drop_database().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_that_write_the_same_blocks_in_another_order_do_not_deadlock() {
    let Some(db) = test_db().await else { return };
    let (x, y) = (block("x", ""), block("y", ""));
    let first = store_agent(&db, vec![x.clone(), y.clone()]).await;
    let second = store_agent(&db, vec![]).await;
    for id in [y.id, x.id] {
        db.attach_block(second.id, id, at(1)).await.unwrap();
    }
    let writers = [(first.id, [x.id, y.id]), (second.id, [y.id, x.id])].map(|(agent, order)| {
        let store = (*db).clone();
        async move {
            let fence = claim(&store, agent.default_conversation()).await;
            let mut written = 0;
            while written < 20 {
                let blocks = store.load_snapshot(agent).await.unwrap().unwrap().blocks;
                let version = |id: BlockId| blocks.iter().find(|b| b.id == id).unwrap().version;
                let set = |id| BlockWrite::Set {
                    id,
                    version: version(id),
                    value: "v".into(),
                    label: None,
                    description: None,
                };
                let commit = Commit { expect_seq: 1, blocks: order.map(set).to_vec(), ..Commit::default() };
                match store.system.commit(fence, &commit).await.unwrap() {
                    CommitOutcome::Done { .. } => written += 1,
                    CommitOutcome::BlockConflict => {}
                    CommitOutcome::Fenced => panic!("nobody else owns it"),
                }
            }
        }
    });
    futures::future::join_all(writers).await;
    let blocks = db.load_snapshot(first.id).await.unwrap().unwrap().blocks;
    assert!(blocks.iter().all(|b| b.version == 41), "{blocks:?}");
    db.drop_database().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_claims_and_one_of_many_ends_wins() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let conversation = agent.id.default_conversation();
    let run = new_run(agent.id, conversation, 0);
    accept(&db, &run).await;
    let tries = (0..8).map(|i| {
        let store = (*db).clone();
        async move {
            let node = NodeId(Uuid::new_v4());
            beat(&store, node, &format!("http://{i}")).await;
            let claimed = store.system.claim(conversation, node).await.unwrap().is_some();
            (claimed, store.system.end_run(run.id, StopReason::Cancelled, None, at(1)).await.unwrap())
        }
    });
    let won = futures::future::join_all(tries).await;
    assert_eq!(won.iter().filter(|(claimed, _)| *claimed).count(), 1);
    assert_eq!(won.iter().filter(|(_, ended)| *ended).count(), 1);
    db.drop_database().await;
}
