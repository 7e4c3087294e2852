//! Schedules: each time a run, exactly once.

use std::collections::HashMap;

use chrono::Duration;
use engram_core::ports::{Runs, Schedules};
use engram_domain::{AgentId, RunInput, RunStatus, Schedule, ScheduleId, StopReason, Time, schedule::When};
use engram_store::{Page, StoreError};
use uuid::Uuid;

use crate::support::*;

fn schedule(agent: AgentId, when: When, next: Time) -> Schedule {
    Schedule {
        id: ScheduleId(Uuid::new_v4()),
        input: RunInput { max_steps: 7, ..engram_testkit::input("wake up") },
        callback_url: Some("http://127.0.0.1:9/".into()),
        next_at: Some(next),
        created_at: at(0),
        ..engram_testkit::schedule(agent, when)
    }
}

fn once(agent: AgentId, seconds: i64) -> Schedule {
    schedule(agent, When::OneTime { at: at(seconds) }, at(seconds))
}

async fn end(store: &Db, s: &Schedule, reason: StopReason) -> Schedule {
    let run = store.schedule(s.agent_id, s.id).await.unwrap().unwrap().last_run_id.unwrap();
    assert!(store.system.end_run(run, reason, None, at(1)).await.unwrap());
    store.schedule(s.agent_id, s.id).await.unwrap().unwrap()
}

#[tokio::test]
async fn every_kind_is_read_as_it_was_stored() {
    let Some(db) = test_db().await else { return };
    let (agent, other) = (store_agent(&db, vec![]).await.id, store_agent(&db, vec![]).await.id);
    let cron = When::Recurring { cron: "0 9 * * *".into(), timezone: "Europe/Berlin".into() };
    let kinds = [When::OneTime { at: at(9) }, cron, When::Interval { every_seconds: 60 }];
    let mut ids = vec![];
    for (i, when) in kinds.into_iter().enumerate() {
        let s = Schedule { created_at: at(i as i64), ..schedule(agent, when, at(9)) };
        db.create_schedule(&s).await.unwrap();
        assert_eq!(db.schedule(agent, s.id).await.unwrap(), Some(s.clone()));
        assert_eq!(db.schedule(other, s.id).await.unwrap(), None, "it is not that agent's");
        ids.push(s.id);
    }
    let list = async |page| db.schedules(agent, page).await.unwrap().iter().map(|s| s.id).collect::<Vec<_>>();
    assert_eq!(list(Page::oldest(2)).await, ids[..2]);
    assert_eq!(list(Page { after: Some(ids[1].0), ..Page::oldest(9) }).await, ids[2..]);
    assert!(db.schedules(other, Page::oldest(9)).await.unwrap().is_empty());
    let nobody = db.create_schedule(&once(AgentId(Uuid::new_v4()), 1)).await.unwrap_err();
    assert!(matches!(nobody, StoreError::Invalid(_)), "{nobody}");
    assert!(!db.delete_schedule(other, ids[0]).await.unwrap());
    assert!(db.delete_schedule(agent, ids[0]).await.unwrap());
    assert!(!db.delete_schedule(agent, ids[0]).await.unwrap());
    assert!(db.delete_agent(agent).await.unwrap(), "schedules go with their agent");
    assert!(db.system.begin_scheduled(at(99), 9, &RandomIds).await.unwrap().is_empty());
    db.drop_database().await;
}

#[tokio::test]
async fn a_time_becomes_an_open_run() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await.id;
    let s = once(agent, 10);
    db.create_schedule(&s).await.unwrap();
    assert!(db.system.begin_scheduled(at(9), 9, &RandomIds).await.unwrap().is_empty(), "not yet");
    let due = db.system.begin_scheduled(at(11), 9, &RandomIds).await.unwrap().pop().unwrap();
    assert_eq!((due.schedule_id, due.agent_id, due.due_at, due.next_at), (s.id, agent, at(10), None));
    let run = db.run(due.run_id).await.unwrap().unwrap();
    assert_eq!((run.status, run.background, run.interrupts), (RunStatus::Created, true, false));
    assert_eq!((&run.input, &run.callback_url), (&s.input, &s.callback_url));
    assert_eq!((run.run_type.as_str(), run.created_at), ("scheduled_message", at(11)));
    assert_eq!(run.metadata, serde_json::json!({"schedule_id": s.id}));
    assert_eq!(run.owner, agent.default_conversation().into());
    assert_eq!(db.system.open_runs(agent.default_conversation().into()).await.unwrap(), [run.id]);
    let mut raw = db.raw().await;
    let key: String = sqlx::query_scalar("SELECT key FROM run_keys WHERE run_id = $1 AND owner_id = $2")
        .bind(run.id.0)
        .bind(agent.0)
        .fetch_one(&mut raw)
        .await
        .unwrap();
    assert_eq!(key, format!("schedule:{}:1700000010000", s.id));

    let after = db.schedule(agent, s.id).await.unwrap().unwrap();
    assert_eq!((after.next_at, after.last_at, after.last_run_id, after.runs), (None, Some(at(10)), Some(run.id), 1));
    assert_eq!(after.last_run_status, Some(RunStatus::Created));
    assert_eq!(end(&db, &s, StopReason::LlmApiError).await.last_run_status, Some(RunStatus::Failed));
    db.delete_run(run.id).await.unwrap();
    let after = db.schedule(agent, s.id).await.unwrap().unwrap();
    assert_eq!((after.last_run_id, after.last_run_status), (Some(run.id), None));
    assert!(db.system.begin_scheduled(at(1_000_000), 9, &RandomIds).await.unwrap().is_empty(), "once is once");
    drop(raw);
    db.drop_database().await;
}

