//! Agents on the wire: [`AgentStateDto`] is what every route answers, [`CreateAgent`] and
//! [`UpdateAgent`] what clients of either generation send.
//!
//! Creation and change have many members in common and still list them twice. `#[serde(flatten)]` would list them once, but
//! an error inside a flattened struct has lost the path to its member, and every 422 names the member that is wrong. In a
//! change null means something else than absence, too.

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
