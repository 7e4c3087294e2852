//! One more server on the data of a test, and its streams.

use std::time::Duration;

use engram::{boot, listen, service};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::server::Server;

/// A server in a runtime of its own, so that it can be killed as a process is.
pub struct Node {
    base: String,
    alive: Option<oneshot::Sender<()>>,
}

impl Node {
    pub async fn start(beside: &Server) -> Self {
        let settings = beside.settings();
        let (tell, told) = oneshot::channel();
        let (alive, killed) = oneshot::channel::<()>();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                let base = format!("http://{}", listener.local_addr().unwrap());
                let (state, _database) = boot::boot(settings, &base).await.unwrap();
                tell.send(base).unwrap();
                let settings = state.settings.clone();
                let served =
                    listen::serve(listener, service::service(state), &settings.listen, CancellationToken::new());
                tokio::select! {
                    () = served => {}
                    _ = killed => {}
                }
            });
            runtime.shutdown_background();
        });
        Self { base: told.await.unwrap(), alive: Some(alive) }
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    /// `kill -9`: it does nothing any more, and says so to nobody.
    pub fn kill(&mut self) {
        self.alive = None;
    }
}

/// Server-sent events of one answer.
pub struct Events {
    bytes: futures::stream::BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    text: String,
}

impl Events {
    /// The answer to a request, which must be accepted.
    pub async fn of(base: &str, path: &str, body: Value) -> Self {
        let answer = reqwest::Client::new().post(format!("{base}{path}")).json(&body).send().await.unwrap();
        let status = answer.status();
        assert!(status.is_success(), "POST {path}: {status}");
        Self { bytes: answer.bytes_stream().boxed(), text: String::new() }
    }

    /// The next object that is no ping; none at the end, `[DONE]`, and when the server is gone.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            let event = self.event().await?;
            if event["message_type"] != "ping" {
                return (event != json!("[DONE]")).then_some(event);
            }
        }
    }

    /// The next object.
    pub async fn event(&mut self) -> Option<Value> {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let data = frame.lines().find_map(|line| line.strip_prefix("data: ")).map(str::to_owned);
                let rest = rest.to_owned();
                self.text = rest;
                match data {
                    Some(data) if data == "[DONE]" => return Some(json!("[DONE]")),
                    Some(data) => return Some(serde_json::from_str(&data).unwrap()),
                    None => continue,
                }
            }
            let more = tokio::time::timeout(Duration::from_secs(30), self.bytes.next()).await.expect("in time");
            self.text.push_str(std::str::from_utf8(&more?.ok()?).unwrap());
        }
    }

    /// What is left, to its end.
    pub async fn rest(mut self) -> Vec<Value> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

/// What was said, by whom, under which number.
pub fn said(events: &[Value]) -> Vec<(i64, String, String)> {
    let of = |event: &Value| {
        let text = |member: &str| event[member].as_str().unwrap_or_default().to_owned();
        (event["seq_id"].as_i64().unwrap_or_default(), text("name"), text("content"))
    };
    events.iter().filter(|event| event["message_type"] == "assistant_message").map(of).collect()
}
