//! Tools that agents of this process have loaded, so that the next agent that has them reads none of them again.
//!
//! Most agents have the same ten tools, and their schemas are most of what waking an agent would read. A tool is
//! known by the version of its row (`xmin`, the transaction that wrote it), which every change of it changes.
//! Only tools that somebody holds are kept.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Weak},
};

use engram_domain::{AgentId, Tool};
use parking_lot::Mutex;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Result,
    error::db,
    rows::{ToolRow, tool_columns},
};

/// Tools that may be known before those that nobody holds are looked for.
const FEW: usize = 256;

/// The tools. A clone is the same cache.
#[derive(Debug, Clone, Default)]
pub(crate) struct ToolCache(Arc<Mutex<HashMap<Uuid, (i64, Weak<Tool>)>>>);

#[derive(sqlx::FromRow)]
struct Version {
    id: Uuid,
    version: i64,
}

#[derive(sqlx::FromRow)]
struct Versioned {
    version: i64,
    #[sqlx(flatten)]
    tool: ToolRow,
}

impl ToolCache {
    /// The tools of an agent, by name.
    pub(crate) async fn of_agent(&self, conn: &mut PgConnection, id: AgentId) -> Result<BTreeMap<String, Arc<Tool>>> {
        let versions: Vec<Version> = sqlx::query_as(
            "SELECT t.id, t.xmin::text::bigint AS version
             FROM agent_tools x JOIN tools t ON t.id = x.tool_id WHERE x.agent_id = $1",
        )
        .bind(id.0)
        .fetch_all(&mut *conn)
        .await
        .map_err(db)?;
        let mut found = Vec::with_capacity(versions.len());
        let mut missing = Vec::new();
        {
            let known = self.0.lock();
            for Version { id, version } in versions {
                match known.get(&id).filter(|k| k.0 == version).and_then(|k| k.1.upgrade()) {
                    Some(tool) => found.push(tool),
                    None => missing.push(id),
                }
            }
        }
        if !missing.is_empty() {
            found.extend(self.read(conn, missing).await?);
        }
        Ok(found.into_iter().map(|tool| (tool.name.clone(), tool)).collect())
    }

    async fn read(&self, conn: &mut PgConnection, ids: Vec<Uuid>) -> Result<Vec<Arc<Tool>>> {
        let rows: Vec<Versioned> = sqlx::query_as(concat!(
            "SELECT t.xmin::text::bigint AS version, ",
            tool_columns!(),
            " FROM tools t WHERE t.id = ANY($1)"
        ))
        .bind(ids)
        .fetch_all(conn)
        .await
        .map_err(db)?;
        let mut read = Vec::with_capacity(rows.len());
        for Versioned { version, tool } in rows {
            read.push((version, Arc::new(Tool::try_from(tool)?)));
        }
        let mut known = self.0.lock();
        if known.len() >= FEW {
            known.retain(|_, (_, tool)| tool.strong_count() > 0);
        }
        known.extend(read.iter().map(|(version, tool)| (tool.id.0, (*version, Arc::downgrade(tool)))));
        Ok(read.into_iter().map(|(_, tool)| tool).collect())
    }
}
