//! Live actors over a database, models and tools in memory.

mod busy;
mod cluster;
#[expect(dead_code, reason = "other tests use it too, and not the same of it")]
#[path = "../shared/db.rs"]
mod db;
mod durable;
mod duties;
mod house;
mod limits;
#[expect(dead_code, reason = "other tests use it too, and not the same of it")]
#[path = "../shared/net.rs"]
mod net;
#[expect(dead_code, reason = "other tests use it too, and not the same of it")]
#[path = "../shared/port.rs"]
mod port;
mod runs;
mod takeover;
#[path = "../shared/ticker.rs"]
mod ticker;
