//! Blocks: compare and set, limits, and the agents that must notice.

use engram_domain::{Block, BlockId};
use engram_store::{
    Page,
    blocks::{BlockFilter, BlockPatch, Modified},
};
use uuid::Uuid;

use crate::support::*;

fn value(text: &str) -> BlockPatch {
    BlockPatch { value: Some(text.into()), ..BlockPatch::default() }
}

async fn done(store: &Db, id: BlockId, patch: BlockPatch, expected: Option<i64>) -> Block {
    match store.modify_block(id, patch, expected, at(5)).await.unwrap() {
        Modified::Done(block) => *block,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_write_at_an_old_version_changes_nothing() {
    let Some(db) = test_db().await else { return };
    let b = block("human", "one");
    db.create_block(&b).await.unwrap();
    assert_eq!(done(&db, b.id, value("two"), Some(1)).await.version, 2);
    let stale = db.modify_block(b.id, value("three"), Some(1), at(6)).await.unwrap();
    assert_eq!(stale, Modified::Stale { version: 2 });
    assert_eq!(db.block(b.id).await.unwrap().unwrap().value, "two");
    let read_only = BlockPatch { read_only: Some(true), ..BlockPatch::default() };
    assert_eq!(done(&db, b.id, read_only, None).await.version, 2, "only the text has versions");
    assert_eq!(db.modify_block(BlockId(Uuid::new_v4()), value("x"), None, at(6)).await.unwrap(), Modified::Missing);
    db.drop_database().await;
}

#[tokio::test]
async fn the_limit_counts_characters_and_may_be_shrunk_below_the_text() {
    let Some(db) = test_db().await else { return };
    let b = block("human", "äöü");
    db.create_block(&b).await.unwrap();
    let small = BlockPatch { limit: Some(2), ..BlockPatch::default() };
    done(&db, b.id, small, None).await;
    let long = db.modify_block(b.id, value("ßßß"), None, at(6)).await.unwrap();
    assert_eq!(long, Modified::TooLong { chars: 3, limit: 2 });
    assert_eq!(done(&db, b.id, value("ßß"), None).await.value, "ßß");
    db.drop_database().await;
}

#[tokio::test]
async fn every_agent_that_shares_a_block_is_told() {
    let Some(db) = test_db().await else { return };
    let shared = block("shared", "s");
    let a = store_agent(&db, vec![shared.clone()]).await;
    let b = store_agent(&db, vec![block("shared2", "x")]).await;
    db.attach_block(b.id, shared.id, at(1)).await.unwrap();
    let revs = async || {
        let rev = async |id| db.agent(id).await.unwrap().unwrap().rev;
        (rev(a.id).await, rev(b.id).await)
    };
    assert_eq!(revs().await, (1, 2));
    done(&db, shared.id, value("changed"), None).await;
    assert_eq!(revs().await, (2, 3));
    done(&db, shared.id, value("changed"), None).await;
    assert_eq!(revs().await, (2, 3), "nothing changed, nobody is told");

    let label = BlockPatch { label: Some("renamed".into()), ..BlockPatch::default() };
    done(&db, shared.id, label, None).await;
    assert!(db.block_of_agent(a.id, "renamed").await.unwrap().is_some());
    let clash = BlockPatch { label: Some("shared2".into()), ..BlockPatch::default() };
    assert!(db.modify_block(shared.id, clash, None, at(9)).await.is_err());

    assert_eq!(db.delete_block(shared.id).await.unwrap().unwrap().value, "changed");
    assert_eq!(revs().await, (4, 5));
    assert!(db.block_of_agent(a.id, "renamed").await.unwrap().is_none());
    assert!(db.delete_block(shared.id).await.unwrap().is_none());
    db.drop_database().await;
}

#[tokio::test]
async fn lists_know_how_many_agents_have_a_block() {
    let Some(db) = test_db().await else { return };
    let attached = block("human", "Likes 100% tea");
    store_agent(&db, vec![attached.clone()]).await;
    let mut free = block("free", "x");
    free.tags = vec!["t".into()];
    free.created_at = at(1);
    db.create_block(&free).await.unwrap();
    let list = async |filter: BlockFilter| -> Vec<BlockId> {
        db.blocks(&filter, Page::oldest(10)).await.unwrap().into_iter().map(|b| b.id).collect()
    };
    let all = BlockFilter::default;
    assert_eq!(list(all()).await, [attached.id, free.id]);
    assert_eq!(list(BlockFilter { agents_gt: Some(0), ..all() }).await, [attached.id]);
    assert_eq!(list(BlockFilter { agents_lt: Some(1), ..all() }).await, [free.id]);
    assert_eq!(list(BlockFilter { agents_eq: vec![0, 7], ..all() }).await, [free.id]);
    assert_eq!(list(BlockFilter { value_search: Some("100% T".into()), ..all() }).await, [attached.id]);
    assert_eq!(list(BlockFilter { label_search: Some("UMA".into()), ..all() }).await, [attached.id]);
    assert_eq!(list(BlockFilter { tags: vec!["t".into()], ..all() }).await, [free.id]);
    let everything = BlockFilter {
        label: Some("x".into()),
        templates_only: true,
        name: Some("x".into()),
        project_id: Some("x".into()),
        description_search: Some("x".into()),
        agent_id: Some(engram_domain::AgentId(Uuid::new_v4())),
        match_all_tags: true,
        tags: vec!["t".into()],
        ..all()
    };
    assert_eq!(db.count_blocks(&everything).await.unwrap(), 0);
    db.drop_database().await;
}
