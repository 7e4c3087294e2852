//! Requests and providers for the tests.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use engram_core::ports::{
    ChatReply, ChatRequest, Delta, DeltaSink, Ids, LlmError,
    llm::{ChatMessage, Purpose, ToolChoice, ToolSchema},
};
use engram_domain::{LlmConfig, Part};
use engram_llm::{ProviderSettings, Providers, from_environment};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Ids without randomness.
pub struct Same;

impl Ids for Same {
    fn uuid(&self) -> Uuid {
        Uuid::nil()
    }
}

/// Short patience.
pub fn settings() -> ProviderSettings {
    ProviderSettings {
        connect_timeout: Duration::from_millis(500),
        embed_timeout: Duration::from_secs(5),
        stream_idle_timeout: Duration::from_secs(5),
        ..ProviderSettings::default()
    }
}

/// The providers that an environment configures.
pub fn configured(settings: ProviderSettings, variables: &[(&str, &str)]) -> Providers {
    let providers = Providers::new(settings, |text| text.len() / 4, Arc::new(Same));
    for spec in from_environment(variables.iter().copied()) {
        providers.set(spec).expect("a provider that works");
    }
    providers
}

/// One vLLM at this address.
pub fn vllm_with(settings: ProviderSettings, base: &str) -> Providers {
    configured(settings, &[("VLLM_API_BASE", base), ("VLLM_API_KEY", "sk-secret")])
}

/// One vLLM at this address, with short patience.
pub fn vllm(base: &str) -> Providers {
    vllm_with(settings(), base)
}

pub fn request(handle: &str) -> ChatRequest {
    let (provider, model) = handle.split_once('/').expect("a handle");
    let config = LlmConfig {
        model: model.into(),
        provider_name: Some(provider.into()),
        handle: Some(handle.into()),
        // What an agent was stored with is not where its requests go.
        model_endpoint: Some("http://127.0.0.1:9/v1".into()),
        ..LlmConfig::default()
    };
    ChatRequest {
        config: Arc::new(config),
        purpose: Purpose::AgentStep,
        messages: [ChatMessage::System("Be brief.".into()), user("Hi")].into_iter().collect(),
        tokens: 10,
        tools: Arc::new([]),
        tool_choice: ToolChoice::Auto,
        response_format: None,
        stream: false,
    }
}

pub fn streamed(handle: &str) -> ChatRequest {
    ChatRequest { stream: true, ..request(handle) }
}

pub fn user(text: &str) -> ChatMessage {
    ChatMessage::User { parts: vec![Part::text(text)], name: None }
}

pub fn tool(name: &str) -> Arc<ToolSchema> {
    let schema = ToolSchema {
        name: name.into(),
        description: "It does.".into(),
        parameters: json!({"type": "object", "properties": {}}),
    };
    Arc::new(schema)
}

/// The answer and the pieces that came before it.
pub async fn chat(providers: &Providers, request: ChatRequest) -> (Result<ChatReply, LlmError>, Vec<Delta>) {
    let pieces = Arc::new(Mutex::new(Vec::new()));
    let sink: DeltaSink = Arc::new({
        let pieces = Arc::clone(&pieces);
        move |delta| pieces.lock().expect("not poisoned").push(delta)
    });
    let reply = providers.llm().chat(request, Some(sink), CancellationToken::new()).await;
    let pieces = pieces.lock().expect("not poisoned").clone();
    (reply, pieces)
}

/// An event with a delta.
pub fn event(delta: &Value) -> String {
    format!(
        "data: {}\n\n",
        json!({"id": "x", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
    )
}

/// The last events of a proper stream.
pub fn end(reason: &str) -> String {
    let finish = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]});
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 2}}});
    format!("data: {finish}\n\ndata: {usage}\n\ndata: [DONE]\n\n")
}
