//! Providers that fail, and callers that leave.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use engram_core::ports::{Delta, EmbedError, LlmErrorKind};
use engram_domain::EmbeddingConfig;
use engram_llm::ProviderSettings;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    server::{Reply, Server},
    support::{chat, event, request, settings, streamed, vllm, vllm_with},
};

#[tokio::test]
async fn a_refusal_for_now_is_asked_again_when_the_provider_says() {
    let server = Server::start(|n, _| match n {
        0 => Reply::Whole(429, "retry-after: 1\r\n", "application/json", r#"{"error":{"message":"slow down"}}"#.into()),
        1 => Reply::Whole(503, "retry-after: 0\r\n", "text/plain", "busy".into()),
        _ => Reply::says("ok"),
    })
    .await;
    let begun = Instant::now();
    let (reply, _) = chat(&vllm(&server.base), request("vllm/m")).await;
    assert_eq!(reply.expect("an answer").text.as_deref(), Some("ok"));
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn retries_end() {
    let server = Server::start(|_, _| {
        Reply::Whole(429, "retry-after: 0\r\n", "application/json", r#"{"error":{"message":"slow down"}}"#.into())
    })
    .await;
    let providers = vllm_with(ProviderSettings { max_retries: 2, ..settings() }, &server.base);
    let error = chat(&providers, request("vllm/m")).await.0.expect_err("a refusal");
    assert_eq!(error.kind, LlmErrorKind::RateLimit);
    assert_eq!(error.retry_after, Some(Duration::ZERO));
    insta::assert_snapshot!(error.message, @"vllm answered 429 Too Many Requests: slow down");
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_connection_that_closes_before_the_answer_is_tried_again() {
    let server = Server::start(|n, _| if n == 0 { Reply::Close } else { Reply::says("ok") }).await;
    let (reply, _) = chat(&vllm(&server.base), request("vllm/m")).await;
    assert_eq!(reply.expect("an answer").text.as_deref(), Some("ok"));
}

#[tokio::test]
async fn a_stream_that_breaks_before_its_first_piece_is_tried_again_and_after_it_is_not() {
    let server = Server::start(|n, _| match n {
        0 => Reply::Cut(vec![event(&json!({"role": "assistant", "content": ""}))]),
        _ => Reply::Cut(vec![event(&json!({"content": "Once upon"}))]),
    })
    .await;
    let (reply, pieces) = chat(&vllm(&server.base), streamed("vllm/m")).await;
    let error = reply.expect_err("half an answer is none");
    assert_eq!(error.kind, LlmErrorKind::InvalidResponse);
    assert!(error.message.contains("in the middle of its answer"), "{error}");
    assert_eq!(pieces, [Delta::Text("Once upon".into())]);
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn html_is_named_for_what_it_is() {
    let page = "<!DOCTYPE html><html><body>502 Bad Gateway</body></html>";
    let server = Server::start(move |_, _| Reply::Whole(200, "", "text/html", page.into())).await;
    let providers = vllm(&server.base);
    for asked in [request("vllm/m"), streamed("vllm/m")] {
        let error = chat(&providers, asked).await.0.expect_err("a web page");
        assert_eq!(error.kind, LlmErrorKind::InvalidResponse);
        assert!(error.message.contains("200") && error.message.contains("HTML"), "{error}");
    }
    assert_eq!(server.requests().len(), 2, "asking again would bring the same page");
}

#[tokio::test]
async fn garbage_is_an_error_and_not_a_panic() {
    for body in [
        "",
        "null",
        "[1]",
        "{\"choices\": [",
        "{\"choices\": {}}",
        "{\"choices\": []}",
        "{}",
        "{\"choices\": [{\"message\": {\"tool_calls\": [{\"function\": {}, \"id\": \"x\"}, {\"function\": {\"arguments\": \"{}\"}}]}}]}",
    ] {
        let server = Server::start(move |_, _| Reply::Whole(200, "", "application/json", body.into())).await;
        let error = chat(&vllm(&server.base), request("vllm/m")).await.0.expect_err(body);
        assert_eq!(error.kind, LlmErrorKind::InvalidResponse, "{body}: {error}");
    }
    let server =
        Server::start(|_, _| Reply::Events(vec!["data: {no json\n\n".into(), "data: [DONE]\n\n".into()])).await;
    let error = chat(&vllm(&server.base), streamed("vllm/m")).await.0.expect_err("garbage");
    assert_eq!(error.kind, LlmErrorKind::InvalidResponse);
}

#[tokio::test]
async fn errors_keep_the_providers_words_and_lose_the_key() {
    let server =
        Server::start(|_, _| Reply::json(401, &json!({"error": {"message": "Incorrect API key provided: sk-secret"}})))
            .await;
    let error = chat(&vllm(&server.base), request("vllm/m")).await.0.expect_err("refused");
    assert_eq!(error.kind, LlmErrorKind::Authentication);
    insta::assert_snapshot!(error.message, @"vllm answered 401 Unauthorized: Incorrect API key provided: ***");

    let server = Server::start(|_, _| {
        Reply::Events(vec![format!(
            "data: {}\n\n",
            json!({"error": {"message": "This model's maximum context length is 8 tokens", "code": 400}})
        )])
    })
    .await;
    let error = chat(&vllm(&server.base), streamed("vllm/m")).await.0.expect_err("refused");
    assert_eq!(error.kind, LlmErrorKind::ContextOverflow);
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_named() {
    let providers = vllm_with(ProviderSettings { max_retries: 0, ..settings() }, "http://u:pw@127.0.0.1:9");
    let error = chat(&providers, request("vllm/m")).await.0.expect_err("nobody there");
    assert_eq!(error.kind, LlmErrorKind::Server);
    assert!(error.message.starts_with("vllm could not be reached at http://127.0.0.1:9/v1"), "{error}");
    let error = chat(&providers, request("letta/letta-free")).await.0.expect_err("no such provider");
    assert_eq!(error.kind, LlmErrorKind::UnknownModel);
    insta::assert_snapshot!(error.message, @"the model 'letta/letta-free' cannot be called: its provider is not configured or does not have it (configured: engram, vllm)");
}

#[tokio::test]
async fn patience_has_limits() {
    let server = Server::start(|_, seen| match seen.body["model"].as_str() {
        Some("silent") => Reply::Hang(vec![]),
        _ => Reply::Hang(vec![event(&json!({"content": "Once"}))]),
    })
    .await;
    let short = Duration::from_millis(150);
    let providers =
        vllm_with(ProviderSettings { embed_timeout: short, stream_idle_timeout: short, ..settings() }, &server.base);
    let error = chat(&providers, streamed("vllm/stops")).await.0.expect_err("no answer");
    assert_eq!(error.kind, LlmErrorKind::Timeout, "{error}");
    let error = providers.embedder().embed(&embedding("vllm/silent"), &["x".into()]).await.expect_err("no answer");
    assert!(matches!(&error, EmbedError::Provider(why) if why.contains("did not answer")), "{error}");
    assert_eq!(server.requests().len(), 2, "a time-out is not tried again");
    // How long a model may think before it begins to answer is its caller's to say.
    for asked in [request("vllm/silent"), streamed("vllm/silent")] {
        assert!(tokio::time::timeout(short * 3, chat(&providers, asked)).await.is_err(), "it ended by itself");
    }
}

/// Cancels a call after a moment; returns how long it took to return after that.
async fn cancelled(base: &str, request: engram_core::ports::ChatRequest) -> Duration {
    let llm = vllm(base).llm();
    let cancel = CancellationToken::new();
    let call = tokio::spawn({
        let cancel = cancel.clone();
        async move { llm.chat(request, None, cancel).await }
    });
    tokio::time::sleep(Duration::from_millis(150)).await;
    let begun = Instant::now();
    cancel.cancel();
    let error = call.await.expect("no panic").expect_err("cancelled");
    assert_eq!(error.kind, LlmErrorKind::Cancelled);
    begun.elapsed()
}

#[tokio::test]
async fn cancelling_closes_the_connection_at_once() {
    let server = Server::start(|_, seen| match seen.body["stream"].as_bool() {
        Some(true) => Reply::Hang(vec![event(&json!({"content": "Once"}))]),
        _ => Reply::Hang(vec![]),
    })
    .await;
    for (n, asked) in [request("vllm/m"), streamed("vllm/m")].into_iter().enumerate() {
        assert!(cancelled(&server.base, asked).await < Duration::from_millis(100));
        for _ in 0..50 {
            if server.left.load(Ordering::SeqCst) > n {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(server.left.load(Ordering::SeqCst), n + 1, "the server sees the client leave");
    }
}

#[tokio::test]
async fn cancelling_ends_a_pause_before_a_retry() {
    let server = Server::start(|_, _| Reply::Whole(429, "retry-after: 30\r\n", "text/plain", "later".into())).await;
    assert!(cancelled(&server.base, request("vllm/m")).await < Duration::from_millis(100));
}

#[tokio::test]
async fn who_waits_for_a_place_can_leave() {
    let server = Server::start(|_, seen| match seen.body["model"].as_str() {
        Some("slow") => Reply::Hang(vec![]),
        _ => Reply::json(200, &json!({"data": [{"embedding": [1.0, 0.0]}]})),
    })
    .await;
    let embedder = vllm_with(ProviderSettings { max_embed_requests: 1, ..settings() }, &server.base).embedder();
    let embed = |handle: &'static str| {
        let embedder = Arc::clone(&embedder);
        async move { embedder.embed(&embedding(handle), &["x".into()]).await }
    };
    let slow = tokio::spawn(embed("vllm/slow"));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let waits = tokio::spawn(embed("vllm/e"));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.requests().len(), 1, "one place, one request");
    waits.abort();
    assert!(waits.await.expect_err("it was aborted").is_cancelled());
    slow.abort();
    assert!(slow.await.expect_err("it was aborted").is_cancelled());
    embed("vllm/e").await.expect("the place is free again");
    assert_eq!(server.requests().len(), 2, "who has left asks for nothing");
}

fn embedding(handle: &str) -> EmbeddingConfig {
    let (_, model) = handle.split_once('/').expect("a handle");
    EmbeddingConfig {
        embedding_model: model.into(),
        handle: Some(handle.into()),
        embedding_dim: 2,
        ..EmbeddingConfig::default()
    }
}

#[tokio::test]
async fn a_byte_order_mark_before_an_answer_is_no_part_of_it() {
    let events = event(&json!({"content": "hi"}));
    let streaming = vec![format!("\u{feff}{events}"), "data: [DONE]\n\n".into()];
    let server = Server::start(move |n, _| match (n, Reply::says("hi")) {
        (1, Reply::Whole(status, head, kind, body)) => Reply::Whole(status, head, kind, format!("\u{feff}{body}")),
        _ => Reply::Events(streaming.clone()),
    })
    .await;
    for asked in [streamed("vllm/m"), request("vllm/m")] {
        let reply = chat(&vllm(&server.base), asked).await.0.expect("an answer");
        assert_eq!(reply.text.as_deref(), Some("hi"));
    }
}
