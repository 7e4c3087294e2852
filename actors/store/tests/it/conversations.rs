//! Conversations besides an agent's default one.

use engram_core::ports::{Commits, Runs, store::ContextMark};
use engram_domain::{Agent, BlockId, ConversationId, Role, RunStatus, StopReason};
use engram_store::{
    Page,
    conversations::{ConversationFilter, ConversationPatch, ConversationSort, NewConversation},
};
use uuid::Uuid;

use crate::support::*;

fn conversation(agent: &Agent, seconds: i64) -> NewConversation {
    let id = ConversationId(Uuid::new_v4());
    NewConversation {
        id,
        agent_id: agent.id,
        summary: Some(format!("About {seconds}")),
        isolated_blocks: vec![],
        model: None,
        model_settings: None,
        messages: vec![message(agent.id, id, 0, Role::System, "its prompt")],
        prompt_meta: Some(prompt_meta()),
        created_at: at(seconds),
    }
}

#[tokio::test]
async fn they_are_created_listed_changed_and_deleted() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let other = store_agent(&db, vec![]).await;
    let mut ids = vec![];
    for (owner, seconds) in [(&agent, 1), (&agent, 2), (&other, 3)] {
        let created = db.create_conversation(&conversation(owner, seconds)).await.unwrap();
        assert_eq!(db.conversation(created.id).await.unwrap().as_ref(), Some(&created));
        ids.push(created.id);
    }
    let list = |filter: ConversationFilter, sort, page| {
        let store = (*db).clone();
        async move { store.conversations(&filter, sort, page).await.unwrap().iter().map(|c| c.id).collect::<Vec<_>>() }
    };
    let created = ConversationSort::CreatedAt;
    let of_agent = || ConversationFilter { agent_id: Some(agent.id), summary_search: None };
    assert_eq!(list(ConversationFilter::default(), created, Page::newest(9)).await, [ids[2], ids[1], ids[0]]);
    assert_eq!(list(of_agent(), created, Page { after: Some(ids[0].0), ..Page::oldest(9) }).await, [ids[1]]);
    let about = ConversationFilter { agent_id: None, summary_search: Some("about 3".into()) };
    assert_eq!(list(about, created, Page::newest(9)).await, [ids[2]]);
    let patch = ConversationPatch {
        summary: Some(None),
        model: Some(Some("engram/scripted".into())),
        model_settings: Some(Some(serde_json::json!({"z": 1, "a": 1}))),
        last_message_at: Some(at(100)),
    };
    let changed = db.update_conversation(ids[0], &patch, at(50)).await.unwrap().unwrap();
    assert_eq!((changed.summary.as_deref(), changed.model.as_deref()), (None, Some("engram/scripted")));
    assert_eq!(changed.updated_at, at(50));
    assert_eq!(list(of_agent(), ConversationSort::LastMessageAt, Page::newest(9)).await, [ids[0], ids[1]]);
    assert_eq!(list(of_agent(), ConversationSort::LastRunCompletion, Page::newest(9)).await, [ids[1], ids[0]]);
    assert_eq!(db.agent(agent.id).await.unwrap().unwrap().rev, 2, "a model override is part of the configuration");
    let unknown = ConversationId(Uuid::new_v4());
    assert!(db.update_conversation(unknown, &patch, at(50)).await.unwrap().is_none());

    let run = new_run(agent.id, ids[0], 60);
    accept(&db, &run).await;
    assert!(db.delete_conversation(ids[0], at(70)).await.unwrap());
    assert!(!db.delete_conversation(ids[0], at(70)).await.unwrap());
    assert!(
        !db.delete_conversation(agent.id.default_conversation(), at(70)).await.unwrap(),
        "goes with its agent only"
    );
    let ended = db.system.run(run.id).await.unwrap().unwrap();
    assert_eq!((ended.status, ended.stop_reason), (RunStatus::Cancelled, Some(StopReason::Cancelled)));
    let nobodys = NewConversation { agent_id: engram_domain::AgentId(Uuid::new_v4()), ..conversation(&agent, 9) };
    assert!(matches!(db.create_conversation(&nobodys).await, Err(engram_store::StoreError::Invalid(_))));
    db.drop_database().await;
}

#[tokio::test]
async fn an_isolated_block_stands_in_for_the_agents_block() {
    let Some(db) = test_db().await else { return };
    let shared = block("human", "shared");
    let agent = store_agent(&db, vec![shared.clone(), block("persona", "p")]).await;
    let own = engram_domain::Block { id: BlockId(Uuid::new_v4()), value: "own".into(), ..shared };
    let new = NewConversation { isolated_blocks: vec![own.clone()], ..conversation(&agent, 1) };
    db.create_conversation(&new).await.unwrap();
    let values =
        |loaded: engram_core::ports::Loaded| loaded.snapshot.blocks.iter().map(|b| b.value.clone()).collect::<Vec<_>>();
    assert_eq!(values(db.load(new.id).await.unwrap().unwrap()), ["own", "p"]);
    assert_eq!(values(db.load(agent.id.default_conversation()).await.unwrap().unwrap()), ["shared", "p"]);
    db.delete_conversation(new.id, at(9)).await.unwrap();
    assert!(db.block(own.id).await.unwrap().is_none(), "it goes with its conversation");
    db.drop_database().await;
}

#[tokio::test]
async fn a_fork_has_the_context_under_new_ids() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let source = agent.id.default_conversation();
    let fence = claim(&db, source).await;
    db.system.commit(fence, &appending(agent.id, source, 1, &["a", "b", "c"])).await.unwrap();
    let mut compaction = appending(agent.id, source, 4, &["summary"]);
    compaction.context = Some(ContextMark { summary_message_id: Some(compaction.append[0].id), context_from: 3 });
    db.system.commit(fence, &compaction).await.unwrap();
    let id = ConversationId(Uuid::new_v4());
    let fork = db.fork_conversation(source, id, at(9), &RandomIds).await.unwrap().unwrap();
    assert_eq!((fork.agent_id, fork.next_seq), (agent.id, 3));
    let (old, new) = (db.load(source).await.unwrap().unwrap(), db.load(id).await.unwrap().unwrap());
    assert_eq!(texts(new.context.iter().map(|m| &**m)), ["the prompt", "summary", "c"]);
    assert_eq!(texts(old.context.iter().map(|m| &**m)), texts(new.context.iter().map(|m| &**m)));
    assert!(new.context.iter().all(|m| old.context.iter().all(|o| o.id != m.id)));
    assert_eq!(new.conversation.summary_message_id, Some(new.context[1].id));
    let unknown = ConversationId(Uuid::new_v4());
    assert!(db.fork_conversation(unknown, ConversationId(Uuid::new_v4()), at(9), &RandomIds).await.unwrap().is_none());
    db.drop_database().await;
}
