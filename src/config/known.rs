//! Variables of the old server's documentation that mean nothing here yet. Setting one is not an
//! error, but its owner is told.

/// Names, or prefixes where they end in `*`.
const UNSUPPORTED: &[&str] = &[
    "ANTHROPIC_API_KEY",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AZURE_API_KEY",
    "BEDROCK_ANTHROPIC_VERSION",
    "CLICKHOUSE_*",
    "COMPOSIO_API_KEY",
    "E2B_API_KEY",
    "EXA_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_CLOUD_PROJECT",
    "LETTA_ENABLE_BATCH_JOB_POLLING",
    "LETTA_MISTRAL_API_KEY",
    "LETTA_PINECONE_API_KEY",
    "LETTA_REDIS_HOST",
    "LETTA_TPUF_API_KEY",
    "LETTA_UVICORN_*",
    "LOCAL_HTTPS",
    "MCP_READ_FROM_CONFIG",
    "MODAL_TOKEN_ID",
    "TAVILY_API_KEY",
    "TOOL_EXEC_DIR",
    "TOOL_EXEC_VENV_NAME",
    "TOOL_SANDBOX_TIMEOUT",
];

/// Those of these names that are known and without effect.
pub fn unsupported<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    names
        .filter(|name| {
            UNSUPPORTED.iter().any(|known| match known.strip_suffix('*') {
                Some(prefix) => name.starts_with(prefix),
                None => name == known,
            })
        })
        .map(str::to_owned)
        .collect()
}
