//! The fenced commit: what it writes, and that it writes nothing when it must not.

use std::sync::Arc;

use engram_core::ports::{Commit, CommitOutcome, Commits, Leases, Runs, store::ContextMark};
use engram_domain::{Content, RunStatus, StopReason};
use engram_store::{Page, messages::MessageFilter};

use crate::support::*;

async fn all(store: &Db, conversation: engram_domain::ConversationId) -> Vec<String> {
    let messages = store.messages(conversation, &MessageFilter::default(), Page::oldest(100)).await.unwrap();
    let places: Vec<i64> = messages.iter().map(|m| m.seq).collect();
    assert_eq!(places, (0..places.len() as i64).collect::<Vec<_>>(), "places without gaps");
    texts(&messages)
}

#[tokio::test]
async fn a_turn_is_one_commit_of_messages_step_and_run() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let conversation = agent.id.default_conversation();
    let run = new_run(agent.id, conversation, 5);
    assert_eq!(accept(&db, &run).await, 1);
    let fence = claim(&db, conversation).await;

    let mut first = appending(agent.id, conversation, 1, &["hello"]);
    first.run = Some(run_start(run.id));
    first.now = at(6);
    assert_eq!(db.system.commit(fence, &first).await.unwrap(), CommitOutcome::Done { agent_rev: 1 });
    assert_eq!(db.system.run(run.id).await.unwrap().unwrap().status, RunStatus::Running);

    let mut last = appending(agent.id, conversation, 2, &["hi", "bye"]);
    last.run = Some(run_end(run.id, StopReason::EndTurn));
    last.step = Some(Box::new(step(&run, 7)));
    last.now = at(8);
    assert_eq!(db.system.commit(fence, &last).await.unwrap(), CommitOutcome::Done { agent_rev: 1 });

    assert_eq!(all(&db, conversation).await, ["the prompt", "hello", "hi", "bye"]);
    let stored = db.system.run(run.id).await.unwrap().unwrap();
    assert_eq!((stored.status, stored.stop_reason), (RunStatus::Completed, Some(StopReason::EndTurn)));
    assert_eq!((stored.usage.total(), stored.ttft_ns, stored.completed_at), (12, Some(99), Some(at(8))));
    assert_eq!(stored.metadata.to_string(), r#"{"z":1,"a":2}"#, "the caller's order of members");
    let kept = last.step.unwrap();
    assert_eq!(db.step(kept.id).await.unwrap().as_ref(), Some(&*kept));
    let loaded = db.agent(agent.id).await.unwrap().unwrap();
    assert_eq!(loaded.last_run_completion, Some(at(8)));
    assert_eq!((loaded.last_run_duration_ms, loaded.last_stop_reason), (Some(3000), Some(StopReason::EndTurn)));
    assert_eq!(loaded.rev, 1, "a run does not change the configuration");
    db.drop_database().await;
}

#[tokio::test]
async fn a_stale_epoch_and_a_wrong_place_change_nothing() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![block("human", "v")]).await;
    let conversation = agent.id.default_conversation();
    let run = new_run(agent.id, conversation, 5);
    accept(&db, &run).await;
    let stale = claim(&db, conversation).await;
    db.system.release(stale).await.unwrap();
    let fence = claim(&db, conversation).await;
    assert!(fence.epoch > stale.epoch);

    let mut commit = appending(agent.id, conversation, 1, &["lost"]);
    commit.run = Some(run_end(run.id, StopReason::Error));
    commit.step = Some(Box::new(step(&run, 7)));
    let before = db.load(conversation).await.unwrap().unwrap();
    assert_eq!(db.system.commit(stale, &commit).await.unwrap(), CommitOutcome::Fenced);
    // The long form, with a rewrite, and the one that deletes first.
    let mut long = commit.clone();
    long.rewrite = vec![before.context[0].clone()];
    assert_eq!(db.system.commit(stale, &long).await.unwrap(), CommitOutcome::Fenced);
    let reset = Commit { delete_from: Some(0), expect_seq: 1, ..Commit::default() };
    assert_eq!(db.system.commit(stale, &reset).await.unwrap(), CommitOutcome::Fenced);
    // The right owner with a wrong belief.
    let ahead = appending(agent.id, conversation, 2, &["lost"]);
    assert_eq!(db.system.commit(fence, &ahead).await.unwrap(), CommitOutcome::Fenced);

    let after = db.load(conversation).await.unwrap().unwrap();
    assert_eq!(after.conversation, before.conversation);
    assert_eq!(all(&db, conversation).await, ["the prompt"]);
    assert_eq!(db.system.run(run.id).await.unwrap().unwrap().status, RunStatus::Created);
    assert!(db.step(commit.step.clone().unwrap().id).await.unwrap().is_none());
    // And the same commit by the owner happens, once.
    assert!(matches!(db.system.commit(fence, &commit).await.unwrap(), CommitOutcome::Done { .. }));
    assert_eq!(db.system.commit(fence, &commit).await.unwrap(), CommitOutcome::Fenced);
    db.drop_database().await;
}

