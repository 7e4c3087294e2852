//! Secrets in the database: sealed, for their place, with one key, and hidden from whoever may not see them.

use engram_core::ports::Snapshots;
use engram_domain::{Agent, AgentId, DEFAULT_ORGANIZATION, EnvVar, EnvVarId, Role, Scope, Secret, Time};
use engram_store::{
    HIDDEN, Store, StoreError,
    agents::{AgentFilter, AgentPatch, AgentSort, NewAgent},
    secrets::Vault,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::support::*;

fn variable(key: &str, value: &str) -> EnvVar {
    EnvVar { id: EnvVarId(Uuid::new_v4()), key: key.into(), value: value.into(), description: None }
}

async fn set(store: &engram_store::ScopedStore, agent: AgentId, env: Vec<EnvVar>) {
    let patch = AgentPatch { env: Some(env), ..AgentPatch::default() };
    assert!(store.modify_agent(agent, &patch, Time::UNIX_EPOCH).await.unwrap());
}

fn values(env: &[EnvVar]) -> Vec<(&str, &str)> {
    env.iter().map(|v| (v.key.as_str(), v.value.as_str())).collect()
}

/// Whether a text stands anywhere in the database.
async fn holds(raw: &mut PgConnection, text: &str) -> bool {
    let tables: Vec<String> = sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
        .fetch_all(&mut *raw)
        .await
        .unwrap();
    for table in tables {
        let sql = format!("SELECT EXISTS (SELECT FROM \"{table}\" t WHERE strpos(t::text, $1) > 0)");
        let found: bool = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(text).fetch_one(&mut *raw).await.unwrap();
        if found {
            return true;
        }
    }
    false
}

#[tokio::test]
async fn no_value_is_in_the_database_and_every_reader_has_it() {
    let Some(db) = test_db().await else { return };
    let agent = Agent { env: vec![variable("FIRST", "swordfish-1")], ..agent() };
    let system = message(agent.id, agent.id.default_conversation(), 0, Role::System, "the prompt");
    let new = NewAgent {
        agent: agent.clone(),
        blocks: vec![],
        block_order: vec![],
        tool_ids: vec![],
        messages: vec![system],
        prompt_meta: prompt_meta(),
    };
    db.create_agent(&new).await.unwrap();
    let mut raw = db.raw().await;
    assert!(holds(&mut raw, "FIRST").await, "the search finds what is there");
    set(&db, agent.id, vec![variable("FIRST", "swordfish-1"), variable("SECOND", "swordfish-2")]).await;
    assert!(!holds(&mut raw, "swordfish").await);
    let want = [("FIRST", "swordfish-1"), ("SECOND", "swordfish-2")];
    assert_eq!(values(&db.agent(agent.id).await.unwrap().unwrap().env), want);
    assert_eq!(values(&db.system.load_snapshot(agent.id).await.unwrap().unwrap().agent.env), want);
    let page = engram_store::Page::oldest(10);
    let listed = db.agents(&AgentFilter::default(), AgentSort::default(), page).await.unwrap();
    assert_eq!(values(&listed[0].env), want);

    // Whoever may not see them sees their names, and changes nothing by sending back what was shown.
    let hidden = db.system.scoped(Scope::Organization(DEFAULT_ORGANIZATION)).without_secrets();
    let shown = hidden.agent(agent.id).await.unwrap().unwrap().env;
    assert_eq!(values(&shown), [("FIRST", HIDDEN), ("SECOND", HIDDEN)]);
    assert_eq!(
        values(&hidden.agents(&AgentFilter::default(), AgentSort::default(), page).await.unwrap()[0].env),
        values(&shown)
    );
    set(&hidden, agent.id, vec![variable("FIRST", HIDDEN), variable("THIRD", "swordfish-3")]).await;
    let want = [("FIRST", "swordfish-1"), ("THIRD", "swordfish-3")];
    assert_eq!(values(&db.agent(agent.id).await.unwrap().unwrap().env), want);

    // A value that was moved to another place is none.
    sqlx::query("UPDATE agent_env SET value = (SELECT value FROM agent_env WHERE key = 'FIRST') WHERE key = 'THIRD'")
        .execute(&mut raw)
        .await
        .unwrap();
    let moved = db.agent(agent.id).await;
    assert!(matches!(moved, Err(StoreError::Corrupt { table: "agent_env", .. })), "{moved:?}");
    drop(raw);
    db.drop_database().await;
}

#[tokio::test]
async fn one_database_has_one_key() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let connect = async |vault: Option<Vault>| {
        let store = Store::connect(&db.uri(), &settings()).await.unwrap();
        match vault {
            Some(vault) => store.with_vault(vault).await,
            None => Ok(store),
        }
    };
    // As long as there are no secrets any key will do, and none as well.
    let other = connect(Some(Vault::with_key(Secret::new("another")))).await.unwrap();
    let none = connect(None).await.unwrap();
    let scoped = |store: &Store| store.scoped(Scope::Organization(DEFAULT_ORGANIZATION));
    let patch = AgentPatch { env: Some(vec![variable("A", "b")]), ..AgentPatch::default() };
    let refused = scoped(&none).modify_agent(agent.id, &patch, Time::UNIX_EPOCH).await;
    assert!(matches!(&refused, Err(StoreError::Invalid(text)) if text.contains("LETTA_ENCRYPTION_KEY")), "{refused:?}");
    set(&db, agent.id, vec![variable("A", "b")]).await;
    let refused = scoped(&other).modify_agent(agent.id, &patch, Time::UNIX_EPOCH).await;
    assert!(matches!(&refused, Err(StoreError::Invalid(text)) if text.contains("another key")), "{refused:?}");
    let late = connect(Some(Vault::with_key(Secret::new("another")))).await;
    assert!(matches!(&late, Err(StoreError::Invalid(text)) if text.contains("another key")), "{late:?}");
    assert_eq!(values(&db.agent(agent.id).await.unwrap().unwrap().env), [("A", "b")]);
    other.close().await;
    none.close().await;
    db.drop_database().await;
}
