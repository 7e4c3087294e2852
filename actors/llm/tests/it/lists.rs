//! Lists of models and handles.

use engram_core::ports::LlmErrorKind;
use engram_llm::{ProviderSettings, SetupError, from_environment};
use serde_json::json;

use crate::{
    server::{Reply, Server},
    support::{configured, settings, vllm as one_vllm},
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
    let mut settings = settings();
    settings.context_window_overrides.insert("vllm/mine".into(), 99);
    // Nobody is at Ollama's address: the others are listed all the same.
    let variables = [("VLLM_API_BASE", server.base.as_str()), ("OLLAMA_BASE_URL", "http://127.0.0.1:9")];
    let providers = configured(settings, &variables);
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
    let providers = one_vllm(&server.base);
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
    let providers = configured(ProviderSettings::default(), &[("OPENAI_BASE_URL", &server.base)]);
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
    let ok = one_vllm(&server.base);
    assert_eq!(ok.check("vllm").await, Ok(4));
    assert_eq!(ok.check("engram").await, Ok(1));
    let error = ok.check("openai").await.expect_err("not configured");
    assert_eq!(error.kind, LlmErrorKind::UnknownModel);
    let broken = one_vllm("http://127.0.0.1:9");
    assert!(broken.check("vllm").await.is_err());
    assert_eq!(broken.providers().len(), 2);
}

#[test]
fn providers_that_cannot_work_are_refused_without_their_secrets() {
    let providers = configured(settings(), &[]);
    let refused = |variable: (&'static str, &'static str)| {
        let spec = from_environment([variable]).pop().expect("a provider");
        assert!(!format!("{spec:?}").contains("sk-"));
        providers.set(spec).expect_err("refused")
    };
    let error = refused(("VLLM_API_BASE", "localhost:8000"));
    assert!(matches!(&error, SetupError::BaseUrl { provider, .. } if provider == "vllm"), "{error}");
    let error = refused(("OPENAI_API_KEY", "sk-\u{7f}x"));
    assert_eq!(error, SetupError::Key("openai".into()));
    assert!(!error.to_string().contains("sk-"));
    assert_eq!(providers.providers().len(), 1, "what is refused is not there");
}
