//! A server for one test.

use std::future::Future;

use engram::{
    boot::{self, Database},
    cli::ServerArgs,
    config::{Environment, Settings},
    listen,
    service::{self, AppState},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio_util::sync::CancellationToken;

/// A running server. It can be stopped and started again on the same data.
pub struct Server {
    pub base: String,
    uri: String,
    settings: Vec<(String, String)>,
    http: reqwest::Client,
    running: Option<Running>,
}

struct Running {
    state: AppState,
    database: Database,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

/// Runs a test against a server on a fresh database, or says why not.
pub async fn with<F: Future<Output = ()>>(test: impl FnOnce(Server) -> F) {
    with_settings(&[], test).await;
}

/// As [`with`], with more environment variables.
pub async fn with_settings<F: Future<Output = ()>>(settings: &[(&str, &str)], test: impl FnOnce(Server) -> F) {
    let Ok(base) = std::env::var("ENGRAM_TEST_PG_URI") else {
        eprintln!("skipped: ENGRAM_TEST_PG_URI is not set");
        return;
    };
    let name = format!("engram_it_{}", uuid::Uuid::new_v4().simple());
    let mut admin = PgConnection::connect(&base).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut admin).await.unwrap();
    let (server, _) = base.rsplit_once('/').unwrap();
    let mut server = Server {
        base: String::new(),
        uri: format!("{server}/{name}"),
        settings: owned(settings),
        http: reqwest::Client::new(),
        running: None,
    };
    server.start().await;
    test(server).await;
    // A test that fails leaves its database for whoever wants to look.
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut admin).await.unwrap();
}

fn owned(settings: &[(&str, &str)]) -> Vec<(String, String)> {
    settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

impl Server {
    async fn start(&mut self) {
        let settings = self.settings();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.base = format!("http://{}", listener.local_addr().unwrap());
        let (state, database) = boot::boot(settings, &self.base).await.unwrap();
        let stop = CancellationToken::new();
        let (service, settings, stopped) = (service::service(state.clone()), state.settings.clone(), stop.clone());
        let task = tokio::spawn(async move { listen::serve(listener, service, &settings.listen, stopped).await });
        self.running = Some(Running { state, database, stop, task });
    }

    /// The settings of every server on this data.
    pub fn settings(&self) -> Settings {
        let own = [
            ("LETTA_PG_URI", self.uri.as_str()),
            ("ENGRAM_DATA_DIR", "/nonexistent"),
            ("LETTA_ENCRYPTION_KEY", "the key of all tests"),
        ];
        let more = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let environment: Environment = own.into_iter().chain(more).collect();
        Settings::resolve(&ServerArgs::default(), &environment).unwrap()
    }

    /// A connection past the server.
    pub async fn database(&self) -> PgConnection {
        PgConnection::connect(&self.uri).await.unwrap()
    }

    /// The status of an answer, and when it asks to be sent again, in seconds.
    pub async fn status_of(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Option<String>) {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        let again = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        (answer.status().as_u16(), again)
    }

    /// What the handlers use.
    pub fn state(&self) -> &AppState {
        &self.running.as_ref().unwrap().state
    }

    /// Stops taking requests, and waits until those that had begun are over.
    pub async fn stop_serving(&mut self) {
        let running = self.running.take().unwrap();
        running.stop.cancel();
        running.task.await.unwrap();
        running.state.engine.shutdown().await;
        running.database.close().await;
    }

    /// Stops the server in order and starts another one on the same data.
    pub async fn restart(&mut self) {
        let running = self.running.take().unwrap();
        running.stop.cancel();
        // Idle connections of the client would keep the old server up.
        self.http = reqwest::Client::new();
        running.state.engine.shutdown().await;
        running.task.abort();
        running.database.close().await;
        self.start().await;
    }

    /// Sends a request as an old client does, without any fingerprint.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.json(body);
        }
        Self::answer(request).await
    }

    /// Sends a body as it is.
    pub async fn raw(&self, path: &str, body: Vec<u8>) -> (StatusCode, Value) {
        let request = self.http.post(format!("{}{path}", self.base)).header("content-type", "application/json");
        Self::answer(request.body(body)).await
    }

    async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.send(Method::GET, path, None).await;
        assert!(status.is_success(), "GET {path}: {status} {body}");
        body
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.send(Method::POST, path, Some(&body)).await;
        assert!(status.is_success(), "POST {path}: {status} {answer}");
        answer
    }

    /// An agent on the built-in models; its id.
    pub async fn agent(&self, more: Value) -> String {
        let mut body = json!({
            "model": "engram/scripted", "embedding": "engram/embed",
            "memory_blocks": [{"label": "human", "value": "Name: Chad"}, {"label": "persona", "value": "I am Sam."}]
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.post("/v1/agents/", body).await["id"].as_str().unwrap().to_owned()
    }

    /// Says something to an agent; the whole answer.
    pub async fn say(&self, agent: &str, text: &str) -> Value {
        self.post(&format!("/v1/agents/{agent}/messages"), json!({"messages": [{"role": "user", "content": text}]}))
            .await
    }
}

/// The texts of an answer's messages of one type, in order.
pub fn texts(answer: &Value, kind: &str) -> Vec<String> {
    let member = if kind == "tool_return_message" { "tool_return" } else { "content" };
    let of_kind = answer["messages"].as_array().unwrap().iter().filter(|m| m["message_type"] == kind);
    of_kind.map(|m| m[member].as_str().unwrap().to_owned()).collect()
}
