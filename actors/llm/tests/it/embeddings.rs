//! Embeddings of providers and the built-in ones.

use engram_core::ports::EmbedError;
use engram_domain::EmbeddingConfig;
use engram_llm::{EMBED_DIM, ProviderSettings};
use serde_json::{Value, json};

use crate::{
    server::{Reply, Seen, Server},
    support::{configured, vllm},
};

fn config(handle: &str, dim: i32, batch_size: i32) -> EmbeddingConfig {
    let model = handle.split_once('/').map_or(handle, |(_, model)| model);
    EmbeddingConfig {
        embedding_model: model.into(),
        embedding_dim: dim,
        handle: Some(handle.into()),
        batch_size,
        ..EmbeddingConfig::default()
    }
}

/// A vector that points where the text's length says; out of order, one of them in base64.
fn vectors(_: usize, seen: &Seen) -> Reply {
    let texts = seen.body["input"].as_array().cloned().unwrap_or_default();
    let mut rows: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(i, text)| match text.as_str().map(str::len) {
            // [1.0, 0.0] as little-endian 32-bit numbers.
            Some(1) => json!({"index": i, "embedding": "AACAPwAAAAA="}),
            _ => json!({"index": i, "embedding": [0.0, 5.0]}),
        })
        .collect();
    rows.reverse();
    Reply::json(200, &json!({"data": rows}))
}

#[tokio::test]
async fn texts_go_out_in_batches_and_vectors_come_back_in_order() {
    let server = Server::start(vectors).await;
    let embedder = vllm(&server.base).embedder();
    let texts: Vec<String> = ["a", "bb", "", "cc", "d"].map(String::from).into();
    let got = embedder.embed(&config("vllm/e", 2, 2), &texts).await.expect("vectors");
    let (right, up) = (vec![1.0, 0.0], vec![0.0, 1.0]);
    // An empty text is sent as a space: no server takes an empty one.
    assert_eq!(got, [right.clone(), up.clone(), right.clone(), up, right]);
    assert_eq!(server.requests().len(), 3);
    assert!(embedder.embed(&config("vllm/e", 2, 2), &[]).await.expect("nothing").is_empty());
}

#[tokio::test]
async fn a_wrong_length_and_a_wrong_count_are_errors() {
    let server = Server::start(vectors).await;
    let embedder = vllm(&server.base).embedder();
    let texts = ["a".to_owned()];
    let error = embedder.embed(&config("vllm/e", 3, 8), &texts).await.expect_err("two are not three");
    assert!(matches!(error, EmbedError::Dimensions { got: 2, want: 3 }), "{error}");
    let server = Server::start(|_, _| Reply::json(200, &json!({"data": []}))).await;
    let embedder = vllm(&server.base).embedder();
    let error = embedder.embed(&config("vllm/e", 2, 8), &texts).await.expect_err("none for one");
    assert!(error.to_string().contains("0 vectors for 1 texts"), "{error}");
    let error = embedder.embed(&config("other/e", 2, 8), &texts).await.expect_err("no such provider");
    assert!(matches!(error, EmbedError::UnknownModel(_)), "{error}");
}

#[tokio::test]
async fn the_built_in_embedder_needs_no_provider() {
    let embedder = configured(ProviderSettings::default(), &[]).embedder();
    let texts: Vec<String> = (0..100).map(|i| format!("text {i}")).collect();
    let got = embedder.embed(&config("engram/embed", EMBED_DIM as i32, 32), &texts).await.expect("vectors");
    assert!(got.len() == 100 && got.iter().all(|v| v.len() == EMBED_DIM));
    let error = embedder.embed(&config("engram/embed", 1_536, 32), &texts).await.expect_err("another length");
    assert!(matches!(error, EmbedError::Dimensions { .. }));
}

#[tokio::test]
async fn a_batch_that_is_too_long_is_halved_and_a_text_that_is_too_long_is_named() {
    let server = Server::start(|n, seen| {
        let texts = seen.body["input"].as_array().cloned().unwrap_or_default();
        let size: usize = texts.iter().filter_map(Value::as_str).map(str::len).sum();
        if size > 4 {
            let words = "This model's maximum context length is 4 tokens, however you requested more";
            return Reply::json(400, &json!({"error": {"message": words}}));
        }
        vectors(n, seen)
    })
    .await;
    let embedder = vllm(&server.base).embedder();
    let texts: Vec<String> = ["a", "bb", "cc", "d", "e"].map(String::from).into();
    let got = embedder.embed(&config("vllm/e", 2, 8), &texts).await.expect("vectors");
    let (right, up) = (vec![1.0, 0.0], vec![0.0, 1.0]);
    assert_eq!(got, [right.clone(), up.clone(), up, right.clone(), right]);

    let texts: Vec<String> = ["a", "bb", "ccccc", "d"].map(String::from).into();
    let error = embedder.embed(&config("vllm/e", 2, 2), &texts).await.expect_err("too long");
    assert!(matches!(error, EmbedError::TooLong { index: 2, .. }), "{error}");
    assert!(error.to_string().starts_with("text 3 is too long"), "{error}");
}
