//! What `model_settings` means for a model's configuration.

use engram_domain::{Json, LlmConfig};

/// Folds `model_settings` into the configuration that the engine reads.
pub fn fold_settings(llm: &mut LlmConfig, settings: &Json) {
    let number = |v: &Json| v.as_i64().and_then(|n| i32::try_from(n).ok());
    if let Some(n) = settings.get("max_output_tokens").and_then(number) {
        llm.max_tokens = Some(n);
    }
    if let Some(on) = settings.get("parallel_tool_calls").and_then(Json::as_bool) {
        llm.parallel_tool_calls = Some(on);
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
