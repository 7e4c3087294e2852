//! The store against a real Postgres (`ENGRAM_TEST_PG_URI`; skipped with a message when unset) and
//! against the embedded one.

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
mod runs;
mod passages;
mod steps;
mod support;
mod tool_store;
mod tools;
