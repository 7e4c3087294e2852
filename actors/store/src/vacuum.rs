//! Cleaning up after updates and deletions, for a database that has nobody who does it by itself.

use sqlx::AssertSqlSafe;

use crate::{Result, Store, error::db};

/// Tables in which much has changed since they were cleaned last, the worst first: the thresholds are those of Postgres'
/// own autovacuum, lower where a table is small. Every table is looked at, whatever its name is.
const WORN: &str = "
    SELECT format('%I.%I', schemaname, relname) FROM pg_stat_user_tables
    WHERE n_dead_tup > 100 + 0.1 * n_live_tup
       OR n_ins_since_vacuum > 1000 + 0.2 * n_live_tup
       OR n_mod_since_analyze > 100 + 0.1 * n_live_tup
    ORDER BY n_dead_tup DESC, n_mod_since_analyze DESC";

impl Store {
    /// Names of tables that want to be cleaned, ready for SQL.
    pub async fn worn_tables(&self) -> Result<Vec<String>> {
        sqlx::query_scalar(WORN).fetch_all(&self.pool).await.map_err(db)
    }

    /// Cleans one of [`Store::worn_tables`] and brings the planner's statistics up to date. The file is not made shorter:
    /// that would lock everybody out.
    pub async fn vacuum(&self, table: &str) -> Result<()> {
        let sql = AssertSqlSafe(format!("VACUUM (ANALYZE, TRUNCATE false, SKIP_LOCKED) {table}"));
        sqlx::raw_sql(sql).execute(&self.pool).await.map_err(db)?;
        Ok(())
    }
}
