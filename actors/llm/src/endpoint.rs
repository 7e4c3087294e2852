//! The configured providers: who they are, where, and how they differ.

use std::{sync::Arc, time::Duration};

use engram_core::ports::Ids;
use reqwest::{
    Client, Url,
    header::{AUTHORIZATION, HeaderMap, HeaderValue},
    redirect,
};
use tokio::sync::Semaphore;

use crate::{ProviderSettings, Secret, SetupError, catalog::ListCache};

const OPENAI_BASE: &str = "https://api.openai.com/v1";

/// Whose server it is. Decides the names in handles and what the server cannot do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vendor {
    OpenAi,
    /// An address of the user's own that takes the place of OpenAI's.
    OpenAiProxy,
    DeepSeek,
    Xai,
    Groq,
    Together,
    OpenRouter,
    Vllm,
    Ollama,
    LmStudio,
}

impl Vendor {
    /// What stands before the slash of a handle. The first is the one that is listed; the others are
    /// what older servers called the same provider.
    pub(crate) fn names(self) -> &'static [&'static str] {
        match self {
            Self::OpenAi => &["openai"],
            Self::OpenAiProxy => &["openai", "openai-proxy"],
            Self::DeepSeek => &["deepseek"],
            Self::Xai => &["xai"],
            Self::Groq => &["groq"],
            Self::Together => &["together"],
            Self::OpenRouter => &["openrouter"],
            Self::Vllm => &["vllm"],
            Self::Ollama => &["ollama"],
            Self::LmStudio => &["lmstudio_openai", "lmstudio"],
        }
    }

    /// Whether `tool_choice` may name one tool.
    pub(crate) fn takes_named_choice(self) -> bool {
        self != Self::LmStudio
    }

    /// Whether `parallel_tool_calls: false` is known rather than refused or ignored.
    pub(crate) fn takes_single_call(self) -> bool {
        !matches!(self, Self::DeepSeek | Self::Ollama | Self::LmStudio)
    }

    /// Whether the thoughts of a reasoning model must be sent back with the calls they led to.
    pub(crate) fn wants_thoughts_back(self) -> bool {
        self == Self::DeepSeek
    }
}

/// Limits of the protocol; see [`ProviderSettings`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) idle: Duration,
    pub(crate) embed: Duration,
    pub(crate) list: Duration,
    pub(crate) retries: u32,
}

/// One configured provider with its connections and its line.
pub(crate) struct Endpoint {
    pub(crate) vendor: Vendor,
    /// For people and for answers of the API: without user name and password.
    pub(crate) shown: String,
    pub(crate) client: Client,
    pub(crate) limits: Limits,
    /// Places for requests for embeddings; first come, first served.
    pub(crate) embed_places: Semaphore,
    pub(crate) list: ListCache,
    pub(crate) ids: Arc<dyn Ids>,
    base: Url,
    key: Option<Secret>,
}

impl Endpoint {
    /// The name it is listed under.
    pub(crate) fn name(&self) -> &'static str {
        self.vendor.names()[0]
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

    fn new(
        vendor: Vendor,
        base: &str,
        key: Option<&Secret>,
        settings: &ProviderSettings,
        ids: &Arc<dyn Ids>,
    ) -> Result<Self, SetupError> {
        let base = parse_base(vendor, base)?;
        let mut headers = HeaderMap::new();
        if let Some(key) = key.filter(|k| !k.expose().is_empty()) {
            let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose()))
                .map_err(|_| SetupError::Key(vendor.names()[0]))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
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
            vendor,
            shown: shown.as_str().trim_end_matches('/').to_owned(),
            client: client.build().map_err(|e| SetupError::Client(e.to_string()))?,
            limits: Limits {
                idle: settings.stream_idle_timeout,
                embed: settings.embed_timeout,
                list: settings.list_timeout,
                retries: settings.max_retries,
            },
            embed_places: Semaphore::new(settings.max_embed_requests.clamp(1, Semaphore::MAX_PERMITS)),
            list: ListCache::default(),
            ids: Arc::clone(ids),
            base,
            key: key.cloned(),
        })
    }
}

/// The providers that the settings name, in the order in which their models are listed.
pub(crate) fn configured(settings: &ProviderSettings, ids: &Arc<dyn Ids>) -> Result<Vec<Endpoint>, SetupError> {
    let s = settings;
    let own = |url: &Option<String>| url.as_deref().map(str::trim).filter(|u| !u.is_empty()).map(str::to_owned);
    let given = |key: &Option<Secret>| key.clone().filter(|k| !k.expose().is_empty());
    let mut out = Vec::new();
    let mut add = |vendor, base: &str, key: Option<&Secret>| {
        out.push(Endpoint::new(vendor, base, key, s, ids)?);
        Ok::<_, SetupError>(())
    };

    let openai_key = given(&s.openai_api_key);
    match own(&s.openai_base_url).filter(|u| u.trim_end_matches('/') != OPENAI_BASE) {
        Some(base) => add(Vendor::OpenAiProxy, &base, openai_key.as_ref())?,
        None if openai_key.is_some() => add(Vendor::OpenAi, OPENAI_BASE, openai_key.as_ref())?,
        None => {}
    }
    for (vendor, base, key) in [
        (Vendor::DeepSeek, "https://api.deepseek.com/v1", &s.deepseek_api_key),
        (Vendor::Xai, "https://api.x.ai/v1", &s.xai_api_key),
        (Vendor::Groq, "https://api.groq.com/openai/v1", &s.groq_api_key),
        (Vendor::Together, "https://api.together.xyz/v1", &s.together_api_key),
        (Vendor::OpenRouter, "https://openrouter.ai/api/v1", &s.openrouter_api_key),
    ] {
        if let Some(key) = given(key) {
            add(vendor, base, Some(&key))?;
        }
    }
    for (vendor, base, key) in [
        (Vendor::Vllm, &s.vllm_base, given(&s.vllm_api_key)),
        (Vendor::Ollama, &s.ollama_base, None),
        (Vendor::LmStudio, &s.lmstudio_base, None),
    ] {
        if let Some(base) = own(base) {
            let base = base.trim_end_matches('/');
            let base = if base.ends_with("/v1") { base.to_owned() } else { format!("{base}/v1") };
            add(vendor, &base, key.as_ref())?;
        }
    }
    Ok(out)
}

fn parse_base(vendor: Vendor, base: &str) -> Result<Url, SetupError> {
    let problem = |problem: String| SetupError::BaseUrl {
        provider: vendor.names()[0],
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
