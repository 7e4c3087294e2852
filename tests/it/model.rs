//! A model that answers when a test says so.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Json, Router, extract::State, routing};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// Its handle.
pub const PATIENT: &str = "openai/patient";

/// The model's side of a provider. It repeats what it is told last.
#[derive(Clone)]
pub struct Model {
    pub url: String,
    calls: Arc<Calls>,
}

struct Calls {
    asked: AtomicUsize,
    answers: Semaphore,
}

impl Model {
    pub async fn start() -> Self {
        let calls = Arc::new(Calls { asked: AtomicUsize::new(0), answers: Semaphore::new(0) });
        let listed = json!({"object": "list", "data": [{"id": "patient", "object": "model"}]});
        let app = Router::new()
            .route("/v1/models", routing::get(async move || Json(listed)))
            .route("/v1/chat/completions", routing::post(answer))
            .with_state(calls.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, app).into_future());
        Self { url, calls }
    }

    /// It gives so many more answers.
    pub fn answers(&self, n: usize) {
        self.calls.answers.add_permits(n);
    }

    /// Waits until it was asked so often in all.
    pub async fn asked(&self, n: usize) {
        for _ in 0..400 {
            if self.calls.asked.load(Ordering::SeqCst) >= n {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        panic!("the model was asked {} times, not {n}", self.calls.asked.load(Ordering::SeqCst));
    }

    pub fn times_asked(&self) -> usize {
        self.calls.asked.load(Ordering::SeqCst)
    }
}

async fn answer(State(calls): State<Arc<Calls>>, Json(request): Json<Value>) -> Json<Value> {
    calls.asked.fetch_add(1, Ordering::SeqCst);
    calls.answers.acquire().await.unwrap().forget();
    let told = request["messages"].as_array().unwrap().iter().rev().find(|m| m["role"] == "user").unwrap();
    let text = match &told["content"] {
        Value::String(text) => text.clone(),
        parts => parts[0]["text"].as_str().unwrap().to_owned(),
    };
    Json(json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "patient",
        "choices": [{
            "index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": format!("You said: {}", engram_core::package::words(&text))},
        }],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }))
}
