//! Memory blocks on the wire.

use engram_domain::{Block, BlockId, JsonMap};
use engram_store::blocks::BlockPatch;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    owned::OwnedBy,
    patch::{Patch, present},
};
use crate::app::blocks::BlockSpec;

/// A memory block: a labelled text that is always in the prompt of the agents it is attached to.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Block)]
pub struct BlockDto {
    /// The text.
    pub value: String,
    /// Characters that the text may have.
    pub limit: i32,
    /// Project id as the caller gave it.
    pub project_id: Option<String>,
    /// Name of the template it is or comes from.
    pub template_name: Option<String>,
    /// The same under its older name.
    pub name: Option<String>,
    /// Whether it is a template.
    pub is_template: bool,
    /// Always null here.
    pub template_id: Option<String>,
    /// Always null here.
    pub base_template_id: Option<String>,
    /// Always null here.
    pub deployment_id: Option<String>,
    /// Always null here.
    pub entity_id: Option<String>,
    /// Kept when the agent migrates to another template version.
    pub preserve_on_migration: bool,
    /// What the prompt and the memory tools call it.
    pub label: String,
    /// Whether the agent's tools may change it.
    pub read_only: bool,
    /// What belongs here, for the model.
    pub description: Option<String>,
    /// Free-form data.
    #[schema(value_type = Object)]
    pub metadata: JsonMap,
    /// Left out of lists when true.
    pub hidden: Option<bool>,
    /// Its id.
    #[schema(value_type = String)]
    pub id: BlockId,
    /// The organization.
    pub organization_id: String,
    /// Always null: there are no accounts yet.
    pub created_by_id: Option<String>,
    /// Always null.
    pub last_updated_by_id: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Goes up with every change of the text; send it as `If-Match` to write only if nobody else did.
    pub version: i64,
}

impl BlockDto {
    /// A block of these owners.
    pub fn new(b: Block, by: OwnedBy) -> Self {
        Self {
            value: b.value,
            limit: b.limit,
            project_id: b.project_id,
            name: b.template_name.clone(),
            template_name: b.template_name,
            is_template: b.is_template,
            template_id: None,
            base_template_id: None,
            deployment_id: None,
            entity_id: None,
            preserve_on_migration: b.preserve_on_migration,
            label: b.label,
            read_only: b.read_only,
            description: b.description,
            metadata: b.metadata,
            hidden: b.hidden,
            id: b.id,
            organization_id: by.organization(),
            created_by_id: None,
            last_updated_by_id: None,
            tags: b.tags,
            version: b.version,
        }
    }
}

/// A block to create.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[schema(as = CreateBlock)]
pub struct CreateBlock {
    /// The text.
    pub value: String,
    /// What the prompt and the memory tools call it.
    pub label: String,
    /// Characters that the text may have; 100,000 when absent.
    pub limit: Option<i32>,
    /// Name of the template.
    pub template_name: Option<String>,
    /// The same under its older name.
    pub name: Option<String>,
    /// Whether it is a template.
    pub is_template: Option<bool>,
    /// Kept when the agent migrates to another template version.
    pub preserve_on_migration: Option<bool>,
    /// Whether the agent's tools may change it.
    pub read_only: Option<bool>,
    /// What belongs here, for the model. `human` and `persona` have a default.
    pub description: Option<String>,
    /// Free-form data.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<JsonMap>,
    /// Left out of lists when true.
    pub hidden: Option<bool>,
    /// Project id.
    pub project_id: Option<String>,
    /// Tags.
    pub tags: Option<Vec<String>>,
}

impl From<CreateBlock> for BlockSpec {
    fn from(r: CreateBlock) -> Self {
        Self {
            label: r.label,
            value: r.value,
            limit: r.limit,
            description: r.description,
            read_only: r.read_only.unwrap_or(false),
            metadata: r.metadata.unwrap_or_default(),
            template_name: r.template_name.or(r.name),
            is_template: r.is_template.unwrap_or(false),
            preserve_on_migration: r.preserve_on_migration.unwrap_or(false),
            project_id: r.project_id,
            hidden: r.hidden,
            tags: r.tags.unwrap_or_default(),
        }
    }
}

/// Changes of a block; absent members stay as they are.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[schema(as = BlockUpdate)]
pub struct BlockUpdate {
    /// New text.
    pub value: Option<String>,
    /// New label.
    pub label: Option<String>,
    /// New limit, in characters.
    pub limit: Option<i32>,
    /// New template name.
    pub template_name: Option<String>,
    /// The same under its older name.
    pub name: Option<String>,
    /// Whether it is a template.
    pub is_template: Option<bool>,
    /// Kept when the agent migrates to another template version.
    pub preserve_on_migration: Option<bool>,
    /// Whether the agent's tools may change it.
    pub read_only: Option<bool>,
    /// New description; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub description: Patch<String>,
    /// New free-form data.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<JsonMap>,
    /// Left out of lists when true.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<bool>)]
    pub hidden: Patch<bool>,
    /// New project id.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub project_id: Patch<String>,
    /// New tags, all of them.
    pub tags: Option<Vec<String>>,
}

impl From<BlockUpdate> for BlockPatch {
    fn from(r: BlockUpdate) -> Self {
        Self {
            label: r.label,
            value: r.value,
            limit: r.limit,
            description: r.description,
            read_only: r.read_only,
            metadata: r.metadata,
            template_name: r.template_name.or(r.name).map(Some),
            is_template: r.is_template,
            preserve_on_migration: r.preserve_on_migration,
            project_id: r.project_id,
            hidden: r.hidden,
            tags: r.tags,
        }
    }
}

/// `GET /v1/agents/{id}/core-memory`, and `memory` of an agent.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Memory)]
pub struct MemoryDto {
    /// The agent's type.
    pub agent_type: &'static str,
    /// Always false: memory is not kept in a repository.
    pub git_enabled: bool,
    /// Its blocks, in the order of the prompt.
    pub blocks: Vec<BlockDto>,
    /// Blocks of open files.
    pub file_blocks: Vec<BlockDto>,
    /// Always empty: the layout of the prompt is not a template.
    pub prompt_template: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_clears_and_absence_keeps() {
        let update: BlockUpdate = serde_json::from_str(r#"{"value":"v","description":null}"#).expect("a valid update");
        assert_eq!(update.value.as_deref(), Some("v"));
        assert_eq!(update.description, Some(None));
        assert_eq!(update.hidden, None);
    }

    #[test]
    fn a_block_has_the_members_of_both_generations() {
        let block = Block {
            id: "block-2c7ce5a6-2cf2-4517-9b7c-48b6fe33cb64".parse().expect("an id"),
            ..engram_testkit::block("human", "Name: Chad")
        };
        insta::assert_json_snapshot!(BlockDto::new(block, OwnedBy::DEFAULT), @r#"
        {
          "value": "Name: Chad",
          "limit": 5000,
          "project_id": null,
          "template_name": null,
          "name": null,
          "is_template": false,
          "template_id": null,
          "base_template_id": null,
          "deployment_id": null,
          "entity_id": null,
          "preserve_on_migration": false,
          "label": "human",
          "read_only": false,
          "description": null,
          "metadata": {},
          "hidden": null,
          "id": "block-2c7ce5a6-2cf2-4517-9b7c-48b6fe33cb64",
          "organization_id": "org-00000000-0000-4000-8000-000000000000",
          "created_by_id": null,
          "last_updated_by_id": null,
          "tags": [],
          "version": 1
        }
        "#);
    }
}
