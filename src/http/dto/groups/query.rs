//! The filters of group lists, of both generations.

use engram_domain::{AgentId, Json, ManagerType};
use engram_store::groups::GroupFilter;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::error::ApiError;

/// Query parameters that choose groups.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct GroupQuery {
    /// Led like this.
    manager_type: Option<String>,
    /// This project id.
    project_id: Option<String>,
    /// The hidden ones too.
    #[serde(alias = "show_hidden_groups")]
    show_hidden: bool,
}

impl GroupQuery {
    /// The store's filter; none when nothing can match.
    pub fn filter(self, agent_id: Option<AgentId>) -> Result<Option<GroupFilter>, ApiError> {
        let manager_type = match self.manager_type.as_deref() {
            None => None,
            // The wire has this type, and no group ever had it.
            Some("swarm") => return Ok(None),
            Some(text) => Some(ManagerType::parse(text).ok_or_else(|| {
                let expected = "expected the type of a group, as `round_robin`";
                ApiError::invalid(&["query", "manager_type"], expected, Json::from(text))
            })?),
        };
        Ok(Some(GroupFilter { manager_type, project_id: self.project_id, agent_id, show_hidden: self.show_hidden }))
    }
}
