//! Passages of archival memory on the wire.

use engram_domain::{AgentId, Archive, ArchiveId, Json, JsonMap, Passage, PassageId, SourceId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{llm::EmbeddingConfigDto, messages::letta::timestamp, owned::OwnedBy};
use crate::{
    app::archives::passages::{self, PassageChange, PassageSpec},
    http::{error::ApiError, times},
};

/// A piece of text with its embedding.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Passage)]
pub struct PassageDto {
    /// Whom it is said to come from.
    pub created_by_id: Option<String>,
    /// Whom it is said to come from.
    pub last_updated_by_id: Option<String>,
    /// When it was created; callers may set it.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// Always false: a deleted passage is gone.
    pub is_deleted: bool,
    /// The organization.
    pub organization_id: String,
    /// The agent it was asked for through; null where it was asked for through its archive.
    #[schema(value_type = Option<String>)]
    pub agent_id: Option<AgentId>,
    /// The archive it is in.
    #[schema(value_type = String)]
    pub archive_id: ArchiveId,
    /// The data source it came from.
    #[schema(value_type = Option<String>)]
    pub source_id: Option<SourceId>,
    /// Always null.
    pub file_id: Option<String>,
    /// Always null.
    pub file_name: Option<String>,
    /// Free-form data.
    #[schema(value_type = Object)]
    pub metadata: JsonMap,
    /// Tags, sorted.
    pub tags: Vec<String>,
    /// Its id.
    #[schema(value_type = String)]
    pub id: PassageId,
    /// The text.
    pub text: String,
    /// Its vector, as long as `embedding_config.embedding_dim`.
    pub embedding: Option<Vec<f32>>,
    /// The model that made the vector.
    pub embedding_config: EmbeddingConfigDto,
}

impl PassageDto {
    /// Puts a passage together with the archive it is in and the agent it was asked for through.
    pub fn new(p: Passage, archive: &Archive, agent: Option<AgentId>, by: OwnedBy) -> Self {
        Self {
            created_by_id: by.user(),
            last_updated_by_id: by.user(),
            created_at: timestamp(p.created_at),
            updated_at: timestamp(p.updated_at),
            is_deleted: false,
            organization_id: by.organization(),
            agent_id: agent,
            archive_id: p.archive_id,
            source_id: p.source_id,
            file_id: None,
            file_name: None,
            metadata: p.metadata,
            tags: p.tags,
            id: p.id,
            text: p.text,
            embedding: (!p.embedding.is_empty()).then_some(p.embedding),
            embedding_config: (&archive.embedding).into(),
        }
    }
}

/// A memory to store for an agent. Long texts become several passages.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(as = CreateArchivalMemory)]
pub struct CreateArchivalMemory {
    /// The text.
    pub text: String,
    /// Tags.
    pub tags: Option<Vec<String>>,
    /// When it happened; now when absent.
    pub created_at: Option<String>,
}

impl CreateArchivalMemory {
    /// What the application is asked for.
    pub fn spec(self) -> Result<PassageSpec, ApiError> {
        Ok(PassageSpec {
            text: self.text,
            tags: self.tags.unwrap_or_default(),
            metadata: JsonMap::new(),
            created_at: times::in_body("created_at", self.created_at.as_deref())?,
        })
    }
}

/// Changes of a passage; absent members stay as they are.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[schema(as = PassageUpdate)]
pub struct UpdatePassage {
    /// New text; it is embedded again.
    pub text: Option<String>,
    /// New tags, all of them.
    pub tags: Option<Vec<String>>,
    /// New free-form data.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<JsonMap>,
    /// The same as an older client spells it.
    #[schema(value_type = Option<Object>)]
    pub metadata_: Option<JsonMap>,
}

impl From<UpdatePassage> for PassageChange {
    fn from(r: UpdatePassage) -> Self {
        Self { text: r.text, tags: r.tags, metadata: r.metadata.or(r.metadata_) }
    }
}

/// A passage to be stored in an archive, as it is.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(as = PassageCreateRequest)]
pub struct CreatePassage {
    /// The text.
    pub text: String,
    /// Free-form data.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<JsonMap>,
    /// Tags.
    pub tags: Option<Vec<String>>,
    /// When it happened, ISO 8601; now when absent.
    pub created_at: Option<String>,
}

impl CreatePassage {
    /// What the application is asked for. `loc` is where the passage stands in the request.
    pub fn spec(self, mut loc: Vec<String>) -> Result<PassageSpec, ApiError> {
        loc.push("created_at".to_owned());
        let created_at = self.created_at.as_deref().map(|text| times::parse(text, &loc, false)).transpose()?;
        let (tags, metadata) = (self.tags.unwrap_or_default(), self.metadata.unwrap_or_default());
        let spec = PassageSpec { text: self.text, tags, metadata, created_at };
        loc.pop();
        let path: Vec<&str> = loc.iter().skip(1).map(String::as_str).collect();
        passages::check(&path, &spec)?;
        Ok(spec)
    }
}

/// Passages to be stored in an archive together.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(as = PassageBatchCreateRequest)]
pub struct CreatePassages {
    /// The passages.
    pub passages: Vec<CreatePassage>,
    /// Ours: with true, every agent with sleep-time that has the archive gets them worked into a memory block that is named
    /// like the archive, in the background, by a sleep-time agent that is gone afterwards. 400 when there is no such agent.
    pub sleeptime: Option<bool>,
}

/// Whether all tags are needed.
pub fn all_tags(root: &str, mode: Option<&str>) -> Result<bool, ApiError> {
    match mode {
        None | Some("any") => Ok(false),
        Some("all") => Ok(true),
        Some(other) => Err(ApiError::invalid(&[root, "tag_match_mode"], "expected `any` or `all`", Json::from(other))),
    }
}

/// A search through passages.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[schema(as = PassageSearchRequest)]
pub struct SearchPassages {
    /// What to look for; the newest passages when absent.
    pub query: Option<String>,
    /// Only the archives of this agent.
    #[schema(value_type = Option<String>)]
    pub agent_id: Option<AgentId>,
    /// Only this archive.
    #[schema(value_type = Option<String>)]
    pub archive_id: Option<ArchiveId>,
    /// Only passages with these tags.
    pub tags: Option<Vec<String>>,
    /// `any` of the tags (the default) or `all`.
    pub tag_match_mode: Option<String>,
    /// At most so many, 1 to 100; 50 when absent.
    pub limit: Option<i64>,
    /// Not older.
    pub start_date: Option<String>,
    /// Not newer.
    pub end_date: Option<String>,
}

/// A passage that a search found.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = PassageSearchResult)]
pub struct PassageFound {
    /// The passage.
    pub passage: PassageDto,
    /// Cosine similarity to the query, at most 1; 0 without a query.
    pub score: f64,
    /// Always empty.
    #[schema(value_type = Object)]
    pub metadata: JsonMap,
}

/// `GET /v1/agents/{id}/archival-memory/search`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = ArchivalMemorySearchResponse)]
pub struct MemorySearchResponse {
    /// What was found, best first.
    pub results: Vec<MemoryFound>,
    /// How many.
    pub count: usize,
}

/// One memory that was found.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = ArchivalMemorySearchResult)]
pub struct MemoryFound {
    /// The passage's id.
    #[schema(value_type = String)]
    pub id: PassageId,
    /// When it was created, in the agent's time zone.
    pub timestamp: String,
    /// The text.
    pub content: String,
    /// Tags.
    pub tags: Vec<String>,
}
