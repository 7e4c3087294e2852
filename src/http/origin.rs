//! Which web pages may use the server, and by which names it may be called.
//!
//! A browser lets any page send requests to any address, this machine's included. Three things keep foreign pages out:
//!
//! - They read no answer: CORS names the origins that may ([`cors`]).
//! - They change nothing: what a page may send without asking first (a form, plain text) is refused when its `Origin` is
//!   foreign, and for JSON the browser asks first ([`guard`]).
//! - They cannot pretend to be of this server by giving their own name the server's address (DNS rebinding): without
//!   authentication the server answers only to names that no stranger can own ([`guard`]). With a password any name is fine,
//!   because such a page has none.
//!
//! Programs send no `Origin` and are not concerned.

use std::net::{IpAddr, Ipv6Addr};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tower_http::cors::{AllowCredentials, AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};

use crate::{
    config::Settings,
    http::{auth, error::ApiError, state::AppState},
};

/// Refuses what a foreign page may have sent.
pub async fn guard(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let refusal = refusal(&state.settings, request.method(), request.uri(), request.headers());
    match refusal {
        Some(why) => ApiError::new(StatusCode::FORBIDDEN, why).into_response(),
        None => next.run(request).await,
    }
}

fn refusal(settings: &Settings, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<String> {
    // Of those a page learns nothing, and whoever asks them goes by addresses and names of all kinds.
    if auth::OPEN.contains(&uri.path()) {
        return None;
    }
    let host = host(uri, headers);
    if settings.server.password.is_none()
        && let Some(host) = host
        && !is_own_name(settings, name_of(host))
    {
        let name: String = name_of(host).chars().take(100).collect();
        return Some(format!(
            "This server does not answer to the name '{name}' as long as it has no password. Use its address, or name it in \
             ENGRAM_ALLOWED_HOSTS."
        ));
    }
    let origin = headers.get(header::ORIGIN)?;
    let only_looks = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    if only_looks || is_friend(settings, origin, host) || is_json(headers) {
        return None;
    }
    Some("A page of another origin must send JSON, with the header `content-type: application/json`.".into())
}

/// Browsers on this machine, pages of this server itself, and the origins that were configured.
pub fn cors(settings: &Settings) -> CorsLayer {
    let own = settings.clone();
    let all = settings.server.cors_origins.iter().any(|origin| origin == "*");
    let friend =
        move |origin: &HeaderValue, request: &Parts| is_friend(&own, origin, host(&request.uri, &request.headers));
    let may_read = friend.clone();
    let methods = [Method::GET, Method::POST, Method::PATCH, Method::PUT, Method::DELETE, Method::OPTIONS];
    let exposed =
        [header::RETRY_AFTER, HeaderName::from_static("x-engram-server-ms"), HeaderName::from_static("x-should-retry")];
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(move |origin, request| all || may_read(origin, request)))
        .allow_methods(AllowMethods::list(methods))
        // SDKs add fingerprint headers of their own, so the requested ones are mirrored.
        .allow_headers(AllowHeaders::mirror_request())
        // A page of any origin may be let in by `*`, but not with what the browser keeps for this server.
        .allow_credentials(AllowCredentials::predicate(friend))
        .expose_headers(exposed)
}

/// Whether pages of this origin are as good as programs.
fn is_friend(settings: &Settings, origin: &HeaderValue, host: Option<&str>) -> bool {
    let Ok(origin) = origin.to_str() else { return false };
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    if !matches!(scheme, "http" | "https") {
        return settings.server.cors_origins.iter().any(|known| known == origin);
    }
    is_loopback(name_of(authority))
        || host.is_some_and(|host| host.eq_ignore_ascii_case(authority))
        || settings.server.cors_origins.iter().any(|known| known.trim_end_matches('/').eq_ignore_ascii_case(origin))
}

/// Whether the server answers to this name without authentication.
fn is_own_name(settings: &Settings, name: &str) -> bool {
    let server = &settings.server;
    let same = |other: &str| other.eq_ignore_ascii_case(name);
    let node = settings.node.url.as_deref().and_then(|url| url.split_once("://"));
    let node = node.map(|(_, rest)| name_of(rest.split('/').next().unwrap_or_default()));
    is_loopback(name)
        // Nobody can own an address as a name, nor on the internet a name without a dot: those are of a network's own,
        // as containers and machines have them.
        || address(name).is_some()
        || is_single_label(name)
        || same(&server.host)
        || node.is_some_and(same)
        || server.allowed_hosts.iter().any(|host| host == "*" || same(name_of(host)))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind.starts_with("application/") && kind.ends_with("+json")
}

/// Name and port that the request is for, from HTTP/2's or HTTP/1's place for it.
fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let told = || headers.get(header::HOST).map(|host| host.to_str().unwrap_or("?"));
    uri.authority().map(axum::http::uri::Authority::as_str).or_else(told)
}

