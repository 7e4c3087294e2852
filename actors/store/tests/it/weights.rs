//! Pages that end before they weigh too much.

use engram_core::ports::{Commits, LoggedEvent, RunLog};
use engram_domain::{Archive, ArchiveId, EmbeddingConfig, JsonMap, Passage, PassageId};
use engram_store::{
    PAGE_BYTES, Page, StoreError,
    agents::{AgentFilter, AgentSort},
    archives::ArchiveFilter,
    blocks::{BlockFilter, BlockPatch},
    messages::MessageFilter,
    passages::PassageFilter,
    runs::RunFilter,
    search::MessageSearch,
    tools::ToolFilter,
};
use serde_json::json;
use uuid::Uuid;

use crate::support::*;

/// A page that the second of these rows fills.
fn page(after: Option<Uuid>) -> Page {
    Page { after, most_bytes: Some(15_000), ..Page::oldest(100) }
}

fn heavy() -> String {
    "x".repeat(10_000)
}

#[tokio::test]
async fn a_list_ends_with_the_row_that_fills_its_page_and_goes_on_behind_it() {
    let Some(db) = test_db().await else { return };
    let blocks = BlockFilter::default();
    let mut ids = vec![];
    for n in 0..5 {
        let mut b = block("b", &heavy());
        (b.created_at, b.limit) = (at(n), 100_000);
        db.create_block(&b).await.unwrap();
        ids.push(b.id);
    }
    let list = async |page| -> Vec<_> { db.blocks(&blocks, page).await.unwrap().iter().map(|b| b.id).collect() };
    assert_eq!(list(page(None)).await, ids[..2]);
    assert_eq!(list(page(Some(ids[1].0))).await, ids[2..4]);
    assert_eq!(list(page(Some(ids[3].0))).await, ids[4..]);
    let newest = Page { ascending: false, ..page(None) };
    assert_eq!(list(newest).await, [ids[4], ids[3]]);
    assert_eq!(list(Page { before: Some(ids[1].0), ..page(None) }).await, ids[..1]);
    assert_eq!(list(Page { most_bytes: Some(1), ..page(None) }).await, ids[..1], "the first one always comes");
    assert_eq!(list(Page { most_bytes: None, ..page(None) }).await, ids);
    assert_eq!(list(Page { most_bytes: Some(PAGE_BYTES), ..page(None) }).await, ids);
    db.drop_database().await;
}

