//! The log of what a run has shown, and taking a run from whoever drives it.

use engram_core::ports::{CommitOutcome, Commits, Leases, LoggedEvent, RunLog, Runs};
use engram_domain::{RunErrorKind, RunStatus, StopReason, Time};
use engram_store::StoreError;
use serde_json::json;

use crate::support::*;

fn events(from: i64, words: &[&str]) -> Vec<LoggedEvent> {
    (from..).zip(words).map(|(seq, word)| LoggedEvent { seq, event: json!({"z": word, "a": "x\0y"}) }).collect()
}

#[tokio::test]
async fn events_are_kept_in_their_order_and_only_the_owner_writes_them() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let conversation = agent.id.default_conversation();
    let run = new_run(agent.id, conversation, 0);
    accept(&db, &run).await;
    let stale = claim(&db, conversation).await;
    assert_eq!(db.system.last_event(run.id).await.unwrap(), 0);
    let all = events(1, &["a", "b", "c", "d"]);
    assert!(db.system.append_events(stale, run.id, &all[..2]).await.unwrap());
    db.system.release(stale).await.unwrap();
    let fence = claim(&db, conversation).await;
    assert!(!db.system.append_events(stale, run.id, &all[2..]).await.unwrap());
    assert_eq!(db.system.last_event(run.id).await.unwrap(), 2);
    assert!(db.system.append_events(fence, run.id, &all[2..]).await.unwrap());
    assert!(db.system.append_events(fence, run.id, &[]).await.unwrap());
    assert_eq!(db.system.events(run.id, 0, 100).await.unwrap(), all);
    assert_eq!(db.system.events(run.id, 1, 2).await.unwrap(), all[1..3]);
    assert_eq!(db.system.events(run.id, 0, 1).await.unwrap()[0].event.to_string(), r#"{"z":"a","a":"x\u0000y"}"#);
    assert_eq!(db.system.last_event(run.id).await.unwrap(), 4);
    // A number means one event for ever.
    let twice = db.system.append_events(fence, run.id, &events(4, &["other", "e"])).await;
    assert!(matches!(twice, Err(StoreError::Conflict(_))), "{twice:?}");
    assert_eq!(db.system.events(run.id, 0, 100).await.unwrap(), all);
    // For a run that was deleted meanwhile nothing is written: whoever drives it is told as if it were fenced.
    db.delete_run(run.id).await.unwrap();
    assert!(!db.system.append_events(fence, run.id, &events(5, &["late"])).await.unwrap());
    assert_eq!(db.system.last_event(run.id).await.unwrap(), 0);
    db.drop_database().await;
}

#[tokio::test]
async fn a_commit_and_its_events_are_one() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![block("human", "v")]).await;
    let conversation = agent.id.default_conversation();
    let run = new_run(agent.id, conversation, 0);
    accept(&db, &run).await;
    let stale = claim(&db, conversation).await;
    db.system.release(stale).await.unwrap();
    let fence = claim(&db, conversation).await;
    let mut commit = appending(agent.id, conversation, 1, &["hello"]);
    commit.run = Some(run_start(run.id));
    commit.events = events(1, &["a", "b"]);
    assert_eq!(db.system.commit(stale, &commit).await.unwrap(), CommitOutcome::Fenced);
    assert_eq!(db.system.last_event(run.id).await.unwrap(), 0);
    assert!(matches!(db.system.commit(fence, &commit).await.unwrap(), CommitOutcome::Done { .. }));
    // The long form, which fails for the sake of a block, and then does not.
    let human = db.load_snapshot(agent.id).await.unwrap().unwrap().blocks[0].clone();
    let set = |version| engram_core::ports::store::BlockWrite::Set {
        id: human.id,
        version,
        value: "w".into(),
        label: None,
        description: None,
    };
    let mut long = appending(agent.id, conversation, 2, &["hi"]);
    let end = engram_core::ports::store::RunUpdate {
        error: Some("no".into()),
        error_kind: Some(RunErrorKind::LlmTimeout),
        ..run_end(run.id, StopReason::LlmApiError)
    };
    long.run = Some(end);
    long.events = events(3, &["c"]);
    long.blocks = vec![set(7)];
    assert_eq!(db.system.commit(fence, &long).await.unwrap(), CommitOutcome::BlockConflict);
    assert_eq!(db.system.last_event(run.id).await.unwrap(), 2);
    // A number that is taken stops the whole commit.
    let mut taken = appending(agent.id, conversation, 2, &["more"]);
    taken.run = Some(run_start(run.id));
    taken.events = events(2, &["other"]);
    assert!(matches!(db.system.commit(fence, &taken).await, Err(StoreError::Conflict(_))));
    long.blocks = vec![set(human.version)];
    assert!(matches!(db.system.commit(fence, &long).await.unwrap(), CommitOutcome::Done { .. }));
    assert_eq!(db.system.events(run.id, 0, 9).await.unwrap(), events(1, &["a", "b", "c"]));
    let ended = db.run(run.id).await.unwrap().unwrap();
    assert_eq!((ended.error.as_deref(), ended.error_kind), (Some("no"), Some(RunErrorKind::LlmTimeout)));
    // For a run that is over nothing is written; events without a run are nobody's.
    let mut again = appending(agent.id, conversation, 3, &["more"]);
    again.run = Some(run_start(run.id));
    again.events = events(4, &["other"]);
    assert_eq!(db.system.commit(fence, &again).await.unwrap(), CommitOutcome::Fenced);
    again.run = None;
    assert!(matches!(db.system.commit(fence, &again).await, Err(StoreError::Invalid(_))));
    assert_eq!(db.load(conversation).await.unwrap().unwrap().context.len(), 3);
    db.drop_database().await;
}

