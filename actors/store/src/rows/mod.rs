//! Row structs and their conversion to domain types, one file a table. Columns are read by name;
//! the `…_columns!` macros are what a `SELECT` must give, qualified with the table's usual alias.
//! They are spelled out instead of `*`, because a prepared `SELECT *` breaks under a node that
//! still runs while another one adds a column.

mod agent;
mod archive;
mod block;
mod conversation;
mod group;
mod message;
mod run;
mod schedule;
mod step;
mod tool;
mod when;

pub(crate) use agent::{AgentRow, EnvRow, agent_columns, env_place};
pub(crate) use archive::{ArchiveRow, PassageRow, archive_columns, passage_columns};
pub(crate) use block::{BlockRow, block_columns};
pub(crate) use conversation::{ConversationRow, conversation_columns};
pub(crate) use group::{GroupRow, ManagerColumns, group_columns, group_tables, manager_columns};
pub(crate) use message::{MessageRow, content_text, message_columns, search_text, without_nul};
pub(crate) use run::{RunRow, run_columns};
pub(crate) use schedule::{ScheduleRow, schedule_columns};
pub(crate) use step::{StepRow, step_columns};
pub(crate) use tool::{ToolRow, tool_columns};
pub(crate) use when::{WhenRow, when_columns};
