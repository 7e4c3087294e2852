//! Reading and searching messages.

use std::sync::Arc;

use engram_core::ports::Commits;
use engram_domain::{MessageId, Role, StopReason};
use engram_store::{
    Page,
    messages::{MessageFilter, MessagePageError},
    search::MessageSearch,
};
use uuid::Uuid;

use crate::support::*;

#[tokio::test]
async fn pages_are_chronological_and_come_from_the_end_that_was_asked_for() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let conversation = agent.id.default_conversation();
    let fence = claim(&db, conversation).await;
    let mut commit = appending(agent.id, conversation, 1, &["a", "b", "c", "d"]);
    Arc::make_mut(&mut commit.append[1]).group_id = Some("group-1".into());
    Arc::make_mut(&mut commit.append[2]).is_err = true;
    db.system.commit(fence, &commit).await.unwrap();
    let id = |i: usize| Some(commit.append[i].id.0);
    let list = |filter: MessageFilter, page: Page| {
        let store = (*db).clone();
        async move { store.messages(conversation, &filter, page).await.map(|m| texts(&m)) }
    };
    let any = MessageFilter::default;
    assert_eq!(list(any(), Page::newest(2)).await.unwrap(), ["c", "d"]);
    assert_eq!(list(any(), Page::oldest(2)).await.unwrap(), ["the prompt", "a"]);
    assert_eq!(list(any(), Page { before: id(2), ..Page::newest(1) }).await.unwrap(), ["b"]);
    assert_eq!(list(any(), Page { after: id(0), ..Page::oldest(2) }).await.unwrap(), ["b", "c"]);
    assert_eq!(list(any(), Page { after: id(0), before: id(3), ..Page::newest(9) }).await.unwrap(), ["b", "c"]);
    let group = MessageFilter { group_id: Some("group-1".into()), ..any() };
    assert_eq!(list(group, Page::newest(9)).await.unwrap(), ["b"]);
    let clean = MessageFilter { without_errors: true, ..any() };
    assert_eq!(list(clean, Page::newest(2)).await.unwrap(), ["b", "d"]);
    let unknown = MessageId(Uuid::new_v4());
    let lost = list(any(), Page { after: Some(unknown.0), ..Page::newest(9) }).await;
    assert!(matches!(lost, Err(MessagePageError::UnknownCursor(id)) if id == unknown), "{lost:?}");
    assert_eq!(db.message(commit.append[0].id).await.unwrap().as_ref(), Some(&*commit.append[0]));
    assert_eq!(db.message(unknown).await.unwrap(), None);
    db.drop_database().await;
}

#[tokio::test]
async fn messages_of_runs_and_steps_are_found_without_an_index_of_their_own() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let conversation = agent.id.default_conversation();
    let fence = claim(&db, conversation).await;
    let mut runs = vec![];
    for (seq, text) in [(1, "first"), (2, "second")] {
        let run = new_run(agent.id, conversation, seq);
        accept(&db, &run).await;
        assert_eq!(db.run_messages(run.id, Page::oldest(9)).await.unwrap(), Some(vec![]));
        let step = step(&run, seq);
        let mut commit = appending(agent.id, conversation, seq, &[text]);
        let message = Arc::make_mut(&mut commit.append[0]);
        message.run_id = Some(run.id);
        message.step_id = Some(step.id);
        runs.push((run.id, step.id));
        commit.step = Some(Box::new(step));
        commit.run = Some(run_end(run.id, StopReason::EndTurn));
        db.system.commit(fence, &commit).await.unwrap();
    }
    let of_run = db.run_messages(runs[0].0, Page::oldest(9)).await.unwrap().unwrap();
    assert_eq!(texts(&of_run), ["first"]);
    let of_step = db.step_messages(runs[1].1, Page::oldest(9)).await.unwrap().unwrap();
    assert_eq!(texts(&of_step), ["second"]);
    assert!(db.run_messages(engram_domain::RunId(Uuid::new_v4()), Page::oldest(9)).await.unwrap().is_none());
    assert!(db.step_messages(engram_domain::StepId(Uuid::new_v4()), Page::oldest(9)).await.unwrap().is_none());
    db.drop_database().await;
}

#[tokio::test]
async fn search_finds_words_whatever_their_case_and_filters() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let other = store_agent(&db, vec![]).await;
    let conversation = agent.id.default_conversation();
    let fence = claim(&db, conversation).await;
    let mut commit = appending(agent.id, conversation, 1, &["My cat is called Müsli", "100% sure", "the prompt"]);
    let mut said = message(agent.id, conversation, 4, Role::Assistant, "");
    said.content = engram_testkit::calls([engram_testkit::call("c", "send_message", r#"{"message":"a fine cat"}"#)]);
    commit.append.push(Arc::new(said));
    db.system.commit(fence, &commit).await.unwrap();
    let find = |search: MessageSearch| {
        let store = (*db).clone();
        async move { store.search_messages(&search).await.unwrap().iter().map(|m| m.seq).collect::<Vec<_>>() }
    };
    let of = |text: &str| MessageSearch {
        text: Some(text.into()),
        agent_id: Some(agent.id),
        limit: 9,
        ..Default::default()
    };
    assert_eq!(find(of("CAT")).await, [4, 1], "newest first");
    assert_eq!(find(of("müsli")).await, [1]);
    assert_eq!(find(of("100% S")).await, [2], "no wildcards");
    assert_eq!(find(of("the prompt")).await, [3], "not the compiled prompt");
    assert_eq!(find(MessageSearch { roles: vec![Role::Assistant], ..of("cat") }).await, [4]);
    assert_eq!(find(MessageSearch { start: Some(at(2)), end: Some(at(4)), ..of("") }).await, [4, 3, 2]);
    assert_eq!(find(MessageSearch { limit: 1, offset: 1, ..of("cat") }).await, [1]);
    assert_eq!(find(MessageSearch { agent_id: Some(other.id), ..of("cat") }).await, [0_i64; 0]);
    assert_eq!(
        find(MessageSearch { conversation_id: Some(conversation), out_of_context: true, ..of("cat") }).await,
        [0_i64; 0]
    );
    let seqs = |messages: Vec<engram_domain::Message>| messages.iter().map(|m| m.seq).collect::<Vec<_>>();
    assert_eq!(seqs(db.all_messages(Some(agent.id), Page::newest(2)).await.unwrap()), [4, 3]);
    let page = Page { after: Some(commit.append[1].id.0), ..Page::oldest(9) };
    assert_eq!(seqs(db.all_messages(None, page).await.unwrap()), [3, 4]);
    db.drop_database().await;
}
