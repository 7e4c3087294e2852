//! What is known of well-known models where their endpoints do not say. Sources: the vendors' model
//! pages. Matched by the longest beginning of the name, after an owner such as `openai/`.

/// Beginning of a name; window; tokens of one answer.
const CHAT: &[(&str, i32, i32)] = &[
    ("gpt-5-chat", 128_000, 16_384),
    ("gpt-5", 400_000, 128_000),
    ("gpt-4.1", 1_047_576, 32_768),
    ("gpt-4o", 128_000, 16_384),
    ("gpt-4-turbo", 128_000, 4_096),
    ("gpt-4-1106", 128_000, 4_096),
    ("gpt-4-0125", 128_000, 4_096),
    ("gpt-4-32k", 32_768, 4_096),
    ("gpt-4", 8_192, 4_096),
    ("gpt-3.5-turbo", 16_385, 4_096),
    ("gpt-oss", 131_072, 32_768),
    ("chatgpt-4o", 128_000, 16_384),
    ("o1-mini", 128_000, 65_536),
    ("o1-preview", 128_000, 32_768),
    ("o1", 200_000, 100_000),
    ("o3", 200_000, 100_000),
    ("o4-mini", 200_000, 100_000),
    ("deepseek-chat", 128_000, 8_192),
    ("deepseek-reasoner", 128_000, 32_768),
    ("grok-4-fast", 2_000_000, 16_384),
    ("grok-4", 256_000, 16_384),
    ("grok-code-fast", 256_000, 16_384),
    ("grok-3", 131_072, 16_384),
];

/// Beginning of a name; numbers in a vector.
const EMBEDDING: &[(&str, i32)] = &[
    ("text-embedding-3-small", 1536),
    ("text-embedding-3-large", 3072),
    ("text-embedding-ada-002", 1536),
    ("nomic-embed-text", 768),
    ("text-embedding-nomic-embed-text", 768),
    ("mxbai-embed-large", 1024),
    ("snowflake-arctic-embed2", 1024),
    ("embeddinggemma", 768),
];

fn longest<T: Copy>(table: &[T], model: &str, start: impl Fn(T) -> &'static str) -> Option<T> {
    let name = model.rsplit('/').next().unwrap_or(model);
    table.iter().copied().filter(|row| name.starts_with(start(*row))).max_by_key(|row| start(*row).len())
}

/// The window in tokens.
pub(super) fn window(model: &str) -> Option<i32> {
    longest(CHAT, model, |row| row.0).map(|row| row.1)
}

/// The longest answer in tokens.
pub(super) fn max_output(model: &str) -> Option<i32> {
    longest(CHAT, model, |row| row.0).map(|row| row.2)
}

/// Numbers in a vector.
pub(crate) fn embedding_dim(model: &str) -> Option<i32> {
    longest(EMBEDDING, model, |row| row.0).map(|row| row.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_beginning_wins() {
        assert_eq!(window("gpt-4o-mini-2024-07-18"), Some(128_000));
        assert_eq!(window("gpt-4-0613"), Some(8_192));
        assert_eq!(window("openai/gpt-4.1-nano"), Some(1_047_576));
        assert_eq!(max_output("gpt-5-mini"), Some(128_000));
        assert_eq!(window("qwen3"), None);
        assert_eq!(embedding_dim("text-embedding-3-large"), Some(3072));
    }
}
