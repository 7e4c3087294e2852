//! Agents on the wire: [`AgentStateDto`] is what every route answers, [`CreateAgent`] and
//! [`UpdateAgent`] what clients of either generation send.

mod create;
mod relations;
mod state;
mod update;

pub use create::CreateAgent;
pub use relations::RelationQuery;
pub use state::AgentStateDto;
pub use update::UpdateAgent;

use crate::http::error::ApiError;

/// Refuses members of a request that this server knows of but does nothing with yet.
fn refuse_unbuilt<const N: usize>(members: [(&str, bool); N]) -> Result<(), ApiError> {
    match members.into_iter().find(|(_, asked)| *asked) {
        Some((what, _)) => Err(ApiError::not_built(format!("{what}: not built yet in this server"))),
        None => Ok(()),
    }
}
