//! Who calls: which generation of the official SDKs, as far as it changes an answer.
//!
//! Invariant: an unknown caller is treated as an old one, whose rules are the stricter ones
//! (no `ping` objects, no message types outside the first union).

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use engram_domain::AgentType;

/// Windows that agents get without asking for one, in tokens: what the old clients' server gave, and what the newer one
/// did.
const OLD_WINDOW: i32 = 32_000;
const NEW_WINDOW: i32 = 128_000;

/// What the request's headers say about its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Caller {
    /// A 1.x SDK (`X-Stainless-Package-Version`, or its user agent).
    pub is_v1_sdk: bool,
    /// The 0.1.x TypeScript SDK, which throws on any stream object outside its union.
    pub is_old_ts: bool,
}

impl Caller {
    /// Reads the fingerprints of the published clients.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let agent = text(header::USER_AGENT.as_str());
        let is_v1_sdk = headers.contains_key("x-stainless-package-version")
            || agent.starts_with("letta-client/1.")
            || agent.starts_with("@letta-ai/letta-client/1.")
            || agent.starts_with("Letta/");
        let is_old_ts = !is_v1_sdk
            && (text("x-fern-language").eq_ignore_ascii_case("javascript")
                || agent.starts_with("@letta-ai/letta-client/"));
        Self { is_v1_sdk, is_old_ts }
    }

    /// The type of an agent that is created without one.
    pub fn usual_agent_type(self) -> AgentType {
        if self.is_v1_sdk { AgentType::LettaV1Agent } else { AgentType::MemgptAgent }
    }

    /// The largest window, in tokens, that an agent gets without asking for one.
    pub fn usual_window(self) -> i32 {
        if self.is_v1_sdk { NEW_WINDOW } else { OLD_WINDOW }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::from_headers(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(name: &'static str, value: &'static str) -> Caller {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().expect("a header value"));
        Caller::from_headers(&headers)
    }

    #[test]
    fn the_published_clients_are_told_apart() {
        assert!(caller("x-stainless-package-version", "1.12.1").is_v1_sdk);
        assert!(caller("user-agent", "Letta/Python 1.12.1").is_v1_sdk);
        assert!(caller("x-fern-language", "JavaScript").is_old_ts);
        assert!(caller("user-agent", "@letta-ai/letta-client/0.1.211").is_old_ts);
        assert_eq!(caller("x-fern-language", "Python"), Caller::default());
        assert_eq!(caller("user-agent", "curl/8"), Caller::default());
    }
}
