//! The store against a real Postgres (`ENGRAM_TEST_PG_URI`; skipped with a message when unset) and
//! against the embedded one.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests draw random ids, because they share a server, and fail where they stand"
)]

mod accept;
mod agents;
mod blocks;
mod commit;
mod commit_blocks;
mod companions;
mod concurrency;
mod connect;
mod conversations;
#[cfg(feature = "embedded-postgres")]
mod embedded;
mod group_runs;
mod groups;
mod groups_again;
mod leases;
mod load;
mod messages;
mod nodes;
mod notifications;
mod passages;
mod pools;
mod run_events;
mod runs;
mod schedules;
mod secrets;
mod steps;
mod support;
mod tenants;
mod tool_store;
mod tools;
mod tree;
mod unavailable;
mod vacuum;
mod weights;
