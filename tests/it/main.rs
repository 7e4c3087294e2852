//! The whole server over HTTP, in this process, each test on a database of its own.
//!
//! What only shows with the official clients, a killed process or a faulty provider is tested in the
//! other folders of `tests/`; here is what a change of the Rust code should notice within seconds.

mod contract;
mod errors;
mod memory;
mod server;
