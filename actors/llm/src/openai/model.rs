//! What only the name of a model tells.

/// Whether it is one of OpenAI's reasoning models, which refuse `temperature` and `max_tokens`. The
/// name may have an owner before it, as on OpenRouter.
pub(crate) fn is_openai_reasoner(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let family = |prefix: &str| name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    ["o1", "o3", "o4"].iter().any(|p| family(p)) || (name.starts_with("gpt-5") && !name.contains("chat"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasoners_are_told_by_name() {
        for yes in ["o1", "o3-mini", "o4-mini-2025-04-16", "gpt-5", "gpt-5.1-mini", "openai/gpt-5"] {
            assert!(is_openai_reasoner(yes), "{yes}");
        }
        for no in ["gpt-4o", "o100", "olmo-2", "gpt-5-chat-latest", "deepseek-reasoner"] {
            assert!(!is_openai_reasoner(no), "{no}");
        }
    }
}
