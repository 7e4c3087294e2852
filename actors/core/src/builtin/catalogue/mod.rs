//! The entries, one file a kind. Descriptions are read by models: they say what the tool does, when
//! to use it, and what comes back.

mod core;
mod files;
mod memory;
mod multi_agent;
mod sleeptime;
mod voice;
mod world;

use super::BuiltinTool;
pub(super) use multi_agent::SUPERVISOR;

/// All entries.
pub(super) fn collect() -> Vec<BuiltinTool> {
    [core::TOOLS, memory::TOOLS, sleeptime::TOOLS, voice::TOOLS, multi_agent::TOOLS, world::TOOLS, files::TOOLS]
        .concat()
}
