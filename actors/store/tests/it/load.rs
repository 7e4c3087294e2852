//! What a live agent is given.

use engram_core::ports::{Commits, store::ContextMark};
use engram_domain::ConversationId;
use uuid::Uuid;

use crate::support::*;

#[tokio::test]
async fn only_the_context_is_loaded_however_long_the_history() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![block("human", "h"), block("persona", "p")]).await;
    let conversation = agent.id.default_conversation();
    let fence = claim(&db, conversation).await;
    let history: Vec<String> = (1..=300).map(|i| format!("m{i}")).collect();
    let history: Vec<&str> = history.iter().map(String::as_str).collect();
    db.system.commit(fence, &appending(agent.id, conversation, 1, &history)).await.unwrap();
    let mut compaction = appending(agent.id, conversation, 301, &["the summary"]);
    compaction.context = Some(ContextMark { summary_message_id: Some(compaction.append[0].id), context_from: 299 });
    db.system.commit(fence, &compaction).await.unwrap();
    db.system.commit(fence, &appending(agent.id, conversation, 302, &["next"])).await.unwrap();

    let loaded = db.load(conversation).await.unwrap().unwrap();
    let context = texts(loaded.context.iter().map(|m| &**m));
    assert_eq!(context, ["the prompt", "the summary", "m299", "m300", "next"]);
    assert_eq!(loaded.prompt_meta, Some(prompt_meta()));
    assert_eq!(loaded.conversation.next_seq, 303);
    let labels: Vec<&str> = loaded.snapshot.blocks.iter().map(|b| b.label.as_str()).collect();
    assert_eq!(labels, ["human", "persona"]);
    let ids = db.context_message_ids(&[conversation]).await.unwrap();
    assert_eq!(ids[&conversation], loaded.context.iter().map(|m| m.id).collect::<Vec<_>>());
    assert!(db.load(ConversationId(Uuid::new_v4())).await.unwrap().is_none());
    db.drop_database().await;
}

#[tokio::test]
async fn a_row_that_cannot_be_read_names_its_place() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let mut raw = db.raw().await;
    sqlx::query("UPDATE agents SET llm = '1' WHERE id = $1").bind(agent.id.0).execute(&mut raw).await.unwrap();
    let error = db.load_snapshot(agent.id).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("agents.llm of {}: ", agent.id.0)), "{error}");
    drop(raw);
    db.drop_database().await;
}
