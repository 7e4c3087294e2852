//! A memory block: a labelled text that is always in the prompt of the agents it is attached to.

use crate::{BlockId, JsonMap, Time};

/// Characters that a block holds when no limit is given. The documentation of the old server says
/// 5,000; its last version allowed 100,000, and 1.x programs rely on that.
pub const DEFAULT_LIMIT: i32 = 100_000;
/// Characters that a block may hold whatever its limit says: an agent holds all its blocks in memory, and each prompt
/// repeats them.
pub const MAX_LIMIT: i32 = 10_000_000;
/// Bytes that the texts of one agent's blocks may have together.
pub const MAX_BYTES_PER_AGENT: usize = 32 * 1024 * 1024;
/// Blocks that one agent may have.
pub const MAX_PER_AGENT: usize = 1_000;

/// A memory block.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Its id.
    pub id: BlockId,
    /// What the prompt and the memory tools call it; unique within an agent.
    pub label: String,
    /// The text.
    pub value: String,
    /// How many characters (Unicode scalar values) `value` may have.
    pub limit: i32,
    /// Tells the model what belongs here.
    pub description: Option<String>,
    /// Whether the agent's tools may change it; the API always may.
    pub read_only: bool,
    /// Free-form data of the caller.
    pub metadata: JsonMap,
    /// Name of the template it is or comes from.
    pub template_name: Option<String>,
    /// Whether it is a template that is copied, not attached.
    pub is_template: bool,
    /// Kept when the agent migrates to another template version.
    pub preserve_on_migration: bool,
    /// Project id as the caller gave it.
    pub project_id: Option<String>,
    /// Left out of lists when true.
    pub hidden: Option<bool>,
    /// Tags, sorted, without repeats.
    pub tags: Vec<String>,
    /// When it was created.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
    /// Goes up by one with every change of `value`; writes compare and set it.
    pub version: i64,
}

impl Block {
    /// Length of the text as the limit counts it.
    pub fn chars(&self) -> usize {
        self.value.chars().count()
    }
}

/// The description of a block that was created without one, for the labels that have a meaning.
pub fn default_description(label: &str) -> Option<&'static str> {
    match label {
        "human" => Some(
            "What you know about the person you are talking with: name, circumstances, preferences. \
             Keep it current so that later conversations can build on it.",
        ),
        "persona" => Some(
            "Who you are: your character, your manner and your goals. It shapes how you answer, \
             and you may refine it as you learn.",
        ),
        _ => None,
    }
}
