//! Which parts of an agent a request wants.

use engram_store::agents::Wanted;
use serde::Deserialize;
use utoipa::IntoParams;

/// What of each agent is wanted. `include` of the 1.x clients adds to a shorter answer; the whole
/// one, which this server always gives them, is what it leads to.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct RelationQuery {
    /// Only these relations: `tools`, `memory`, `sources`, `tags`, …; everything when absent.
    include_relationships: Option<Vec<String>>,
}

impl RelationQuery {
    /// The relations to read.
    pub fn wanted(&self) -> Wanted {
        match &self.include_relationships {
            None => Wanted::default(),
            Some(names) => {
                let asked = |name| names.iter().any(|n| n == name);
                Wanted { blocks: asked("memory"), tools: asked("tools"), group: asked("multi_agent_group") }
            }
        }
    }
}
