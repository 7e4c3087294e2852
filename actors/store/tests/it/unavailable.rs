//! A database that takes no writes, or goes away: an error that says so, nothing half-written, and work
//! goes on over the same pool when it is back.

use engram_core::ports::{AcceptRuns, CommitOutcome, Commits, Leases, Nodes, RunLog};
use engram_domain::{RequestKey, StopReason};
use engram_store::StoreError;
use sqlx::{AssertSqlSafe, PgConnection};

use crate::support::*;

async fn counts(raw: &mut PgConnection) -> (i64, i64, i64, i64) {
    sqlx::query_as(
        "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM messages), (SELECT count(*) FROM run_keys),
                (SELECT sum(version)::bigint FROM conversations)",
    )
    .fetch_one(raw)
    .await
    .unwrap()
}

/// Makes every connection but this one begin anew.
async fn hang_up_on_everybody(raw: &mut PgConnection) {
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .execute(raw)
    .await
    .unwrap();
}

#[tokio::test]
async fn a_database_that_takes_no_writes_is_unavailable_and_then_available_again() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let conversation = agent.id.default_conversation();
    let mut run = new_run(agent.id, conversation, 0);
    accept(&db, &run).await;
    let fence = claim(&db, conversation).await;
    let mut commit = appending(agent.id, conversation, 1, &["hello"]);
    commit.run = Some(run_end(run.id, StopReason::EndTurn));
    let mut long = commit.clone();
    long.rewrite = vec![db.load(conversation).await.unwrap().unwrap().context[0].clone()];
    let mut raw = db.raw().await;
    let before = counts(&mut raw).await;
    let name: String = sqlx::query_scalar("SELECT current_database()").fetch_one(&mut raw).await.unwrap();
    let read_only =
        |state: &str| AssertSqlSafe(format!("ALTER DATABASE \"{name}\" SET default_transaction_read_only = {state}"));

    sqlx::raw_sql(read_only("on")).execute(&mut raw).await.unwrap();
    hang_up_on_everybody(&mut raw).await;
    run.id = engram_domain::RunId(uuid::Uuid::new_v4());
    run.keys = vec![RequestKey::otid("a")];
    for _ in 0..8 {
        for error in [
            db.system.accept_run(&run, node()).await.err(),
            db.system.commit(fence, &commit).await.err(),
            db.system.commit(fence, &long).await.err(),
            db.system.revoke(run.id, StopReason::Cancelled, at(1)).await.err(),
            db.system.append_events(fence, run.id, &[]).await.err(),
        ] {
            assert!(matches!(error, Some(StoreError::Unavailable(_))), "{error:?}");
        }
    }
    assert_eq!(counts(&mut raw).await, before, "nothing is half-written");
    assert!(db.load(conversation).await.unwrap().is_some(), "reading goes on");

    sqlx::raw_sql(read_only("off")).execute(&mut raw).await.unwrap();
    // Connections that were made meanwhile stay as they are for ever. The first that a write is tried on
    // takes those with it that are older.
    let mut refused = 0;
    for _ in 0..12 {
        match db.system.retire(node()).await {
            Ok(()) => {}
            Err(StoreError::Unavailable(_)) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused <= 2, "{refused} calls failed");
    accept(&db, &run).await;
    assert!(matches!(db.system.commit(fence, &commit).await.unwrap(), CommitOutcome::Done { .. }));
    assert!(db.system.revoke(run.id, StopReason::Cancelled, at(1)).await.unwrap());
    drop(raw);
    db.drop_database().await;
}

#[tokio::test]
async fn after_a_break_of_all_connections_one_call_fails_and_not_one_for_each() {
    let Some(db) = test_db().await else { return };
    let mut raw = db.raw().await;
    // As many connections as the pool may have.
    futures::future::join_all((0..4).map(|_| db.ping())).await;
    hang_up_on_everybody(&mut raw).await;
    let mut failed = 0;
    for _ in 0..8 {
        match db.ping().await {
            Ok(()) => {}
            Err(StoreError::Unavailable(_)) => failed += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(failed <= 1, "{failed} calls failed");
    drop(raw);
    db.drop_database().await;
}
