//! What the tests of several crates build: domain values with nothing special about them, and a database in memory.
//!
//! Every builder takes what nearly every test says itself and gives the rest a plain value: nil ids, `Time::UNIX_EPOCH`,
//! empty lists. A test names what it is about and takes the rest by struct update:
//!
//! ```
//! use engram_domain::Block;
//!
//! let block = Block { read_only: true, ..engram_testkit::block("policy", "be kind") };
//! assert_eq!(block.label, "policy");
//! ```
//!
//! Invariants: a dev-dependency only; no I/O, no clock, no random ids (a test that needs unique ids sets them).
//!
//! Unit tests inside `engram-core` may use what is made of domain types alone. [`World`] is made of types of the library
//! `engram-core`, which are not those of a unit test inside it, so tests with a world stand in its `tests/`. Unit tests
//! inside `engram-domain` can use nothing of this crate for the same reason.
//!
//! To add a member to a domain type: give it a plain value here, and no test has to change. To add one more builder: a
//! function in the file of its subject and a line below.

#![expect(clippy::missing_panics_doc, reason = "a panic is how a test fails")]

mod agent;
mod group;
mod memory;
mod message;
mod run;
mod world;

pub use agent::{agent, tool};
pub use group::group;
pub use memory::{archive, block, passage};
pub use message::{call, calls, message, returned, says};
pub use run::{input, new_run, run, schedule};
pub use world::{Counter, ONCE, READ, World};
