//! The filters of agent lists, of both generations.

use engram_domain::{IdentityId, Json, StopReason};
use engram_store::agents::{AgentFilter, AgentSort};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::{dto::owned::OwnedBy, error::ApiError};

/// Query parameters that choose agents.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct AgentQuery {
    /// Exactly this name.
    name: Option<String>,
    /// Any of these tags.
    tags: Vec<String>,
    /// All of `tags` instead of any.
    match_all_tags: bool,
    /// Words in the name.
    query_text: Option<String>,
    /// This project id.
    project_id: Option<String>,
    /// This template id.
    template_id: Option<String>,
    /// This base template id.
    base_template_id: Option<String>,
    /// This identity.
    identity_id: Option<String>,
    /// Identities with one of these keys. There are no identities yet, so nothing matches.
    identifier_keys: Vec<String>,
    /// How the last run ended.
    last_stop_reason: Option<String>,
    /// This creator.
    created_by_id: Option<String>,
}

impl AgentQuery {
    /// The store's filter; none when nothing can match.
    pub fn filter(self, by: OwnedBy) -> Result<Option<AgentFilter>, ApiError> {
        if !self.identifier_keys.is_empty() || self.created_by_id.is_some_and(|user| Some(user) != by.user()) {
            return Ok(None);
        }
        let last_stop_reason = match self.last_stop_reason {
            None => None,
            Some(text) => Some(StopReason::parse(&text).ok_or_else(|| {
                let loc = ["query", "last_stop_reason"];
                ApiError::invalid(&loc, "expected a stop reason, as `end_turn`", Json::from(text))
            })?),
        };
        let identity_id = match self.identity_id.map(|i| i.parse::<IdentityId>()) {
            None => None,
            Some(Ok(id)) => Some(id),
            Some(Err(e)) => return Err(ApiError::invalid(&["query", "identity_id"], e.to_string(), Json::from(e.got))),
        };
        Ok(Some(AgentFilter {
            name: self.name,
            tags: self.tags,
            match_all_tags: self.match_all_tags,
            query_text: self.query_text,
            identity_id,
            project_id: self.project_id,
            template_id: self.template_id,
            base_template_id: self.base_template_id,
            last_stop_reason,
            block_id: None,
            archive_id: None,
        }))
    }
}

/// The order that the caller names; the default for a column that agents are not sorted by.
pub fn sort(column: Option<&str>) -> AgentSort {
    match column {
        Some("updated_at") => AgentSort::Updated,
        Some("last_run_completion") => AgentSort::LastRun,
        _ => AgentSort::Created,
    }
}
