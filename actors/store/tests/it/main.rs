//! The store against a real Postgres (`ENGRAM_TEST_PG_URI`; skipped with a message when unset) and
//! against the embedded one.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests draw random ids, because they share a server, and fail where they stand"
)]

mod agents;
mod blocks;
mod claims;
mod commit;
mod commit_blocks;
mod concurrency;
mod connect;
mod conversations;
#[cfg(feature = "embedded-postgres")]
mod embedded;
mod load;
mod messages;
mod passages;
mod runs;
mod steps;
mod support;
mod tool_store;
mod tools;