#[tokio::test]
async fn messages_with_gaps_are_refused() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let conversation = agent.id.default_conversation();
    let fence = claim(&db, conversation).await;
    let mut commit = appending(agent.id, conversation, 1, &["a", "b"]);
    commit.append.remove(0);
    assert!(db.system.commit(fence, &commit).await.is_err());
    assert_eq!(all(&db, conversation).await, ["the prompt"]);
    db.drop_database().await;
}

#[tokio::test]
async fn a_run_that_is_over_is_never_changed() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let conversation = agent.id.default_conversation();
    let run = new_run(agent.id, conversation, 5);
    accept(&db, &run).await;
    assert!(db.system.end_run(run.id, StopReason::Cancelled, Some("asked to"), at(6)).await.unwrap());
    assert!(!db.system.end_run(run.id, StopReason::Error, None, at(7)).await.unwrap(), "only once");
    let fence = claim(&db, conversation).await;
    let mut commit = appending(agent.id, conversation, 1, &["late"]);
    commit.run = Some(run_start(run.id));
    db.system.commit(fence, &commit).await.unwrap();
    let stored = db.system.run(run.id).await.unwrap().unwrap();
    assert_eq!((stored.status, stored.error.as_deref()), (RunStatus::Cancelled, Some("asked to")));
    db.drop_database().await;
}

#[tokio::test]
async fn a_reset_deletes_and_starts_again_at_the_same_place() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let conversation = agent.id.default_conversation();
    let fence = claim(&db, conversation).await;
    db.system.commit(fence, &appending(agent.id, conversation, 1, &["a", "b", "c"])).await.unwrap();
    let mut system = (*db.load(conversation).await.unwrap().unwrap().context[0]).clone();
    system.content = Content::text("the prompt, again");
    let mut reset = appending(agent.id, conversation, 1, &["fresh"]);
    reset.expect_seq = 4;
    reset.delete_from = Some(1);
    reset.rewrite = vec![Arc::new(system)];
    reset.context = Some(ContextMark { summary_message_id: None, context_from: 1 });
    reset.prompt_meta = Some(prompt_meta());
    assert!(matches!(db.system.commit(fence, &reset).await.unwrap(), CommitOutcome::Done { .. }));
    assert_eq!(all(&db, conversation).await, ["the prompt, again", "fresh"]);
    let loaded = db.load(conversation).await.unwrap().unwrap();
    assert_eq!((loaded.conversation.next_seq, loaded.conversation.context_from), (2, 1));
    assert!(matches!(
        db.system.commit(fence, &appending(agent.id, conversation, 2, &["next"])).await.unwrap(),
        CommitOutcome::Done { .. }
    ));
    db.drop_database().await;
}

#[tokio::test]
async fn nul_characters_do_not_stop_an_agent() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let conversation = agent.id.default_conversation();
    let fence = claim(&db, conversation).await;
    let commit = appending(agent.id, conversation, 1, &["a\0b"]);
    assert!(matches!(db.system.commit(fence, &commit).await.unwrap(), CommitOutcome::Done { .. }));
    assert_eq!(all(&db, conversation).await[1], "a\0b");
    db.drop_database().await;
}
