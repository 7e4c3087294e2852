//! Blocks and passages inside of a commit.

use engram_core::ports::{
    CommitOutcome, Commits, Write,
    store::{BlockWrite, Commit},
};
use engram_domain::{Agent, ArchiveId, BlockId, Passage, PassageId};
use uuid::Uuid;

use crate::support::*;

fn set(id: BlockId, version: i64, value: &str) -> BlockWrite {
    BlockWrite::Set { id, version, value: value.into(), label: None, description: None }
}

async fn labels(store: &Db, agent: &Agent) -> Vec<(String, String, i64)> {
    let snapshot = store.load_snapshot(agent.id).await.unwrap().unwrap();
    snapshot.blocks.iter().map(|b| (b.label.clone(), b.value.clone(), b.version)).collect()
}

#[tokio::test]
async fn a_block_that_changed_meanwhile_rolls_everything_back() {
    let Some(db) = test_db().await else { return };
    let (human, persona) = (block("human", "old"), block("persona", "old"));
    let agent = store_agent(&db, vec![human.clone(), persona.clone()]).await;
    let conversation = agent.id.default_conversation();
    let run = new_run(agent.id, conversation, 1);
    accept(&db, &run).await;
    let fence = claim(&db, conversation).await;
    let mut commit = appending(agent.id, conversation, 1, &["a"]);
    commit.blocks = vec![set(human.id, 1, "new"), set(persona.id, 7, "new")];
    commit.step = Some(Box::new(step(&run, 2)));
    assert_eq!(db.system.commit(fence, &commit).await.unwrap(), CommitOutcome::BlockConflict);
    let loaded = db.load(conversation).await.unwrap().unwrap();
    assert_eq!((loaded.conversation.next_seq, loaded.context.len(), loaded.snapshot.agent.rev), (1, 1, 1));
    assert!(loaded.snapshot.blocks.iter().all(|b| b.value == "old" && b.version == 1));
    // The owner reads again and succeeds with the same place.
    commit.blocks = vec![set(persona.id, 1, "new"), set(human.id, 1, "new\0")];
    assert_eq!(db.system.commit(fence, &commit).await.unwrap(), CommitOutcome::Done { agent_rev: 2 });
    assert_eq!(labels(&db, &agent).await, [("human".into(), "new".into(), 2), ("persona".into(), "new".into(), 2)]);
    db.drop_database().await;
}

#[tokio::test]
async fn writing_a_shared_block_tells_every_agent_that_has_it() {
    let Some(db) = test_db().await else { return };
    let shared = block("team", "old");
    let agent = store_agent(&db, vec![shared.clone()]).await;
    let other = store_agent(&db, vec![]).await;
    let stranger = store_agent(&db, vec![]).await;
    db.attach_block(other.id, shared.id, at(1)).await.unwrap();
    let before = db.agent(other.id).await.unwrap().unwrap().rev;
    let fence = claim(&db, agent.id.default_conversation()).await;
    let commit = Commit { expect_seq: 1, blocks: vec![set(shared.id, 1, "new")], ..Commit::default() };
    assert_eq!(db.system.commit(fence, &commit).await.unwrap(), CommitOutcome::Done { agent_rev: 2 });
    assert_eq!(db.agent(other.id).await.unwrap().unwrap().rev, before + 1);
    assert_eq!(db.agent(stranger.id).await.unwrap().unwrap().rev, 1);
    db.drop_database().await;
}

#[tokio::test]
async fn blocks_are_created_renamed_and_detached() {
    let Some(db) = test_db().await else { return };
    let (human, extra) = (block("human", "v"), block("extra", "v"));
    let agent = store_agent(&db, vec![human.clone(), extra.clone()]).await;
    let conversation = agent.id.default_conversation();
    let fence = claim(&db, conversation).await;
    let renamed = BlockWrite::Set {
        id: human.id,
        version: 1,
        value: "w".into(),
        label: Some("person".into()),
        description: Some("who".into()),
    };
    let created = block("notes", "n");
    let commit = Commit {
        expect_seq: 1,
        blocks: vec![renamed, BlockWrite::Create(Box::new(created)), BlockWrite::Detach(extra.id)],
        ..Commit::default()
    };
    assert_eq!(db.system.commit(fence, &commit).await.unwrap(), CommitOutcome::Done { agent_rev: 2 });
    assert_eq!(labels(&db, &agent).await, [("person".into(), "w".into(), 2), ("notes".into(), "n".into(), 1)]);
    // A label that is taken, and a block that is gone, are conflicts.
    for write in [BlockWrite::Create(Box::new(block("person", ""))), BlockWrite::Detach(extra.id)] {
        let commit = Commit { expect_seq: 1, blocks: vec![write], ..Commit::default() };
        assert_eq!(db.system.commit(fence, &commit).await.unwrap(), CommitOutcome::BlockConflict);
    }
    assert_eq!(db.agent(agent.id).await.unwrap().unwrap().rev, 2);
    db.drop_database().await;
}

fn passage(text: &str, embedding: Vec<f32>) -> Passage {
    Passage {
        id: PassageId(Uuid::new_v4()),
        embedding,
        tags: vec!["b".into(), "a".into()],
        created_at: at(1),
        updated_at: at(1),
        ..engram_testkit::passage(ArchiveId(Uuid::new_v4()), text)
    }
}

#[tokio::test]
async fn the_first_passage_makes_an_archive_and_the_next_ones_use_it() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let conversation = agent.id.default_conversation();
    let fence = claim(&db, conversation).await;
    let insert = |p: Passage| Commit {
        expect_seq: 1,
        writes: vec![Write::InsertPassage(Box::new(p), agent.id)],
        ..Commit::default()
    };
    let first = passage("one", vec![1.0, 0.0, 0.0]);
    let archive = first.archive_id;
    assert_eq!(db.system.commit(fence, &insert(first)).await.unwrap(), CommitOutcome::Done { agent_rev: 2 });
    let second = insert(passage("two", vec![0.0, 1.0, 0.0]));
    assert_eq!(db.system.commit(fence, &second).await.unwrap(), CommitOutcome::Done { agent_rev: 2 });
    let snapshot = db.load_snapshot(agent.id).await.unwrap().unwrap();
    assert_eq!(snapshot.archives.iter().map(|a| a.id).collect::<Vec<_>>(), [archive]);
    assert_eq!(snapshot.archives[0].embedding, agent.embedding);
    assert_eq!((snapshot.archival_count, snapshot.archival_tags), (2, vec!["a".to_owned(), "b".to_owned()]));
    // A vector of another length is refused, with everything that came along.
    let mut wrong = insert(passage("three", vec![1.0]));
    wrong.append = appending(agent.id, conversation, 1, &["x"]).append;
    assert!(db.system.commit(fence, &wrong).await.unwrap_err().to_string().contains("1 numbers"));
    assert_eq!(db.load(conversation).await.unwrap().unwrap().conversation.next_seq, 1);
    db.drop_database().await;
}