/// `name` of `name:port`, and of `user@name:port`.
fn name_of(authority: &str) -> &str {
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let name = match authority.rsplit_once(':') {
        // A bare IPv6 address has colons and no port.
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !authority.ends_with(']') => {
            if authority.parse::<Ipv6Addr>().is_ok() {
                authority
            } else {
                name
            }
        }
        _ => authority,
    };
    name.trim_end_matches('.')
}

fn address(name: &str) -> Option<IpAddr> {
    name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name).parse().ok()
}

fn is_single_label(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn is_loopback(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || address(&name).is_some_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::ServerArgs, config::Environment};

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let env: Environment = [("HOME", "/home/x")].iter().chain(pairs).map(|(k, v)| (*k, *v)).collect();
        Settings::resolve(&ServerArgs::default(), &env).expect("valid settings")
    }

    fn passes(settings: &Settings, method: &Method, path: &str, headers: &[(&'static str, &'static str)]) -> bool {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        refusal(settings, method, &path.parse().expect("a path"), &headers).is_none()
    }

    fn asks(settings: &Settings, host: &'static str) -> bool {
        passes(settings, &Method::GET, "/v1/agents", &[("host", host)])
    }

    #[test]
    fn without_a_password_only_names_that_no_stranger_can_own_are_answered() {
        let open = settings(&[("HOST", "box.example"), ("ENGRAM_NODE_URL", "http://node-a:8283/")]);
        for host in [
            "localhost",
            "localhost:8283",
            "LOCALHOST.:80",
            "letta.localhost:8283",
            "127.0.0.1:8283",
            "127.8.9.1",
            "[::1]:8283",
            "[::ffff:127.0.0.1]",
            "192.168.1.7:8283",
            "[fe80::1]:8283",
            "box.example:8283",
            "node-a:8283",
            "engram:8283",
            "my_box-1",
        ] {
            assert!(asks(&open, host), "{host}");
        }
        for host in [
            "evil.com",
            "evil.com:8283",
            "localhost.evil.com",
            "127.0.0.1.evil.com",
            "127.0.0.1.nip.io:8283",
            "",
            "box.example.evil.com",
            "localhost@evil.com",
            "?",
            "evil.com:80:8283",
            "::1.evil.com",
        ] {
            assert!(!asks(&open, host), "{host}");
        }
        assert!(passes(&open, &Method::GET, "/v1/agents", &[]), "a program of the old kind");
        assert!(!passes(&open, &Method::GET, "http://evil.com/v1/agents", &[("host", "localhost")]));
        assert!(passes(&open, &Method::GET, "/v1/health", &[("host", "evil.com")]));
        let named = settings(&[("ENGRAM_ALLOWED_HOSTS", "engram.home, letta.lan:8283")]);
        assert!(asks(&named, "engram.home:8283") && asks(&named, "letta.lan") && !asks(&named, "evil.com"));
        assert!(asks(&settings(&[("ENGRAM_ALLOWED_HOSTS", "*")]), "evil.com"));
        assert!(asks(&settings(&[("LETTA_SERVER_PASSWORD", "p")]), "anything.example"));
    }

    #[test]
    fn what_a_foreign_page_may_send_without_asking_is_refused() {
        let open = settings(&[("ACCEPTABLE_ORIGINS", "https://app.example")]);
        let sends = |origin, kind: Option<&'static str>| {
            let kind = kind.map(|kind| ("content-type", kind));
            let headers: Vec<_> = [("host", "localhost:8283"), ("origin", origin)].into_iter().chain(kind).collect();
            passes(&open, &Method::POST, "/v1/agents", &headers)
        };
        for kind in [
            None,
            Some("text/plain"),
            Some("text/plain; x=application/json"),
            Some("application/x-www-form-urlencoded"),
            Some("multipart/form-data; boundary=x"),
            Some("application/jsonp"),
        ] {
            for origin in ["https://evil.com", "null", "http://localhost.evil.com", "https://app.letta.com", "file://"]
            {
                assert!(!sends(origin, kind), "{origin} {kind:?}");
            }
            for origin in [
                "http://localhost:3000",
                "http://127.0.0.1:5173",
                "http://[::1]:1",
                "https://app.example",
                "http://letta.localhost",
                "http://localhost:8283",
            ] {
                assert!(sends(origin, kind), "{origin} {kind:?}");
            }
        }
        for kind in
            ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"]
        {
            assert!(sends("https://evil.com", Some(kind)), "the browser asks before it sends {kind}");
        }
        assert!(passes(&open, &Method::POST, "/v1/agents", &[("content-type", "text/plain")]), "a program");
        let same = [("host", "10.0.0.7:8283"), ("origin", "http://10.0.0.7:8283")];
        assert!(passes(&open, &Method::POST, "/v1/agents", &same), "a page of this server");
    }
}
