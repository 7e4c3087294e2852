//! Spans to a collector: OTLP over HTTP with protobuf.
//!
//! Finished spans go into a bounded queue; a thread of the SDK sends them in batches. When the queue is full, because
//! the collector is slow or away, spans are dropped and nobody waits. What is not a setting here (sampling, the size of
//! the queue, attributes of the resource) follows OpenTelemetry's own variables of the process's environment.

use std::{collections::HashMap, fmt, time::Duration};

use async_trait::async_trait;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tokio::runtime::Handle;
use tracing_subscriber::{Layer as _, filter::filter_fn};

use super::Layer;
use crate::config::TraceSettings;

/// How long one delivery to the collector may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the end of the process waits for the last one.
const FAREWELL: Duration = Duration::from_secs(1);
/// Bytes of a collector's answer that are read.
const ANSWER: usize = 64 * 1024;

/// Why no traces are exported.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// The address or a header cannot be used.
    #[error(transparent)]
    Exporter(#[from] ExporterBuildError),
    /// No connection can be made at all.
    #[error("the HTTP client could not be made: {0}")]
    Client(#[from] reqwest::Error),
}

/// The export of spans.
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Starts it. The collector need not be there.
    pub fn start(settings: &TraceSettings, runtime: &Handle) -> Result<Self, OtlpError> {
        let http = reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).build()?;
        let headers: HashMap<String, String> =
            settings.headers.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client { http, runtime: runtime.clone() })
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(&settings.url)
            .with_headers(headers)
            .with_timeout(PATIENCE)
            .build()?;
        let resource = Resource::builder().with_service_name(settings.service.clone()).build();
        Ok(Self(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build()))
    }

    /// What hands spans over: those of this program, whatever the log shows.
    pub fn layer(&self) -> Layer {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("engram"))
            .with_context_activation(false)
            .with_location(false)
            .with_threads(false)
            .with_filter(filter_fn(|metadata| {
                metadata.is_span()
                    && *metadata.level() <= tracing::Level::INFO
                    && metadata.target().split("::").next().is_some_and(|name| name.starts_with("engram"))
            }))
            .boxed()
    }

    /// Sends what has not been sent.
    pub fn stop(self) {
        if let Err(error) = self.0.shutdown_with_timeout(FAREWELL) {
            tracing::debug!(%error, "the last spans did not reach the collector");
        }
    }
}

/// The HTTP client of the rest of the program, for the SDK's thread, which knows no runtime.
struct Client {
    http: reqwest::Client,
    runtime: Handle,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let http = self.http.clone();
        let sent = self.runtime.spawn(async move {
            let mut answer = http.execute(request).await.map_err(reqwest::Error::without_url)?;
            let mut head = Response::builder().status(answer.status());
            if let Some(headers) = head.headers_mut() {
                *headers = std::mem::take(answer.headers_mut());
            }
            let mut body = Vec::new();
            while let Some(piece) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
                body.extend_from_slice(&piece);
                if body.len() > ANSWER {
                    return Err(HttpError::from("the collector's answer is too long"));
                }
            }
            head.body(Bytes::from(body)).map_err(HttpError::from)
        });
        sent.await?
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_collector_that_is_away_stops_nothing() {
        // Nobody listens there.
        let settings =
            TraceSettings { url: "http://127.0.0.1:9/v1/traces".into(), headers: Vec::new(), service: "engram".into() };
        let traces = Traces::start(&settings, &Handle::current()).expect("the settings are valid");
        let subscriber = tracing_subscriber::registry().with(vec![traces.layer()]);
        let started = Instant::now();
        tracing::subscriber::with_default(subscriber, || {
            // More than the queue holds.
            for _ in 0..5_000 {
                drop(tracing::info_span!("nobody hears of it"));
            }
        });
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
        tokio::task::spawn_blocking(move || traces.stop()).await.expect("it does not panic");
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }
}
