//! Cleaning up where nobody does it by itself.

use sqlx::PgConnection;

use crate::support::*;

/// Rows of every table that changes are counted, and nothing is left to do after the cleaning.
#[tokio::test]
async fn every_table_that_has_changed_is_cleaned() {
    let Some(db) = test_db().await else { return };
    let mut raw = db.raw().await;
    let mut tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', schemaname, relname) FROM pg_stat_user_tables WHERE relname <> '_sqlx_migrations'",
    )
    .fetch_all(&mut raw)
    .await
    .unwrap();
    tables.sort();
    assert!(tables.len() > 20, "{tables:?}");
    // The server's own cleaning must not come first.
    for table in &tables {
        let sql = format!("ALTER TABLE {table} SET (autovacuum_enabled = false)");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut raw).await.unwrap();
    }
    let agent = store_agent(&db, vec![]).await;
    let conversation = agent.id.default_conversation();
    for _ in 0..40 {
        accept(&db, &new_run(agent.id, conversation, 0)).await;
    }
    for _ in 0..10 {
        sqlx::raw_sql("UPDATE runs SET updated_at = now(); UPDATE agents SET rev = rev + 1")
            .execute(&mut raw)
            .await
            .unwrap();
    }
    for _ in 0..200 {
        sqlx::raw_sql("UPDATE agents SET rev = rev + 1").execute(&mut raw).await.unwrap();
    }
    flush(&mut raw).await;
    let worn = db.system.worn_tables().await.unwrap();
    for table in ["public.runs", "public.agents"] {
        assert!(worn.iter().any(|name| name == table), "{table}: {worn:?}");
    }
    for table in &worn {
        db.system.vacuum(table).await.unwrap();
    }
    flush(&mut raw).await;
    assert!(
        !db.system.worn_tables().await.unwrap().iter().any(|name| name == "public.runs" || name == "public.agents")
    );
    drop(raw);
    db.drop_database().await;
}

/// Counters reach the others a moment later.
async fn flush(raw: &mut PgConnection) {
    sqlx::raw_sql("SELECT pg_stat_force_next_flush()").execute(&mut *raw).await.unwrap();
    sqlx::raw_sql("SELECT 1").execute(&mut *raw).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    sqlx::raw_sql("SELECT pg_stat_clear_snapshot()").execute(&mut *raw).await.unwrap();
}
