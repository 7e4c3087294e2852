//! How servers that speak OpenAI's protocol differ.

/// What a server does other than most. [`Quirks::COMPATIBLE`] is what can be expected of a server that nothing is known of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quirks {
    /// Whether `tool_choice` may name one tool.
    pub named_choice: bool,
    /// Whether `parallel_tool_calls: false` is known rather than refused or ignored.
    pub single_call: bool,
    /// Whether tools may be `strict`.
    pub strict_tools: bool,
    /// Whether the thoughts of a reasoning model must be sent back with the calls they led to.
    pub thoughts_back: bool,
    /// Whether vectors may be asked for in base64, which is a quarter of the size.
    pub base64_vectors: bool,
    /// Whether it has OpenAI's embedding models, listed or not.
    pub openai_embeddings: OpenAiEmbeddings,
    /// How its models and their windows are found out.
    pub listing: Listing,
}

/// Whether a server has OpenAI's embedding models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenAiEmbeddings {
    /// Only those that it lists.
    Listed,
    /// All of them when it lists no model at all.
    WithoutList,
    /// All of them.
    Always,
}

/// How a server's models and their windows are found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// `GET models`.
    Standard,
    /// LM Studio's own list, which has the windows; the standard one in old versions.
    LmStudio,
    /// The standard list, and each model's window from Ollama's `api/show`.
    Ollama,
}

impl Quirks {
    /// A server that does what the documentation of OpenAI's chat completions says, and no more.
    pub const COMPATIBLE: Self = Self {
        named_choice: true,
        single_call: true,
        strict_tools: false,
        thoughts_back: false,
        base64_vectors: false,
        openai_embeddings: OpenAiEmbeddings::Listed,
        listing: Listing::Standard,
    };
}
