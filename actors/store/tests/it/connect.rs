//! What somebody reads whose database cannot be used.

use std::time::Duration;

use engram_store::{PoolSettings, Store, StoreError};

use crate::support::*;

async fn refusal(uri: &str) -> String {
    let settings = PoolSettings { connect_timeout: Duration::from_secs(3), ..PoolSettings::default() };
    Store::connect(uri, &settings).await.unwrap_err().to_string()
}

#[tokio::test]
async fn failures_are_told_in_plain_words_and_without_the_password() {
    let nobody = refusal("postgresql://u:secret@127.0.0.1:9/x").await;
    assert!(nobody.starts_with("no Postgres answers at 127.0.0.1:9"), "{nobody}");
    assert!(!nobody.contains("secret"));
    let Some(db) = test_db().await else { return };
    let missing = refusal(&db.uri().replace("engram_test_", "engram_none_")).await;
    assert!(missing.contains("has no database 'engram_none_"), "{missing}");
    db.drop_database().await;
}

#[tokio::test]
async fn migrating_again_and_by_two_at_once_is_harmless() {
    let Some(db) = test_db().await else { return };
    let uri = db.uri();
    let mut raw = db.raw().await;
    sqlx::raw_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public").execute(&mut raw).await.unwrap();
    drop(raw);
    let settings = PoolSettings::default();
    let (a, b) = tokio::join!(Store::connect(&uri, &settings), Store::connect(&uri, &settings));
    let (a, b) = (a.unwrap(), b.unwrap());
    store_agent(&Db::new(a.clone()), vec![]).await;
    b.ping().await.unwrap();
    a.close().await;
    b.close().await;
    assert!(matches!(a.ping().await, Err(StoreError::Unavailable(_))));
    db.drop_database().await;
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let Some(db) = test_db().await else { return };
    let mut raw = db.raw().await;
    sqlx::query("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', true, '', 0)")
        .execute(&mut raw)
        .await
        .unwrap();
    drop(raw);
    let newer = refusal(&db.uri()).await;
    let looking = Store::connect_existing(&db.uri(), &PoolSettings::default()).await.unwrap_err().to_string();
    assert!(looking.contains("has version 9999"), "{looking}");
    assert!(newer.contains("a newer version has used this database"), "{newer}");
    db.drop_database().await;
}
