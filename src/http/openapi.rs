//! The API document, generated from the handlers.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};

/// What stands before the operations.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Engram",
        description = "A self-hosted server for stateful LLM agents. Every path also exists below `/latest`, and with or \
                       without a trailing slash. Members of both generations of the Letta V1 clients are accepted and \
                       answered side by side."
    ),
    modifiers(&Password),
    security(("password" = []), ())
)]
struct Base;

struct Password;

impl Modify for Password {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().add_security_scheme("password", scheme);
    }
}

/// The document without operations.
pub fn base() -> utoipa::openapi::OpenApi {
    Base::openapi()
}

/// The document as JSON text. An empty object should it not serialize, which a test excludes.
pub fn render(document: &utoipa::openapi::OpenApi) -> Bytes {
    document.to_json().map_or_else(|_| Bytes::from_static(b"{}"), Bytes::from)
}

/// `GET /openapi.json`.
pub fn serve(document: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document).into_response()
}
