//! Live actors over a database, models and tools in memory.

mod busy;
mod cluster;
mod durable;
mod house;
mod runs;
mod takeover;
#[path = "../shared/db.rs"]
mod db;
#[path = "../shared/net.rs"]
mod net;
#[path = "../shared/port.rs"]
mod port;
#[path = "../../../core/tests/turns/world.rs"]
mod world;
