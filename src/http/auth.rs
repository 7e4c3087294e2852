//! Who asks, and what they may do: the shared password, API keys, the header `user_id`.
//!
//! Invariants: comparisons take the same time for every wrong password; no password, key or header reaches a log or an
//! answer; health needs neither. Every request that goes on has an [`Identity`]. What a key may do is a property of the
//! operation ([`crate::http::key_scopes`]).
//!
//! Without a password the server is open: whoever presents nothing, or anything that is no key, is the operator. A key is
//! always checked, so one that was revoked is refused by an open server too.

use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use engram_domain::{DEFAULT_ORGANIZATION, DEFAULT_USER, KeyScope, Scope, Secret, UserId};
use subtle::ConstantTimeEq;

use crate::{
    app::{App, keys},
    http::{error::ApiError, key_scopes::KeyScopes, state::AppState},
};

/// Paths that a load balancer asks without a password, and the one that has a secret of its own.
pub(crate) const OPEN: [&str; 5] = ["/v1/health", "/v1/ready", "/health", "/ready", crate::peers::PATH];

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Within which organization.
    pub scope: Scope,
    /// As whom; nobody for a key without a user.
    pub user: Option<UserId>,
    /// Whether it is whoever runs the server.
    pub operator: bool,
    /// Whether secrets are shown: variables of tools.
    pub sees_secrets: bool,
}

/// The operator, as the user of requests that name no other.
const OPERATOR: Identity = Identity {
    scope: Scope::Organization(DEFAULT_ORGANIZATION),
    user: Some(DEFAULT_USER),
    operator: true,
    sees_secrets: true,
};

/// Finds out who asks, and lets the request pass if they may ask for that.
pub async fn authenticate(
    State((state, scopes)): State<(AppState, KeyScopes)>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let identity =
        if OPEN.contains(&parts.uri.path()) { Ok(OPERATOR) } else { identify(&state, &scopes, &parts).await };
    match identity {
        Ok(identity) => {
            parts.extensions.insert(identity);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(error) => error.into_response(),
    }
}

async fn identify(state: &AppState, scopes: &KeyScopes, request: &Parts) -> Result<Identity, ApiError> {
    let headers = &request.headers;
    let password = state.settings.server.password.as_ref();
    if password.is_some_and(|password| authorized(headers, password)) {
        return named(state, headers).await;
    }
    if let Some(key) = presented(headers).find(|token| token.starts_with(keys::PREFIX.as_bytes())) {
        if !keys::has_shape(key) {
            return Err(unauthorized());
        }
        let holder = state.store.key_holder(&keys::digest(key)).await?.ok_or_else(unauthorized)?;
        let route = request.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
        may(&holder.scopes, scopes.needed(&request.method, route))?;
        let admin = holder.scopes.contains(&KeyScope::Admin);
        let operator = holder.organization_id == DEFAULT_ORGANIZATION && admin;
        let scope = Scope::Organization(holder.organization_id);
        return Ok(Identity { scope, user: holder.user_id, operator, sees_secrets: admin });
    }
    if password.is_some() { Err(unauthorized()) } else { named(state, headers).await }
}

/// The operator, as the user that the header names; as the default one where there is no such user.
async fn named(state: &AppState, headers: &HeaderMap) -> Result<Identity, ApiError> {
    let Some(id) = headers.get("user_id") else { return Ok(OPERATOR) };
    let id = id.to_str().ok().and_then(|id| id.parse::<UserId>().ok()).ok_or_else(|| {
        ApiError::bad_request(
            "the header `user_id` is no id of a user, such as user-123e4567-e89b-42d3-8456-426614174000",
        )
    })?;
    if id == DEFAULT_USER {
        return Ok(OPERATOR);
    }
    Ok(match state.store.organization_of_user(id).await? {
        Some(organization) => {
            Identity { scope: Scope::Organization(organization), user: Some(id), operator: true, sees_secrets: true }
        }
        None => OPERATOR,
    })
}

/// Whether a key with these scopes allows what needs this one.
fn may(scopes: &[KeyScope], needed: KeyScope) -> Result<(), ApiError> {
    if scopes.contains(&needed) {
        return Ok(());
    }
    let text = format!("this API key does not have the scope '{}', which the request needs", needed.as_str());
    Err(ApiError::new(StatusCode::FORBIDDEN, text))
}

/// What a request of whoever runs the server works with; everybody else is refused.
pub struct Operator(pub App);

impl FromRequestParts<AppState> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let app = App::from_request_parts(parts, state).await?;
        if app.operator {
            return Ok(Self(app));
        }
        Err(ApiError::new(StatusCode::FORBIDDEN, "only the operator of this server may do this"))
    }
}

fn unauthorized() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "Unauthorized")
}

/// What the request presents, in either header.
fn presented(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|v| v.as_bytes().split_first_chunk::<7>())
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "))
        .map(|(_, rest)| rest);
    let bare = headers.get("x-bare-password").and_then(|v| v.as_bytes().strip_prefix(b"password "));
    [bearer, bare].into_iter().flatten()
}

fn authorized(headers: &HeaderMap, password: &Secret) -> bool {
    presented(headers).any(|given| same(given, password.expose().as_bytes()))
}

/// Compares in a time that says nothing about either side, nor about its length.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    keys::digest(a).ct_eq(&keys::digest(b)).into()
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
