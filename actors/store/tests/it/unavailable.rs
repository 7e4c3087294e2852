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

/// Makes whatever writes rows of a table fail with this SQLSTATE.
async fn fail_writes(raw: &mut PgConnection, table: &str, code: &str) {
    let sql = format!(
        "CREATE OR REPLACE FUNCTION fail_{table}() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN RAISE EXCEPTION 'the database says {code}' USING ERRCODE = '{code}'; END $$;
         CREATE OR REPLACE TRIGGER fail BEFORE INSERT OR UPDATE ON {table}
         FOR EACH ROW EXECUTE FUNCTION fail_{table}()"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(raw).await.unwrap();
}

async fn mend_writes(raw: &mut PgConnection, table: &str) {
    sqlx::raw_sql(AssertSqlSafe(format!("DROP TRIGGER fail ON {table}"))).execute(raw).await.unwrap();
}

/// Of every class of SQLSTATE that a server may say something to a statement that was written well.
#[tokio::test]
async fn only_data_constraints_and_limits_are_the_fault_of_the_content() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let conversation = agent.id.default_conversation();
    let mut run = new_run(agent.id, conversation, 0);
    accept(&db, &run).await;
    let fence = claim(&db, conversation).await;
    let commit = appending(agent.id, conversation, 1, &["hello"]);
    let mut raw = db.raw().await;
    run.id = engram_domain::RunId(uuid::Uuid::new_v4());
    for (code, is_content) in [
        ("22001", true),
        ("22003", true),
        ("22P05", true),
        ("23502", true),
        ("23514", true),
        ("23P01", true),
        ("23505", true),
        ("54000", true),
        ("54001", true),
        ("08006", false),
        ("0A000", false),
        ("25006", false),
        ("25P02", false),
        ("26000", false),
        ("28000", false),
        ("40001", false),
        ("40P01", false),
        ("42501", false),
        ("42P05", false),
        ("53100", false),
        ("53200", false),
        ("53300", false),
        ("53400", false),
        ("55006", false),
        ("55P03", false),
        ("57014", false),
        ("57P03", false),
        ("58000", false),
        ("58030", false),
        ("58P01", false),
        ("72000", false),
        ("F0001", false),
        ("P0001", false),
        ("XX000", false),
        ("XX001", false),
    ] {
        for table in ["runs", "messages"] {
            fail_writes(&mut raw, table, code).await;
        }
        for error in [db.system.accept_run(&run, node()).await.err(), db.system.commit(fence, &commit).await.err()] {
            let blamed = matches!(error, Some(StoreError::Invalid(_) | StoreError::Conflict(_)));
            let unavailable = matches!(error, Some(StoreError::Unavailable(_) | StoreError::Overloaded(_)));
            assert_eq!((blamed, unavailable), (is_content, !is_content), "{code}: {error:?}");
        }
        assert_eq!(db.system.failing_writes().is_some(), !is_content, "{code}");
        for table in ["runs", "messages"] {
            mend_writes(&mut raw, table).await;
        }
    }
    accept(&db, &run).await;
    assert_eq!(db.system.failing_writes(), None, "a write that went through says that the next may");
    drop(raw);
    db.drop_database().await;
}

/// What a rolling migration does to the statements of the nodes that have not been replaced yet.
#[tokio::test]
async fn statements_that_a_migration_made_stale_are_prepared_anew() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let conversation = agent.id.default_conversation();
    let mut raw = db.raw().await;
    let send = async || accept(&db, &new_run(agent.id, conversation, 0)).await;
    for kind in ["varchar(300)", "text"] {
        // On every connection of the pool.
        futures::future::join_all((0..8).map(|_| send())).await;
        // What the statement of an acceptance answers has another type now.
        let sql = AssertSqlSafe(format!("ALTER TABLE nodes ALTER COLUMN url TYPE {kind}"));
        sqlx::raw_sql(sql).execute(&mut raw).await.unwrap();
        for _ in 0..8 {
            send().await;
        }
    }
    drop(raw);
    db.drop_database().await;
}

/// What a pooler in transaction mode does: the statement is not there any more, or is there already.
#[tokio::test]
async fn statements_that_a_pooler_has_lost_are_prepared_anew() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let conversation = agent.id.default_conversation();
    let fail_once = |code: &str| {
        AssertSqlSafe(format!(
            "DROP SEQUENCE IF EXISTS tries; CREATE SEQUENCE tries;
             CREATE OR REPLACE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF nextval('tries') = 1 THEN RAISE EXCEPTION 'lost' USING ERRCODE = '{code}'; END IF;
                RETURN new;
             END $$;
             CREATE OR REPLACE TRIGGER fail BEFORE INSERT ON runs FOR EACH ROW EXECUTE FUNCTION fail_once()"
        ))
    };
    let mut raw = db.raw().await;
    for code in ["26000", "42P05", "0A000", "40001"] {
        sqlx::raw_sql(fail_once(code)).execute(&mut raw).await.unwrap();
        accept(&db, &new_run(agent.id, conversation, 0)).await;
    }
    drop(raw);
    db.drop_database().await;
}
