//! Where a provider is, and the connections to it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use engram_core::ports::{Ids, LlmErrorKind};
use engram_domain::Secret;
use reqwest::{Client, RequestBuilder, Response, Url, header::CONTENT_TYPE, redirect};
use tokio::sync::Semaphore;

use crate::{ProviderSettings, ProviderSpec, SetupError, http::Failure, protocol::Protocol};

/// Limits of the protocol; see [`ProviderSettings`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) idle: Duration,
    pub(crate) embed: Duration,
    pub(crate) list: Duration,
    pub(crate) retries: u32,
}

/// The address of one provider, its connections and its limits.
pub(crate) struct Endpoint {
    name: String,
    /// For people and for answers of the API: without user name and password.
    pub(crate) shown: String,
    pub(crate) client: Client,
    pub(crate) limits: Limits,
    /// Places for requests for embeddings; first come, first served.
    pub(crate) embed_places: Semaphore,
    pub(crate) ids: Arc<dyn Ids>,
    /// See [`Protocol::error_words`].
    pub(crate) error_words: &'static [(&'static str, LlmErrorKind)],
    base: Url,
    key: Option<Secret>,
}

impl Endpoint {
    /// Sets the connections up; sends nothing.
    ///
    /// # Errors
    /// An address that is none, a key that no header can carry.
    pub(crate) fn new(
        spec: &ProviderSpec,
        protocol: &dyn Protocol,
        settings: &ProviderSettings,
        ids: &Arc<dyn Ids>,
    ) -> Result<Self, SetupError> {
        let base = parse_base(&spec.name, &spec.base_url)?;
        // Keys come from files that end in a line break, and no header can carry that.
        let key = spec.key.as_ref().map(|key| key.expose().trim()).filter(|key| !key.is_empty()).map(Secret::new);
        let headers = protocol.headers(key.as_ref()).map_err(|_| SetupError::Key(spec.name.clone()))?;
        let mut client = Client::builder()
            .user_agent(concat!("engram/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .connect_timeout(settings.connect_timeout)
            .tcp_nodelay(true)
            .tcp_keepalive(Duration::from_secs(30))
            // Shorter than what most servers and balancers allow, so that a request seldom meets a
            // connection that is just being closed.
            .pool_idle_timeout(Duration::from_secs(20))
            // A redirected POST turns into a GET: say where the base URL should point instead.
            .redirect(redirect::Policy::none());
        if is_loopback(&base) {
            client = client.no_proxy();
        }
        let mut shown = base.clone();
        // Both fail only for addresses without a host, which `parse_base` refuses.
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        Ok(Self {
            name: spec.name.clone(),
            shown: shown.as_str().trim_end_matches('/').to_owned(),
            client: client.build().map_err(|e| SetupError::Client(e.to_string()))?,
            limits: Limits {
                idle: settings.stream_idle_timeout,
                embed: settings.embed_timeout,
                list: settings.list_timeout,
                retries: settings.max_retries,
            },
            embed_places: Semaphore::new(settings.max_embed_requests.clamp(1, Semaphore::MAX_PERMITS)),
            ids: Arc::clone(ids),
            error_words: protocol.error_words(),
            base,
            key,
        })
    }

    /// The name that its provider is listed under.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The address of an operation, as `chat/completions`.
    pub(crate) fn url(&self, operation: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{operation}", self.base.path().trim_end_matches('/')));
        url
    }

    /// The address of something outside the OpenAI-compatible part, as Ollama's `api/show`.
    pub(crate) fn root_url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let root = self.base.path().trim_end_matches('/').trim_end_matches("/v1");
        url.set_path(&format!("{root}/{path}"));
        url
    }

    /// A text of the provider, cut and without the key.
    pub(crate) fn quote(&self, text: &str) -> String {
        let cut: String = text.trim().chars().take(2_000).collect();
        self.key.iter().fold(cut, |text, key| key.redact(text))
    }

    /// A request with a JSON body.
    pub(crate) fn post(&self, url: Url, body: Bytes) -> RequestBuilder {
        self.client.post(url).header(CONTENT_TYPE, "application/json").body(body)
    }

    /// Sends and returns an answer whose status is a success. The caller limits the time.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = request.send().await.map_err(|e| Failure::unreachable(self, e))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(Failure::refused(self, response).await)
    }
}

fn parse_base(provider: &str, base: &str) -> Result<Url, SetupError> {
    let problem = |problem: String| SetupError::BaseUrl {
        provider: provider.to_owned(),
        example: "http://localhost:8000/v1",
        problem,
    };
    let url = Url::parse(base).map_err(|e| problem(e.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(problem(format!("its scheme is '{}'", url.scheme())));
    }
    Ok(url)
}

/// A server on this machine is never behind the proxy that the environment names.
fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        host == "localhost"
            || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}
