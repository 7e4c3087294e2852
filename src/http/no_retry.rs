//! What SDKs must not send again by themselves.

use axum::{extract::Request, http::HeaderValue, middleware::Next, response::Response};

/// SDKs repeat a failed POST by themselves; a turn must not be run three times. An error that says that
/// nothing was run keeps its word.
pub async fn no_retry(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if response.status().is_client_error() || response.status().is_server_error() {
        let never = HeaderValue::from_static("false");
        response.headers_mut().entry("x-should-retry").or_insert(never);
    }
    response
}
