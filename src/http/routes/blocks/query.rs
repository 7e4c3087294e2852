//! The filters of block lists, of both generations.

use engram_store::blocks::BlockFilter;
use serde::Deserialize;
use utoipa::IntoParams;

/// Query parameters that choose blocks.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct BlockQuery {
    /// Exactly this label.
    label: Option<String>,
    /// Only templates.
    templates_only: bool,
    /// Exactly this template name.
    name: Option<String>,
    /// Blocks of this identity. There are no identities yet, so nothing matches.
    identity_id: Option<String>,
    /// Blocks of identities with one of these keys. Nothing matches.
    identifier_keys: Vec<String>,
    /// This project id.
    project_id: Option<String>,
    /// Any of these tags.
    tags: Vec<String>,
    /// All of `tags` instead of any.
    match_all_tags: bool,
    /// Words in the label.
    label_search: Option<String>,
    /// Words in the description.
    description_search: Option<String>,
    /// Words in the text.
    value_search: Option<String>,
    /// Attached to more agents than this.
    connected_to_agents_count_gt: Option<i64>,
    /// Attached to fewer agents than this.
    connected_to_agents_count_lt: Option<i64>,
    /// Attached to one of these numbers of agents.
    connected_to_agents_count_eq: Vec<i64>,
}

impl BlockQuery {
    /// The store's filter; none when nothing can match.
    pub fn filter(self) -> Option<BlockFilter> {
        if self.identity_id.is_some() || !self.identifier_keys.is_empty() {
            return None;
        }
        Some(BlockFilter {
            label: self.label,
            templates_only: self.templates_only,
            name: self.name,
            project_id: self.project_id,
            tags: self.tags,
            match_all_tags: self.match_all_tags,
            label_search: self.label_search,
            description_search: self.description_search,
            value_search: self.value_search,
            agents_gt: self.connected_to_agents_count_gt,
            agents_lt: self.connected_to_agents_count_lt,
            agents_eq: self.connected_to_agents_count_eq,
            agent_id: None,
        })
    }
}
