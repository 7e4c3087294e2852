//! One spelling of every path before routing.
//!
//! The documentation writes collections with a trailing slash, `curl` samples leave it out, and both
//! prefixes `/v1` and `/latest` are promised. Redirects make some HTTP stacks drop the body or the
//! credentials, so the request is rewritten instead: `/latest/…` becomes `/v1/…`, trailing slashes go.

use std::borrow::Cow;

use axum::http::{Request, Uri, uri::PathAndQuery};

/// The path that routes are declared with.
pub fn normal(path: &str) -> Cow<'_, str> {
    let trimmed = match path.trim_end_matches('/') {
        "" => "/",
        rest => rest,
    };
    match trimmed.strip_prefix("/latest") {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => Cow::Owned(format!("/v1{rest}")),
        _ => Cow::Borrowed(trimmed),
    }
}

/// Rewrites the request's path in place; the query stays.
pub fn normalize<B>(mut request: Request<B>) -> Request<B> {
    let uri = request.uri();
    let path = normal(uri.path());
    if path == uri.path() {
        return request;
    }
    let path_and_query = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.into_owned(),
    };
    // A piece of a valid URI is valid; should it ever not be, the request goes on as it came.
    if let Ok(path_and_query) = path_and_query.parse::<PathAndQuery>() {
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(path_and_query);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_becomes_one() {
        assert_eq!(normal("/v1/agents/"), "/v1/agents");
        assert_eq!(normal("/v1/agents"), "/v1/agents");
        assert_eq!(normal("/latest/agents/"), "/v1/agents");
        assert_eq!(normal("/latest"), "/v1");
        assert_eq!(normal("/latestnews"), "/latestnews");
        assert_eq!(normal("/"), "/");
        assert_eq!(normal("//"), "/");
    }

    #[test]
    fn the_query_survives() {
        let request = Request::get("/latest/agents/?tags=a%2Fb&x=/").body(()).expect("a request");
        assert_eq!(normalize(request).uri().to_string(), "/v1/agents?tags=a%2Fb&x=/");
        let request = Request::get("http://host/v1/health/").body(()).expect("a request");
        assert_eq!(normalize(request).uri().to_string(), "http://host/v1/health");
    }
}
