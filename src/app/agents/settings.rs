//! What `model_settings` means for a model's configuration.

use engram_domain::{Json, LlmConfig};

/// Folds `model_settings` into the configuration that the engine reads. A limit, or a word on parallel calls, that is `null`
/// is not sent: some servers refuse the member itself.
pub fn fold_settings(llm: &mut LlmConfig, settings: &Json) {
    let number = |v: &Json| v.as_i64().and_then(|n| i32::try_from(n).ok());
    match settings.get("max_output_tokens") {
        Some(Json::Null) => llm.max_tokens = None,
        other => llm.max_tokens = other.and_then(number).or(llm.max_tokens),
    }
    match settings.get("parallel_tool_calls") {
        Some(Json::Null) => llm.parallel_tool_calls = None,
        other => llm.parallel_tool_calls = other.and_then(Json::as_bool).or(llm.parallel_tool_calls),
    }
    if let Some(t) = settings.get("temperature").and_then(Json::as_f64) {
        llm.temperature = Some(t);
    }
    if let Some(format) = settings.get("response_format").filter(|f| !f.is_null()) {
        llm.response_format = Some(format.clone());
    }
    if let Some(on) = settings.get("strict").and_then(Json::as_bool) {
        llm.strict = on;
    }
    for (name, slot) in [("effort", &mut llm.effort), ("verbosity", &mut llm.verbosity)] {
        if let Some(text) = settings.get(name).and_then(Json::as_str) {
            *slot = Some(text.to_owned());
        }
    }
    if let Some(effort) = settings.pointer("/reasoning/reasoning_effort").and_then(Json::as_str) {
        llm.reasoning_effort = Some(effort.to_owned());
    }
    // Anthropic's spelling, then Google's.
    for path in ["/thinking", "/thinking_config"] {
        let Some(thinking) = settings.pointer(path) else { continue };
        if let Some(kind) = thinking.get("type").and_then(Json::as_str) {
            llm.enable_reasoner = Some(kind == "enabled");
        }
        if let Some(n) = thinking.get("budget_tokens").or_else(|| thinking.get("thinking_budget")).and_then(number) {
            llm.max_reasoning_tokens = n;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn null_is_not_sent_and_what_is_absent_stays() {
        let base = || LlmConfig { max_tokens: Some(100), parallel_tool_calls: Some(false), ..LlmConfig::default() };
        let folded = |settings: Json| {
            let mut llm = base();
            fold_settings(&mut llm, &settings);
            (llm.max_tokens, llm.parallel_tool_calls)
        };
        assert_eq!(folded(json!({})), (Some(100), Some(false)));
        assert_eq!(folded(json!({ "max_output_tokens": 7, "parallel_tool_calls": true })), (Some(7), Some(true)));
        assert_eq!(folded(json!({ "max_output_tokens": null, "parallel_tool_calls": null })), (None, None));
    }
}
