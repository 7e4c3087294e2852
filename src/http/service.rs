//! What is served: the API, its document, and what is done to every request and answer on the way.

use std::any::Any;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use tower::util::MapRequest;
use tower_http::catch_panic::CatchPanicLayer;

pub use crate::http::state::AppState;
use crate::http::{
    auth, docs, drain, error::ApiError, key_scopes::KeyScopes, observe, openapi, origin, path, read_again, router::api,
    routes, slow_body,
};

/// What the server serves, without the rewriting of paths.
pub fn build(state: AppState) -> Router {
    let scopes = KeyScopes::of(openapi::DOCUMENT);
    let max_body = state.settings.server.max_body_bytes;
    let cors = origin::cors(&state.settings);
    api()
        .route("/openapi.json", get(openapi::serve))
        .merge(docs::router())
        .merge(crate::peers::server::router())
        .fallback(routes::unbuilt::unknown_route)
        .method_not_allowed_fallback(routes::unbuilt::wrong_method)
        .layer(middleware::from_fn_with_state((state.clone(), scopes), auth::authenticate))
        .layer(middleware::from_fn(read_again::read_again))
        .layer(middleware::from_fn_with_state(state.clone(), origin::guard))
        .layer(cors)
        .layer(DefaultBodyLimit::max(max_body))
        .layer(CatchPanicLayer::custom(|panic| panicked(&panic)))
        .layer(middleware::from_fn_with_state(state.clone(), slow_body::refuse))
        .layer(middleware::from_fn(observe::observe))
        .layer(middleware::from_fn(drain::read_rest))
        .layer(middleware::from_fn_with_state(state.clone(), close_while_draining))
        .with_state(state)
}

/// The router with every spelling of a path.
pub type Service = MapRequest<Router, fn(Request) -> Request>;

/// The service that the listener serves.
pub fn service(state: AppState) -> Service {
    let rewrite: fn(Request) -> Request = path::normalize;
    MapRequest::new(build(state), rewrite)
}

/// A node on its way out asks its clients to use other connections, so that none of them is closed under a
/// request.
async fn close_while_draining(State(state): State<AppState>, request: Request, next: middleware::Next) -> Response {
    let mut response = next.run(request).await;
    if state.engine.is_draining() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A panic is our fault: logged with its message, answered without it.
fn panicked(panic: &(dyn Any + Send)) -> Response {
    let words = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without words");
    tracing::error!(panic = words, "a handler panicked");
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "An internal server error occurred").into_response()
}