#[tokio::test]
async fn every_list_of_large_rows_has_such_pages() {
    let Some(db) = test_db().await else { return };
    // A block counts twice: it stands twice in an agent's answer.
    let mut agents = vec![];
    for _ in 0..3 {
        let mut b = block("b", &"x".repeat(5_000));
        b.limit = 100_000;
        agents.push(store_agent(&db, vec![b]).await);
    }
    assert_eq!(db.agents(&AgentFilter::default(), AgentSort::Created, page(None)).await.unwrap().len(), 2);

    let agent = &agents[0];
    let conversation = agent.id.default_conversation();
    let mut runs = vec![];
    for n in 0..3 {
        let mut run = new_run(agent.id, conversation, n);
        run.metadata = json!({ "data": heavy() });
        accept(&db, &run).await;
        runs.push(run);
    }
    assert_eq!(db.runs(&RunFilter::default(), page(None)).await.unwrap().len(), 2);

    let fence = claim(&db, conversation).await;
    let said = heavy();
    db.system.commit(fence, &appending(agent.id, conversation, 1, &[&said, &said, &said])).await.unwrap();
    let in_order = |messages: Vec<engram_domain::Message>| messages.iter().map(|m| m.seq).collect::<Vec<_>>();
    let filter = MessageFilter::default();
    let behind_prompt = db.messages(conversation, &filter, Page::oldest(1)).await.unwrap()[0].id.0;
    let oldest = page(Some(behind_prompt));
    assert_eq!(in_order(db.messages(conversation, &filter, oldest).await.unwrap()), [1, 2]);
    let newest = Page { ascending: false, ..oldest };
    assert_eq!(in_order(db.messages(conversation, &filter, newest).await.unwrap()), [2, 3]);
    assert_eq!(db.all_messages(Some(agent.id), Page { ascending: false, ..page(None) }).await.unwrap().len(), 2);
    let search = MessageSearch { agent_id: Some(agent.id), limit: 100, ..MessageSearch::default() };
    assert_eq!(db.search_messages(&search).await.unwrap().len(), 3, "they fit into a page of the usual size");

    let event = |seq| LoggedEvent { seq, event: json!(heavy()) };
    assert!(db.system.append_events(fence, runs[0].id, &[event(1), event(2), event(3)]).await.unwrap());
    assert_eq!(db.system.events(runs[0].id, 0, 100).await.unwrap().len(), 3);

    let archive = |name: &str| Archive {
        id: ArchiveId(Uuid::new_v4()),
        name: name.into(),
        description: Some(heavy()),
        embedding: EmbeddingConfig { embedding_dim: 3, ..EmbeddingConfig::default() },
        metadata: None,
        created_at: at(0),
        updated_at: at(0),
    };
    let archives = [archive("a"), archive("b"), archive("c")];
    for archive in &archives {
        db.create_archive(archive).await.unwrap();
    }
    assert_eq!(db.archives(&ArchiveFilter::default(), page(None)).await.unwrap().len(), 2);

    let passage = || Passage {
        id: PassageId(Uuid::new_v4()),
        archive_id: archives[0].id,
        source_id: None,
        text: heavy(),
        embedding: vec![1.0, 0.0, 0.0],
        tags: vec![],
        metadata: JsonMap::new(),
        created_at: at(0),
        updated_at: at(0),
    };
    db.insert_passages(archives[0].id, &[passage(), passage(), passage()]).await.unwrap();
    assert_eq!(db.passages(&PassageFilter::default(), page(None)).await.unwrap().len(), 2);
    let nearest = db.nearest_passages(&PassageFilter::default(), &[1.0, 0.0, 0.0], 100).await.unwrap();
    assert_eq!(nearest.len(), 3);
    let one = Page { most_bytes: Some(1), ..page(None) };
    assert!(db.tools(&ToolFilter::default(), one).await.unwrap().len() <= 1);
    db.drop_database().await;
}

#[tokio::test]
async fn the_blocks_of_an_agent_together_have_an_end() {
    let Some(db) = test_db().await else { return };
    let large = |label: &str| {
        let mut b = block(label, &"x".repeat(9_000_000));
        b.limit = 10_000_000;
        b
    };
    let agent = store_agent(&db, vec![large("a"), large("b"), large("c")]).await;
    let (fourth, small) = (large("d"), block("e", "small"));
    db.create_block(&fourth).await.unwrap();
    db.create_block(&small).await.unwrap();
    let all: Vec<_> = db.blocks(&BlockFilter::default(), Page::oldest(9)).await.unwrap().iter().map(|b| b.id).collect();
    assert!(matches!(db.blocks_by_id(&all).await, Err(StoreError::Invalid(_))));
    assert_eq!(db.blocks_by_id(&[fourth.id, small.id]).await.unwrap().len(), 2);
    let refused = db.attach_block(agent.id, fourth.id, at(1)).await;
    assert!(matches!(&refused, Err(StoreError::Invalid(text)) if text.contains("together")), "{refused:?}");
    db.attach_block(agent.id, small.id, at(2)).await.unwrap();
    let grows = BlockPatch { limit: Some(10_000_000), value: Some("x".repeat(9_000_000)), ..BlockPatch::default() };
    assert!(matches!(db.modify_block(small.id, grows, None, at(3)).await, Err(StoreError::Invalid(_))));
    db.drop_database().await;
}
