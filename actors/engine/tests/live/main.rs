//! Live actors over a database, models and tools in memory.

mod ports;
mod runs;
#[path = "../../../core/tests/turns/world.rs"]
mod world;
