//! The one shared password of a secured server.
//!
//! Invariants: the comparison takes the same time for every wrong password of the right length;
//! neither password nor header reaches a log; health needs no password.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use engram_domain::Secret;

use crate::http::{error::ApiError, state::AppState};

/// Paths that a load balancer asks without a password, and the one that has a secret of its own.
const OPEN: [&str; 5] = ["/v1/health", "/v1/ready", "/health", "/ready", crate::peers::PATH];

/// Lets a request pass when the server is open, the path is, or the password fits.
pub async fn require_password(State(state): State<AppState>, request: Request, next: Next) -> Response {
    match &state.settings.server.password {
        Some(password) if !OPEN.contains(&request.uri().path()) && !authorized(request.headers(), password) => {
            ApiError::new(StatusCode::UNAUTHORIZED, "Unauthorized").into_response()
        }
        _ => next.run(request).await,
    }
}

fn authorized(headers: &HeaderMap, password: &Secret) -> bool {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|v| v.as_bytes().split_first_chunk::<7>())
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "))
        .map(|(_, rest)| rest);
    let bare = headers.get("x-bare-password").and_then(|v| v.as_bytes().strip_prefix(b"password "));
    [bearer, bare].into_iter().flatten().any(|given| same(given, password.expose().as_bytes()))
}

/// Compares without stopping at the first difference.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && std::hint::black_box(a.iter().zip(b).fold(0, |acc, (x, y)| acc | (x ^ y))) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(name: &'static str, value: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().expect("a header value"));
        authorized(&headers, &Secret::new("pass"))
    }

    #[test]
    fn both_headers_are_accepted_and_nothing_else() {
        assert!(passes("authorization", "Bearer pass"));
        assert!(passes("authorization", "bearer pass"));
        assert!(passes("x-bare-password", "password pass"));
        assert!(!passes("authorization", "Bearer past"));
        assert!(!passes("authorization", "Bearer "));
        assert!(!passes("authorization", "pass"));
        assert!(!passes("x-bare-password", "pass"));
        assert!(!authorized(&HeaderMap::new(), &Secret::new("")));
    }
}
