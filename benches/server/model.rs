//! A model provider in this process, whose models take their time.
//!
//! `slow`: answers after 300 ms. `drip`: a word every second, for as long as somebody listens, two minutes at most.
//! `hang`: never answers.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::Failure;

/// When a request came, and the last thing it said.
pub type Call = (Instant, String);

/// The provider.
#[derive(Clone)]
pub struct Provider {
    calls: Arc<watch::Sender<Vec<Call>>>,
    base: String,
}

const DRIPS: usize = 120;

impl Provider {
    /// Starts it.
    pub async fn start() -> Result<Self, Failure> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}/v1", listener.local_addr()?);
        let provider = Self { calls: Arc::new(watch::Sender::new(Vec::new())), base };
        let app = Router::new()
            .route("/v1/models", get(models))
            .route("/v1/chat/completions", post(chat))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(provider)
    }

    /// What a node must be told to use it.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("OPENAI_API_KEY", "none".into()),
            ("OPENAI_BASE_URL", self.base.clone()),
            ("ENGRAM_MAX_LLM_CALLS", "4096".into()),
            ("ENGRAM_MAX_LLM_CALLS_PER_PROVIDER", "4096".into()),
        ]
    }

    /// Waits for the `n`-th request (from 1) whose last message has this text in it.
    pub async fn called(&self, text: &str, n: usize, patience: Duration) -> Result<Instant, Failure> {
        let find = |calls: &Vec<Call>| calls.iter().filter(|c| c.1.contains(text)).nth(n - 1).map(|c| c.0);
        let mut seen = self.calls.subscribe();
        let found = tokio::time::timeout(patience, seen.wait_for(|calls| find(calls).is_some())).await;
        let calls = found.map_err(|_| format!("the model was not called {n} times about {text:?}"))??;
        find(&calls).ok_or_else(|| "it was there".into())
    }
}

async fn models() -> Json<Value> {
    let models: Vec<Value> = ["slow", "drip", "hang"].iter().map(|id| json!({"id": id, "object": "model"})).collect();
    Json(json!({"object": "list", "data": models}))
}

async fn chat(State(provider): State<Provider>, Json(request): Json<Value>) -> Response {
    let said = request["messages"].as_array().and_then(|m| m.last()).map(|m| m["content"].to_string());
    provider.calls.send_modify(|calls| calls.push((Instant::now(), said.unwrap_or_default())));
    match (request["model"].as_str(), request["stream"].as_bool()) {
        (Some("slow"), streamed) => {
            tokio::time::sleep(Duration::from_millis(300)).await;
            if streamed == Some(true) {
                events(futures::stream::iter([delta("Done."), end()]).boxed())
            } else {
                let message = json!({"role": "assistant", "content": "Done."});
                let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
                Json(json!({"id": "c", "model": "slow", "choices": [choice], "usage": usage()})).into_response()
            }
        }
        (Some("drip"), Some(true)) => {
            let words = futures::stream::iter(0..DRIPS).then(|n| async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                delta(&format!("{n} "))
            });
            events(words.chain(futures::stream::iter([end()])).boxed())
        }
        _ => {
            tokio::time::sleep(Duration::from_secs(DRIPS as u64)).await;
            axum::http::StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

fn usage() -> Value {
    json!({"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12})
}

fn delta(text: &str) -> Bytes {
    let choice = json!({"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": null});
    format!("data: {}\n\n", json!({"id": "c", "model": "m", "choices": [choice]})).into()
}

fn end() -> Bytes {
    let choice = json!({"index": 0, "delta": {}, "finish_reason": "stop"});
    format!("data: {}\n\ndata: [DONE]\n\n", json!({"id": "c", "model": "m", "choices": [choice], "usage": usage()}))
        .into()
}

fn events(pieces: futures::stream::BoxStream<'static, Bytes>) -> Response {
    let body = Body::from_stream(pieces.map(Ok::<_, Infallible>));
    ([("content-type", "text/event-stream")], body).into_response()
}
