//! What is served: the API, its document, and what is done to every request and answer on the way.

use std::any::Any;

use axum::{
    Router, ServiceExt,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{IntoMakeService, get},
};
use tower::util::MapRequest;
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer},
};

pub use crate::http::state::AppState;
use crate::http::{
    auth, docs, drain, error::ApiError, key_scopes::KeyScopes, observe, openapi, path, router::api, routes,
};

/// What the server serves, without the rewriting of paths.
pub fn build(state: AppState) -> Router {
    let scopes = KeyScopes::of(openapi::DOCUMENT);
    let max_body = state.settings.server.max_body_bytes;
    let cors = cors(&state.settings.server.cors_origins);
    api()
        .route("/openapi.json", get(openapi::serve))
        .merge(docs::router())
        .merge(crate::peers::server::router())
        .fallback(routes::unbuilt::unknown_route)
        .method_not_allowed_fallback(routes::unbuilt::wrong_method)
        .layer(middleware::from_fn_with_state((state.clone(), scopes), auth::authenticate))
        .layer(cors)
        .layer(DefaultBodyLimit::max(max_body))
        .layer(CatchPanicLayer::custom(|panic| panicked(&panic)))
        .layer(middleware::from_fn(observe::observe))
        .layer(middleware::from_fn(drain::read_rest))
        .layer(middleware::from_fn_with_state(state.clone(), close_while_draining))
        .with_state(state)
}

/// The router with every spelling of a path.
pub type Service = MapRequest<Router, fn(Request) -> Request>;

/// The service that the listener serves.
pub fn service(state: AppState) -> IntoMakeService<Service> {
    let rewrite: fn(Request) -> Request = path::normalize;
    ServiceExt::<Request>::into_make_service(MapRequest::new(build(state), rewrite))
}

/// Browsers on the machine itself, and the origins that were configured.
fn cors(extra: &[String]) -> CorsLayer {
    let own = ["http://letta.localhost", "https://app.letta.com"].into_iter().map(str::to_owned);
    let ports = [8283, 8083, 3000, 4200].into_iter().map(|port| format!("http://localhost:{port}"));
    let all = extra.iter().any(|origin| origin == "*");
    let origins: Vec<HeaderValue> =
        own.chain(ports).chain(extra.iter().cloned()).filter_map(|o| HeaderValue::try_from(o).ok()).collect();
    let methods = [Method::GET, Method::POST, Method::PATCH, Method::PUT, Method::DELETE, Method::OPTIONS];
    let exposed =
        [header::RETRY_AFTER, HeaderName::from_static("x-engram-server-ms"), HeaderName::from_static("x-should-retry")];
    CorsLayer::new()
        .allow_origin(if all { AllowOrigin::mirror_request() } else { AllowOrigin::list(origins) })
        .allow_methods(AllowMethods::list(methods))
        // SDKs add fingerprint headers of their own, so the requested ones are mirrored.
        .allow_headers(AllowHeaders::mirror_request())
        .allow_credentials(true)
        .expose_headers(exposed)
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