#[tokio::test]
async fn events_go_a_day_after_the_end() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let conversation = agent.id.default_conversation();
    let fence = claim(&db, conversation).await;
    let mut runs = vec![];
    for ended in [Some(at(0)), Some(at(10)), None] {
        let run = new_run(agent.id, conversation, 0);
        accept(&db, &run).await;
        db.system.append_events(fence, run.id, &events(1, &["a", "b"])).await.unwrap();
        if let Some(ended) = ended {
            db.system.end_run(run.id, StopReason::EndTurn, None, ended).await.unwrap();
        }
        runs.push(run.id);
    }
    let day: fn(i64) -> Time = |seconds| at(24 * 3600 + seconds);
    // A node whose clock says that they are old is not believed: they were accepted a moment ago.
    for clock in [day(9), day(9_999_999_999)] {
        assert_eq!(db.system.prune_events(clock).await.unwrap(), 0);
    }
    let mut raw = db.raw().await;
    sqlx::query("UPDATE runs SET accepted_at = created_at").execute(&mut raw).await.unwrap();
    drop(raw);
    assert_eq!(db.system.prune_events(day(0)).await.unwrap(), 0);
    assert_eq!(db.system.prune_events(day(5)).await.unwrap(), 2);
    let mut left = vec![];
    for run in runs {
        left.push(db.system.last_event(run).await.unwrap());
    }
    assert_eq!(left, [0, 2, 2]);
    db.drop_database().await;
}

#[tokio::test]
async fn a_revoked_run_is_over_and_whoever_drove_it_is_fenced() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let conversation = agent.id.default_conversation();
    let (run, over) = (new_run(agent.id, conversation, 0), new_run(agent.id, conversation, 1));
    accept(&db, &run).await;
    accept(&db, &over).await;
    db.system.end_run(over.id, StopReason::EndTurn, None, at(2)).await.unwrap();
    let fence = claim(&db, conversation).await;
    let mut begin = appending(agent.id, conversation, 1, &["hello"]);
    begin.run = Some(run_start(run.id));
    db.system.commit(fence, &begin).await.unwrap();

    assert!(!db.system.revoke(over.id, StopReason::Cancelled, at(3)).await.unwrap());
    assert!(!db.system.revoke(new_run(agent.id, conversation, 0).id, StopReason::Cancelled, at(3)).await.unwrap());
    assert!(matches!(
        db.system.commit(fence, &appending(agent.id, conversation, 2, &["on"])).await.unwrap(),
        CommitOutcome::Done { .. }
    ));
    assert!(db.system.revoke(run.id, StopReason::Cancelled, at(4)).await.unwrap());
    assert!(!db.system.revoke(run.id, StopReason::Cancelled, at(5)).await.unwrap(), "only once");
    let stored = db.run(run.id).await.unwrap().unwrap();
    assert_eq!((stored.status, stored.completed_at), (RunStatus::Cancelled, Some(at(4))));
    let late = appending(agent.id, conversation, 3, &["late"]);
    assert_eq!(db.system.commit(fence, &late).await.unwrap(), CommitOutcome::Fenced);
    assert!(!db.system.append_events(fence, run.id, &events(1, &["late"])).await.unwrap());
    assert_eq!(db.agent(agent.id).await.unwrap().unwrap().last_stop_reason, Some(StopReason::Cancelled));
    let next = claim(&db, conversation).await;
    assert!(matches!(db.system.commit(next, &late).await.unwrap(), CommitOutcome::Done { .. }));
    // One whose conversation is gone can be ended as well.
    let orphan = new_run(agent.id, conversation, 0);
    accept(&db, &orphan).await;
    let mut raw = db.raw().await;
    sqlx::query("DELETE FROM conversations WHERE id = $1").bind(conversation.0).execute(&mut raw).await.unwrap();
    assert!(db.system.revoke(orphan.id, StopReason::Cancelled, at(6)).await.unwrap());
    drop(raw);
    db.drop_database().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_and_a_seizure_at_the_same_time_leave_one_end() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let conversation = agent.id.default_conversation();
    let mut seq = 1;
    for _ in 0..40 {
        let run = new_run(agent.id, conversation, 0);
        accept(&db, &run).await;
        let fence = claim(&db, conversation).await;
        let mut end = appending(agent.id, conversation, seq, &["bye"]);
        end.run = Some(run_end(run.id, StopReason::EndTurn));
        let (revoking, committing) = ((*db).clone(), (*db).clone());
        let (revoked, committed) = tokio::join!(
            tokio::spawn(async move { revoking.system.revoke(run.id, StopReason::Cancelled, at(3)).await.unwrap() }),
            tokio::spawn(async move { committing.system.commit(fence, &end).await.unwrap() }),
        );
        let (revoked, committed) = (revoked.unwrap(), committed.unwrap());
        let stored = db.run(run.id).await.unwrap().unwrap().status;
        if revoked {
            assert_eq!((committed, stored), (CommitOutcome::Fenced, RunStatus::Cancelled));
        } else {
            assert!(matches!(committed, CommitOutcome::Done { .. }) && stored == RunStatus::Completed);
            seq += 1;
            db.system.release(fence).await.unwrap();
        }
    }
    db.drop_database().await;
}
