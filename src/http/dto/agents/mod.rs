//! Agents on the wire: [`AgentStateDto`] is what every route answers, [`CreateAgent`] and
//! [`UpdateAgent`] what clients of either generation send.

mod create;
mod state;
mod update;

pub use create::CreateAgent;
pub use state::AgentStateDto;
pub use update::UpdateAgent;
