//! Postgres through sqlx: rows, SQL, the fenced commit, leases, the embedded database.
//!
//! What it does: [`Store`] is a cheap handle on pools of connections (`pools`). It implements the engine's ports
//! ([`engram_core::ports::store`]), each in the file of its subject: `accept`, `agents/ephemeral`, `commit`, `companions`,
//! `group_runs`, `leases`, `load`, `nodes`, `notifications`, `run_events`, `runs`, `schedules/claim`. It gives out
//! [`ScopedStore`]s, which have plain methods for the HTTP routes, one file an aggregate (`agents`, `messages`, `runs`, …).
//!
//! Invariants:
//! - Every change of a conversation passes the fence: one `UPDATE conversations … WHERE epoch = …`
//!   in the same transaction. Zero rows means that somebody else owns it, and nothing is written.
//! - Whoever changes what a live agent has loaded (its row, the values of its blocks, its tools,
//!   its archives) bumps `agents.rev` of every agent concerned in the same transaction.
//! - No transaction waits for anything outside the database: the embedded one has one connection.
//! - Row structs ([`rows`]) never leave this crate; a row that cannot be read is
//!   [`StoreError::Corrupt`] with table, column and id. Secrets are in no error and no log.
//! - What an error of the database means is decided in [`error`] alone: the content's fault, or the database's.
//! - Look-ups return `Option`; methods that write take `now` from the caller.
//!
//! - Tenant data is reached through [`ScopedStore`] alone: its methods name the organization in their SQL
//!   (`organization_id = coalesce($n, organization_id)`, where null stands for [`engram_domain::Scope::System`]), and
//!   what a new row refers to is looked up within the organization of the row that it belongs to. [`Store`] itself has
//!   the engine's ports and what concerns the server.
//!
//! - What callers ask for never uses the engine's connections: `store.queries` in methods of [`ScopedStore`],
//!   [`Store::search`](Store) where the cost grows with what is stored.
//!
//! To add an aggregate: a table under `migrations/` (a root table names its organization), a row struct in `rows/`, a
//! file with `impl ScopedStore` here, and a test in `tests/` that runs each of its queries. The walk over all
//! operations in `tests/it/tenants` then wants to know how to call its endpoints.
//!
//! To add a list whose rows may be large: its `Weight` in `weight.rs`, `open` in the place of `QueryBuilder::new` and
//! `close` behind the limit; then a line in `tests/it/weights.rs`.
//!
//! To add one more setting of a group's manager: a member of its variant in [`engram_domain::ManagerConfig`], a column in
//! `migrations/0004_groups.sql`, its place in `ManagerColumns` (`rows/group.rs`) and in the statement that writes it
//! (`groups/sleep.rs`, or those with `manager_columns!`). The binary's `http/dto/groups.rs` reads and shows it.

mod accept;
mod again;
pub mod agents;
pub mod archives;
pub mod blocks;
mod commit;
mod companions;
pub mod connect;
pub mod conversations;
pub mod data_dir;
#[cfg(feature = "embedded-postgres")]
pub mod embedded;
pub mod error;
mod group_runs;
pub mod groups;
pub mod json;
mod keyset;
mod leases;
mod load;
pub mod messages;
mod migrate;
pub mod nodes;
mod notifications;
pub mod page;
pub mod passages;
mod pools;
pub(crate) mod rows;
mod run_events;
pub mod runs;
pub mod schedules;
mod scoped;
pub mod search;
pub mod secrets;
pub mod steps;
pub mod tags;
pub mod tenants;
mod tool_cache;
mod tool_store;
pub mod tools;
pub mod tree;
mod vacuum;
mod weight;
mod writes;

use sqlx::PgPool;

pub use engram_core::ports::StoreError;
pub use leases::LEASE;
pub use page::{PAGE_BYTES, Page};
pub use pools::PoolSettings;
pub use scoped::{HIDDEN, ScopedStore};

/// A handle on the database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    /// What the engine reads and writes.
    pub(crate) pool: PgPool,
    /// The node's sign of life, and nothing else.
    pub(crate) heartbeats: PgPool,
    /// What callers ask for, with a time limit for each statement.
    pub(crate) queries: PgPool,
    /// The places of searches among them.
    pub(crate) searches: pools::Searches,
    /// What seals and opens secrets.
    pub(crate) vault: secrets::Vault,
    /// The database inside this process: one connection, one node.
    pub(crate) embedded: bool,
    /// Tools that live agents hold.
    pub(crate) tools: tool_cache::ToolCache,
    /// Whether writes go through.
    pub(crate) writes: writes::Writes,
}

/// What every method here returns.
pub type Result<T> = std::result::Result<T, StoreError>;
