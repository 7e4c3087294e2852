//! Lists of models and handles.

use engram_core::ports::LlmErrorKind;
use engram_llm::{ProviderSettings, SetupError};
use serde_json::json;

use crate::{
    server::{Reply, Server},
    support::{providers, settings},
};

async fn vllm() -> Server {
    Server::start(|_, seen| match seen.path.as_str() {
        "/v1/models" => Reply::json(
            200,
            &json!({"data": [
                {"id": "org/small", "max_model_len": 8192},
                {"id": "unknown"},
                {"id": "text-embed-own"},
                {"id": "whisper-1"},
            ]}),
        ),
        "/v1/embeddings" => Reply::json(200, &json!({"data": [{"index": 0, "embedding": [3.0, 4.0]}]})),
        _ => Reply::json(404, &json!({})),
    })
    .await
}

#[tokio::test]
async fn windows_come_from_the_endpoint_and_unknown_ones_are_not_small() {
    let server = vllm().await;
    let mut settings = settings(&server.base);
    settings.ollama_base = Some("http://127.0.0.1:9".into()); // nobody there: the others are listed all the same
    settings.context_window_overrides.insert("vllm/mine".into(), 99);
    let providers = providers(settings);
    let models = providers.models().await;
    let shown: Vec<_> = models.iter().map(|m| (m.handle(), m.context_window)).collect();
    assert_eq!(
        shown,
        [
            ("engram/scripted".to_owned(), 128_000),
            ("vllm/org/small".to_owned(), 8_192),
            ("vllm/unknown".to_owned(), 128_000),
        ]
    );
    assert_eq!(models[1].model, "org/small");
    assert_eq!(models[1].max_tokens, Some(2_048), "an answer leaves room for the prompt");
    providers.models().await;
    assert_eq!(server.requests().len(), 1, "lists are kept");

    let trusted = providers.resolve_model("ollama/llama3:8b").await.expect("no list to look into");
    assert_eq!((trusted.model.as_str(), trusted.context_window), ("llama3:8b", 128_000));
    let error = providers.resolve_model("vllm/nope").await.expect_err("not listed");
    insta::assert_snapshot!(error, @"Handle vllm/nope not found, must be one of [engram/scripted, vllm/org/small, vllm/unknown]");
    assert!(providers.resolve_model("letta/letta-free").await.is_err());
    assert!(providers.resolve_model("vllm/").await.is_err());
    assert!(providers.resolve_model("").await.is_err());
}

#[tokio::test]
async fn embedding_models_know_the_length_of_their_vectors() {
    let server = vllm().await;
    let providers = providers(ProviderSettings { openai_api_key: None, ..settings(&server.base) });
    let handles: Vec<_> =
        providers.embedding_models().await.iter().map(engram_domain::EmbeddingConfig::handle).collect();
    assert_eq!(handles, ["engram/embed", "vllm/text-embed-own"]);
    let config = providers.resolve_embedding("vllm/text-embed-own").await.expect("listed");
    assert_eq!(config.embedding_dim, 2, "it was asked");
    let config = providers.resolve_embedding("engram/embed").await.expect("built in");
    assert_eq!((config.embedding_dim, config.embedding_chunk_size), (384, 300));
    assert!(providers.resolve_embedding("vllm/nope").await.is_err());
}

#[tokio::test]
async fn a_proxy_in_openais_place_answers_to_both_names() {
    let server = Server::start(|_, _| Reply::json(200, &json!({"data": [{"id": "gpt-4o-mini"}]}))).await;
    let providers =
        providers(ProviderSettings { openai_base_url: Some(server.base.clone()), ..ProviderSettings::default() });
    assert_eq!(providers.models().await[1].handle(), "openai/gpt-4o-mini");
    for handle in ["openai/gpt-4o-mini", "openai-proxy/gpt-4o-mini"] {
        let config = providers.resolve_model(handle).await.expect("listed");
        assert_eq!(config.handle.as_deref(), Some(handle));
        assert_eq!(config.model_endpoint.as_deref(), Some(server.base.as_str()));
        assert_eq!((config.context_window, config.max_tokens), (128_000, Some(16_384)));
    }
}

#[tokio::test]
async fn a_provider_can_be_checked() {
    let server = vllm().await;
    let ok = providers(settings(&server.base));
    assert_eq!(ok.check("vllm").await, Ok(4));
    assert_eq!(ok.check("engram").await, Ok(1));
    let error = ok.check("openai").await.expect_err("not configured");
    assert_eq!(error.kind, LlmErrorKind::UnknownModel);
    let broken = providers(settings("http://127.0.0.1:9"));
    assert!(broken.check("vllm").await.is_err());
    assert_eq!(broken.providers().len(), 2);
}

#[test]
fn settings_that_cannot_work_are_refused_without_their_secrets() {
    let ids: std::sync::Arc<dyn engram_core::ports::Ids> = std::sync::Arc::new(crate::support::Same);
    let refused = |settings| engram_llm::Providers::new(settings, str::len, &ids).expect_err("refused");
    assert!(matches!(refused(settings("localhost:8000")), SetupError::BaseUrl { provider: "vllm", .. }));
    let bad_key = ProviderSettings { openai_api_key: Some("sk-\u{7f}x".into()), ..ProviderSettings::default() };
    assert!(!format!("{bad_key:?}").contains("sk-"));
    let error = refused(bad_key);
    assert_eq!(error, SetupError::Key("openai"));
    assert!(!error.to_string().contains("sk-"));
}
