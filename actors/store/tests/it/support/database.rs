//! Each test gets a database of its own, copied from a template that was migrated once: tests run
//! side by side and never see each other's rows.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    ops::Deref,
    time::Duration,
};

use engram_domain::{DEFAULT_ORGANIZATION, Scope};
use engram_store::{PoolSettings, ScopedStore, Store, secrets::Vault};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

/// Changes with the schema, so that a new one gets a new template.
const SCHEMA: &[&str] = &[
    include_str!("../../../../../migrations/0001_tenants.sql"),
    include_str!("../../../../../migrations/0002_agents.sql"),
    include_str!("../../../../../migrations/0003_conversations.sql"),
    include_str!("../../../../../migrations/0004_groups.sql"),
    include_str!("../../../../../migrations/0005_secrets.sql"),
];
const TEMPLATE_LOCK: i64 = 0x7465_6d70;

/// A store over a database that goes away with [`TestDb::drop_database`].
pub struct TestDb {
    db: Db,
    base: String,
    name: String,
}

/// A store, as the engine uses it and as the default organization does.
#[derive(Clone)]
pub struct Db {
    /// For all organizations.
    pub system: Store,
    scoped: ScopedStore,
}

impl Db {
    /// Over a store.
    pub fn new(system: Store) -> Self {
        Self { scoped: system.scoped(Scope::Organization(DEFAULT_ORGANIZATION)), system }
    }
}

impl Deref for Db {
    type Target = ScopedStore;

    fn deref(&self) -> &ScopedStore {
        &self.scoped
    }
}

impl Deref for TestDb {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.db
    }
}

impl TestDb {
    /// Its URI.
    pub fn uri(&self) -> String {
        with_database(&self.base, &self.name)
    }

    /// A connection past the store.
    pub async fn raw(&self) -> PgConnection {
        PgConnection::connect(&self.uri()).await.unwrap()
    }

    /// Closes and drops it. A test that fails leaves its database for whoever wants to look.
    pub async fn drop_database(self) {
        self.system.close().await;
        let mut admin = PgConnection::connect(&self.base).await.unwrap();
        let sql = format!("DROP DATABASE \"{}\" WITH (FORCE)", self.name);
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await.unwrap();
    }
}

/// A fresh database, or none when there is no server to make it on.
pub async fn test_db() -> Option<TestDb> {
    let Ok(base) = std::env::var("ENGRAM_TEST_PG_URI") else {
        eprintln!("skipped: ENGRAM_TEST_PG_URI is not set");
        return None;
    };
    let mut admin = PgConnection::connect(&base).await.unwrap();
    let template = template(&mut admin, &base).await;
    let name = format!("engram_test_{}", Uuid::new_v4().simple());
    let sql = format!("CREATE DATABASE \"{name}\" TEMPLATE \"{template}\"");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await.unwrap();
    let system = Store::connect(&with_database(&base, &name), &settings()).await.unwrap();
    let system = system.with_vault(Vault::with_key("the key of all tests".into())).await.unwrap();
    Some(TestDb { db: Db::new(system), base, name })
}

/// Few connections, because many tests share the server.
pub fn settings() -> PoolSettings {
    PoolSettings { max_connections: 4, acquire_timeout: Duration::from_secs(5), ..PoolSettings::default() }
}

async fn template(admin: &mut PgConnection, base: &str) -> String {
    let mut hasher = DefaultHasher::new();
    SCHEMA.hash(&mut hasher);
    let name = format!("engram_template_{:x}", hasher.finish());
    sqlx::query("SELECT pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut *admin).await.unwrap();
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(&name)
        .fetch_one(&mut *admin)
        .await
        .unwrap();
    if !exists {
        // Under another name until it is whole: a test that dies here leaves no half template.
        let draft = format!("{name}_draft");
        for sql in [format!("DROP DATABASE IF EXISTS \"{draft}\" WITH (FORCE)"), format!("CREATE DATABASE \"{draft}\"")]
        {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *admin).await.unwrap();
        }
        Store::connect(&with_database(base, &draft), &settings()).await.unwrap().close().await;
        let sql = format!("ALTER DATABASE \"{draft}\" RENAME TO \"{name}\"");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *admin).await.unwrap();
    }
    sqlx::query("SELECT pg_advisory_unlock($1)").bind(TEMPLATE_LOCK).execute(&mut *admin).await.unwrap();
    name
}

/// The URI with another database in it.
pub fn with_database(base: &str, name: &str) -> String {
    let (head, query) = base.split_once('?').map_or((base, ""), |(h, q)| (h, q));
    let (scheme, rest) = head.split_once("://").unwrap();
    let authority = rest.split('/').next().unwrap();
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    format!("{scheme}://{authority}/{name}{query}")
}
