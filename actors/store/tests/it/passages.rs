//! Archives and their passages.

use engram_domain::{Archive, ArchiveId, EmbeddingConfig, Passage, PassageId};
use engram_store::{
    Page, StoreError,
    agents::Attached,
    archives::ArchiveFilter,
    passages::{PassageFilter, PassagePatch},
};
use uuid::Uuid;

use crate::support::*;

fn archive(name: &str) -> Archive {
    Archive {
        id: ArchiveId(Uuid::new_v4()),
        embedding: EmbeddingConfig { embedding_dim: 3, ..EmbeddingConfig::default() },
        created_at: at(0),
        updated_at: at(0),
        ..engram_testkit::archive(name)
    }
}

fn passage(archive: ArchiveId, text: &str, embedding: [f32; 3], tags: &[&str]) -> Passage {
    Passage {
        id: PassageId(Uuid::new_v4()),
        embedding: embedding.to_vec(),
        tags: tags.iter().map(|t| (*t).to_owned()).collect(),
        created_at: at(0),
        updated_at: at(0),
        ..engram_testkit::passage(archive, text)
    }
}

#[tokio::test]
async fn an_agent_gets_one_archive_however_many_ask() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let fresh: Vec<Archive> = (0..4).map(|n| archive(&format!("a{n}"))).collect();
    let asked = futures::future::join_all(fresh.iter().map(|a| db.default_archive(agent.id, a))).await;
    let got: Vec<ArchiveId> = asked.into_iter().map(|a| a.unwrap().unwrap().id).collect();
    assert!(got.iter().all(|id| *id == got[0]));
    assert_eq!(db.archives(&ArchiveFilter::default(), Page::newest(10)).await.unwrap().len(), 1);
    let nobody = engram_domain::AgentId(Uuid::new_v4());
    assert!(db.default_archive(nobody, &fresh[0]).await.unwrap().is_none());
    db.drop_database().await;
}

#[tokio::test]
async fn the_nearest_come_first_and_filters_hold() {
    let Some(db) = test_db().await else { return };
    let a = archive("a");
    db.create_archive(&a).await.unwrap();
    let agent = store_agent(&db, vec![]).await;
    assert_eq!(db.attach_archive(agent.id, a.id, at(1)).await.unwrap(), Attached::Done);
    let passages = [
        passage(a.id, "east", [1.0, 0.0, 0.0], &["x"]),
        passage(a.id, "north", [0.0, 1.0, 0.0], &["x", "y"]),
        passage(a.id, "between", [0.6, 0.8, 0.0], &[]),
    ];
    db.insert_passages(a.id, &passages).await.unwrap();
    assert_eq!(db.agent(agent.id).await.unwrap().unwrap().rev, 3);

    let all = PassageFilter::default;
    let texts = |found: Vec<(Passage, f64)>| -> Vec<String> { found.into_iter().map(|(p, _)| p.text).collect() };
    let north = [0.0, 1.0, 0.0];
    let found = db.nearest_passages(&all(), &north, 2).await.unwrap();
    assert!((found[0].1 - 1.0).abs() < 1e-6);
    assert_eq!(found[0].0, passages[1]);
    assert_eq!(texts(found), ["north", "between"]);
    let tagged = PassageFilter { tags: vec!["x".into(), "y".into()], match_all_tags: true, ..all() };
    assert_eq!(texts(db.nearest_passages(&tagged, &north, 9).await.unwrap()), ["north"]);
    let elsewhere = PassageFilter { archives: Some(vec![]), ..all() };
    assert!(db.nearest_passages(&elsewhere, &north, 9).await.unwrap().is_empty());
    let filter = PassageFilter {
        agent_id: Some(agent.id),
        search: Some("EAS".into()),
        start: Some(at(-1)),
        end: Some(at(1)),
        ..all()
    };
    assert_eq!(texts(db.nearest_passages(&filter, &north, 9).await.unwrap()), ["east"]);

    // One moment for all of them: they keep the order in which they came.
    let page = |after: Option<PassageId>, ascending| Page { after: after.map(|p| p.0), ascending, ..Page::oldest(2) };
    let list =
        async |page| -> Vec<String> { db.passages(&all(), page).await.unwrap().into_iter().map(|p| p.text).collect() };
    assert_eq!(list(page(None, true)).await, ["east", "north"]);
    assert_eq!(list(page(Some(passages[1].id), true)).await, ["between"]);
    assert_eq!(list(page(Some(passages[1].id), false)).await, ["east"]);
    assert_eq!(db.embedding_bytes().await.unwrap(), 36);
    db.drop_database().await;
}

#[tokio::test]
async fn a_vector_of_another_length_is_refused_and_nothing_is_stored() {
    let Some(db) = test_db().await else { return };
    let a = archive("a");
    db.create_archive(&a).await.unwrap();
    let mut wrong = passage(a.id, "wrong", [0.0, 0.0, 1.0], &[]);
    wrong.embedding.push(1.0);
    let both = [passage(a.id, "right", [0.0, 0.0, 1.0], &[]), wrong];
    assert!(matches!(db.insert_passages(a.id, &both).await, Err(StoreError::Invalid(_))));
    assert!(db.passages(&PassageFilter::default(), Page::oldest(9)).await.unwrap().is_empty());
    db.drop_database().await;
}

#[tokio::test]
async fn passages_and_archives_are_changed_and_deleted() {
    let Some(db) = test_db().await else { return };
    let a = archive("a");
    db.create_archive(&a).await.unwrap();
    let p = passage(a.id, "old", [1.0, 0.0, 0.0], &["t"]);
    db.insert_passages(a.id, std::slice::from_ref(&p)).await.unwrap();
    let patch = PassagePatch { text: Some(("new".into(), vec![0.0, 1.0, 0.0])), ..PassagePatch::default() };
    let changed = db.modify_passage(p.id, &patch, at(1)).await.unwrap().unwrap();
    assert_eq!((changed.text.as_str(), changed.embedding, changed.tags), ("new", vec![0.0, 1.0, 0.0], p.tags));
    assert!(!db.delete_passage(&[ArchiveId(Uuid::new_v4())], p.id).await.unwrap(), "not of that archive");
    assert!(db.delete_passage(&[a.id], p.id).await.unwrap());
    assert!(db.passage(p.id).await.unwrap().is_none());

    let renamed = db.modify_archive(a.id, Some("b"), Some(Some("d")), at(2)).await.unwrap().unwrap();
    assert_eq!((renamed.name.as_str(), renamed.description.as_deref()), ("b", Some("d")));
    let kept = db.modify_archive(a.id, None, None, at(3)).await.unwrap().unwrap();
    assert_eq!(kept.description.as_deref(), Some("d"));
    assert_eq!(db.modify_archive(a.id, None, Some(None), at(4)).await.unwrap().unwrap().description, None);
    assert!(db.delete_archive(a.id).await.unwrap());
    assert!(!db.delete_archive(a.id).await.unwrap());
    db.drop_database().await;
}
