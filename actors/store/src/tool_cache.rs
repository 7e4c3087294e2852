//! Tools that agents of this process have loaded, so that the next agent that has them reads none of them again.
//!
//! Most agents have the same ten tools, and their schemas are most of what waking an agent would read. A tool is
//! known by the version of its row (`xmin`, the transaction that wrote it), which every change of it changes.
//! Only tools that somebody holds are kept.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use engram_core::{builtin, weak_cache::WeakCache};
use engram_domain::{AgentId, Time, Tool, ToolId};
use parking_lot::Mutex;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Result,
    error::db,
    rows::{ToolRow, tool_columns},
};

/// What the manager of a supervisor group has besides its own tools, from the moment that it is one. No row has it.
static SUPERVISOR: LazyLock<Arc<Tool>> = LazyLock::new(|| {
    let id = ToolId(Uuid::from_u128(0x7375_7065_7276_4973_8f72_2d67_726f_7570));
    Arc::new(builtin::supervisor_tool().to_tool(id, Time::UNIX_EPOCH))
});

/// The tools. A clone is the same cache.
#[derive(Debug, Clone, Default)]
pub(crate) struct ToolCache(Arc<Mutex<Known>>);

/// By id and version.
type Known = WeakCache<(Uuid, i64), Tool>;

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
             FROM agent_tools x JOIN tools t ON t.id = x.tool_id WHERE x.agent_id = $1
             UNION ALL SELECT $2, 0 WHERE EXISTS (
                 SELECT FROM groups g WHERE g.manager_agent_id = $1 AND g.manager_type = 'supervisor')",
        )
        .bind(id.0)
        .bind(SUPERVISOR.id.0)
        .fetch_all(&mut *conn)
        .await
        .map_err(db)?;
        let mut found = Vec::with_capacity(versions.len());
        let mut missing = Vec::new();
        let mut supervises = false;
        {
            let known = self.0.lock();
            for Version { id, version } in versions {
                if id == SUPERVISOR.id.0 {
                    supervises = true;
                    continue;
                }
                match known.get(&(id, version)) {
                    Some(tool) => found.push(tool),
                    None => missing.push(id),
                }
            }
        }
        if !missing.is_empty() {
            found.extend(self.read(conn, missing).await?);
        }
        let mut tools: BTreeMap<_, _> = found.into_iter().map(|tool| (tool.name.clone(), tool)).collect();
        if supervises {
            // A tool of the user's that is called so is the user's choice.
            tools.entry(SUPERVISOR.name.clone()).or_insert_with(|| SUPERVISOR.clone());
        }
        Ok(tools)
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
        for (version, tool) in &read {
            known.insert((tool.id.0, *version), tool);
        }
        Ok(read.into_iter().map(|(_, tool)| tool).collect())
    }
}