#[tokio::test]
async fn what_was_missed_is_made_up_for_once_and_no_run_piles_up_behind_another() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await.id;
    let beat = schedule(agent, When::Interval { every_seconds: 60 }, at(60));
    db.create_schedule(&beat).await.unwrap();
    // The server was away for an hour and a half.
    let due = db.system.begin_scheduled(at(5_430), 9, &RandomIds).await.unwrap();
    assert_eq!(due.iter().map(|d| (d.due_at, d.next_at)).collect::<Vec<_>>(), [(at(60), Some(at(5_460)))]);
    assert!(db.system.begin_scheduled(at(5_500), 9, &RandomIds).await.unwrap().is_empty(), "the run goes on");
    assert_eq!(end(&db, &beat, StopReason::EndTurn).await.next_at, Some(at(5_460)), "it waits");
    let due = db.system.begin_scheduled(at(5_600), 9, &RandomIds).await.unwrap();
    assert_eq!(due.iter().map(|d| (d.due_at, d.next_at)).collect::<Vec<_>>(), [(at(5_460), Some(at(5_640)))]);
    assert_eq!(db.schedule(agent, beat.id).await.unwrap().unwrap().runs, 2);
    db.drop_database().await;
}

#[tokio::test]
async fn one_that_cannot_be_read_does_not_keep_the_others_waiting() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await.id;
    let zone = When::Recurring { cron: "* * * * *".into(), timezone: "Atlantis".into() };
    let (bad, good) = (schedule(agent, zone, at(1)), once(agent, 2));
    db.create_schedule(&bad).await.unwrap();
    db.create_schedule(&good).await.unwrap();
    let due = db.system.begin_scheduled(at(5), 9, &RandomIds).await.unwrap();
    assert_eq!(due.iter().map(|d| (d.schedule_id, d.next_at)).collect::<Vec<_>>(), [(bad.id, None), (good.id, None)]);
    db.drop_database().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_eight_that_ask_exactly_one_begins_each() {
    let Some(db) = test_db().await else { return };
    let mut expected = HashMap::new();
    for _ in 0..10 {
        let agent = store_agent(&db, vec![]).await.id;
        for n in 0..10 {
            let s = once(agent, n);
            db.create_schedule(&s).await.unwrap();
            expected.insert(s.id, agent);
        }
    }
    let asking = (0..8).map(|_| {
        let store = (*db).clone();
        async move {
            let mut mine = vec![];
            loop {
                let due = store.system.begin_scheduled(at(100), 7, &RandomIds).await.unwrap();
                if due.is_empty() {
                    return mine;
                }
                mine.extend(due);
            }
        }
    });
    let claimed: Vec<_> = futures::future::join_all(asking).await.into_iter().flatten().collect();
    assert_eq!(claimed.len(), 100);
    assert_eq!(claimed.iter().map(|d| (d.schedule_id, d.agent_id)).collect::<HashMap<_, _>>(), expected);
    let mut raw = db.raw().await;
    let runs: i64 = sqlx::query_scalar("SELECT count(*) FROM runs").fetch_one(&mut raw).await.unwrap();
    assert_eq!(runs, 100);
    drop(raw);
    db.drop_database().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_and_deletions_of_agents_do_not_wait_for_each_other() {
    let Some(db) = test_db().await else { return };
    let mut agents = vec![];
    for _ in 0..20 {
        let agent = store_agent(&db, vec![]).await.id;
        db.create_schedule(&schedule(agent, When::Interval { every_seconds: 1 }, at(0))).await.unwrap();
        agents.push(agent);
    }
    let claiming = async {
        for n in 0..20 {
            let now = at(0) + Duration::minutes(n);
            for due in db.system.begin_scheduled(now, 5, &RandomIds).await.unwrap() {
                db.system.end_run(due.run_id, StopReason::EndTurn, None, now).await.unwrap();
            }
        }
    };
    let deleting = async {
        for agent in &agents {
            assert!(db.delete_agent(*agent).await.unwrap());
        }
    };
    futures::future::join(claiming, deleting).await;
    assert!(db.system.begin_scheduled(at(1_000_000), 99, &RandomIds).await.unwrap().is_empty());
    db.drop_database().await;
}

#[cfg(feature = "embedded-postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_database_claims_too() {
    let dir = std::env::temp_dir().join(format!("engram-schedules-{}", Uuid::new_v4().simple()));
    let (store, embedded) = engram_store::embedded::Embedded::start(&dir).await.unwrap();
    let store = Db::new(store);
    let agent = store_agent(&store, vec![]).await.id;
    store.create_schedule(&once(agent, 1)).await.unwrap();
    let claims = futures::future::join_all((0..4).map(|_| store.system.begin_scheduled(at(2), 9, &RandomIds))).await;
    let due: Vec<_> = claims.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(due.len(), 1);
    assert!(store.run(due[0].run_id).await.unwrap().is_some());
    embedded.stop(&store.system).await;
    let _ = std::fs::remove_dir_all(dir);
}

/// A node whose clock is ahead begins nothing before its time.
#[tokio::test]
async fn a_time_has_come_when_it_has_by_the_clock_of_the_database() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await.id;
    let (past, future) = (once(agent, 0), once(agent, 9_000_000_000));
    db.create_schedule(&past).await.unwrap();
    db.create_schedule(&future).await.unwrap();
    let begun = db.system.begin_scheduled(at(9_000_000_001), 10, &RandomIds).await.unwrap();
    assert_eq!(begun.iter().map(|run| run.schedule_id).collect::<Vec<_>>(), [past.id]);
    db.drop_database().await;
}
