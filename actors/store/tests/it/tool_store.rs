//! What tools read.

use std::sync::Arc;

use engram_core::ports::{
    Commit, Commits, Write,
    tools::{MessageQuery, PassageQuery, ToolStore},
};
use engram_domain::{ArchiveId, Content, Passage, PassageId, Role};
use uuid::Uuid;

use crate::support::*;

#[tokio::test]
async fn passages_are_ranked_by_nearness_or_by_age() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let fence = claim(&db, agent.id.default_conversation()).await;
    for (seconds, text, vector, tag) in [
        (1, "Red Apple", [1.0, 0.0, 0.0], "fruit"),
        (2, "green pear", [0.8, 0.6, 0.0], "fruit"),
        (3, "car", [0.0, 0.0, 1.0], "thing"),
    ] {
        let passage = Passage {
            id: PassageId(Uuid::new_v4()),
            embedding: vector.to_vec(),
            tags: vec![tag.into()],
            created_at: at(seconds),
            updated_at: at(seconds),
            ..engram_testkit::passage(ArchiveId(Uuid::new_v4()), text)
        };
        let writes = vec![Write::InsertPassage(Box::new(passage), agent.id)];
        db.system.commit(fence, &Commit { expect_seq: 1, writes, ..Commit::default() }).await.unwrap();
    }
    let archives: Vec<ArchiveId> =
        ToolStore::archives(&db.system, agent.id).await.unwrap().iter().map(|a| a.id).collect();
    let find = |query: PassageQuery| {
        let (store, archives) = ((*db).clone(), archives.clone());
        async move {
            let found = ToolStore::search_passages(&store.system, &archives, &query).await.unwrap();
            found.into_iter().map(|(p, score)| format!("{} {score:.1}", p.text)).collect::<Vec<_>>()
        }
    };
    let near = || PassageQuery { embedding: Some(vec![1.0, 0.0, 0.0]), limit: 9, ..PassageQuery::default() };
    assert_eq!(find(near()).await, ["Red Apple 1.0", "green pear 0.8", "car 0.0"]);
    assert_eq!(find(PassageQuery { offset: 1, limit: 1, ..near() }).await, ["green pear 0.8"]);
    assert_eq!(find(PassageQuery { embedding: Some(vec![1.0]), ..near() }).await, [""; 0], "another length");
    assert_eq!(find(PassageQuery { embedding: None, ..near() }).await, ["car 0.0", "green pear 0.0", "Red Apple 0.0"]);
    assert_eq!(find(PassageQuery { text: Some("APPLE".into()), ..near() }).await, ["Red Apple 1.0"]);
    let thing =
        PassageQuery { tags: vec!["thing".into(), "fruit".into()], since: Some(at(2)), until: Some(at(3)), ..near() };
    assert_eq!(find(thing.clone()).await, ["green pear 0.8"]);
    assert_eq!(find(PassageQuery { match_all: true, ..thing }).await, [""; 0]);
    db.drop_database().await;
}

#[tokio::test]
async fn conversation_search_ranks_phrase_then_words_then_age_and_never_finds_itself() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let conversation = agent.id.default_conversation();
    let fence = claim(&db, conversation).await;
    let heartbeat = engram_core::package::heartbeat("blue whale", at(0), "UTC");
    let said = ["the blue whale sang", "a whale that is blue", "only blue", heartbeat.as_str(), "nothing"];
    let mut commit = appending(agent.id, conversation, 1, &said);
    let mut call = message(agent.id, conversation, 6, Role::Assistant, "");
    call.content =
        engram_testkit::calls([engram_testkit::call("c", "conversation_search", r#"{"query":"blue whale"}"#)]);
    let mut result = message(agent.id, conversation, 7, Role::Tool, "");
    result.content = Content::ToolReturn(engram_testkit::returned("c", "conversation_search", "the blue whale sang"));
    commit.append.extend([Arc::new(call), Arc::new(result)]);
    let mut current = message(agent.id, conversation, 8, Role::User, "what about the blue whale?");
    let run = engram_domain::RunId(Uuid::new_v4());
    current.run_id = Some(run);
    commit.append.push(Arc::new(current));
    db.system.commit(fence, &commit).await.unwrap();

    let find = |query: MessageQuery, everywhere: bool| {
        let store = (*db).clone();
        let place = (!everywhere).then_some(conversation);
        async move {
            let found = ToolStore::search_messages(&store.system, agent.id, place, &query).await.unwrap();
            found.iter().map(|m| m.seq).collect::<Vec<_>>()
        }
    };
    let query = || MessageQuery {
        phrase: Some("Blue Whale".into()),
        words: vec!["Blue".into(), "Whale".into()],
        not_of_run: Some(run),
        limit: 9,
        ..MessageQuery::default()
    };
    for everywhere in [false, true] {
        assert_eq!(find(query(), everywhere).await, [1, 2, 3]);
    }
    assert_eq!(find(MessageQuery { not_of_run: None, ..query() }, false).await, [8, 1, 2, 3]);
    assert_eq!(find(MessageQuery { offset: 1, limit: 1, ..query() }, false).await, [2]);
    let recent = MessageQuery { phrase: None, words: vec![], since: Some(at(3)), until: Some(at(6)), ..query() };
    assert_eq!(find(recent, false).await, [5, 3], "without words: by age, still not what the machinery says");
    assert_eq!(find(MessageQuery { roles: vec![Role::Assistant], ..query() }, false).await, [0_i64; 0]);
    db.drop_database().await;
}
