//! Agents and what hangs on them.
//!
//! `query` reads the filters of lists. Each other file is an endpoint.
//!
//! To add an endpoint: its file, and a line in [`router`]; handlers of one path stand in one line.

mod archival_memory;
mod archives;
mod context;
mod core_memory;
mod count;
mod create;
mod delete;
mod files;
mod folders;
mod groups;
mod list;
mod modify;
mod query;
mod recompile;
mod retrieve;
mod schedule;
mod sources;
mod tools;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::state::AppState;

/// All of them.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(count::count))
        .routes(routes!(retrieve::retrieve, modify::modify, delete::delete))
        .routes(routes!(context::context))
        .routes(routes!(recompile::recompile))
        .routes(routes!(recompile::recompile_old))
        .routes(routes!(groups::groups))
        .routes(routes!(schedule::list::list_schedules, schedule::create::create_schedule))
        .routes(routes!(schedule::retrieve::retrieve_schedule, schedule::delete::delete_schedule))
        .routes(routes!(sources::sources))
        .routes(routes!(folders::folders))
        .routes(routes!(files::files))
        .routes(routes!(core_memory::memory::memory))
        .routes(routes!(core_memory::list_blocks::list_blocks))
        .routes(routes!(core_memory::retrieve_block::retrieve_block, core_memory::modify_block::modify_block))
        .routes(routes!(core_memory::attach_block::attach_block))
        .routes(routes!(core_memory::detach_block::detach_block))
        .routes(routes!(tools::list::list))
        .routes(routes!(tools::attach::attach_tool))
        .routes(routes!(tools::detach::detach_tool))
        .routes(routes!(tools::approval::approval))
        .routes(routes!(tools::run::run))
        .routes(routes!(archives::attach::attach_archive))
        .routes(routes!(archives::detach::detach_archive))
        .routes(routes!(archival_memory::list::list, archival_memory::create::create))
        .routes(routes!(archival_memory::modify::modify, archival_memory::delete::delete))
        .routes(routes!(archival_memory::search::search))
}
