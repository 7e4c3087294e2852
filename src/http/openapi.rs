//! The API document.
//!
//! `docs/openapi.json` is the document as it was reviewed last, and what the server serves. A test generates it from the
//! handlers and compares, so that a change of the wire is seen as what it is. To accept a change:
//! `ENGRAM_ACCEPT_OPENAPI=1 cargo test -p engram --no-default-features --lib openapi`.

#[cfg(test)]
mod failures;

use axum::{http::header, response::IntoResponse};

/// The reviewed document.
pub const DOCUMENT: &str = include_str!("../../docs/openapi.json");

/// `GET /openapi.json`.
pub async fn serve() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT)
}

#[cfg(test)]
pub use generated::base;

#[cfg(test)]
mod generated {
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
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::http::router;

    fn document() -> Value {
        let mut document = router::document();
        failures::describe(&mut document);
        serde_json::to_value(document).expect("the document is JSON")
    }

    #[test]
    fn the_document_is_the_one_that_was_reviewed() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
        let text = serde_json::to_string_pretty(&document()).expect("it is JSON") + "\n";
        if std::env::var_os("ENGRAM_ACCEPT_OPENAPI").is_some() {
            std::fs::write(path, &text).expect("docs/openapi.json can be written");
        }
        let reviewed = std::fs::read_to_string(path).unwrap_or_default();
        let different = reviewed.lines().zip(text.lines()).position(|(old, new)| old != new);
        assert!(
            reviewed == text,
            "the API has changed, from line {} of docs/openapi.json on. When it was meant to: \
             ENGRAM_ACCEPT_OPENAPI=1 cargo test -p engram --no-default-features --lib openapi, and commit the file",
            different.unwrap_or_else(|| reviewed.lines().count().min(text.lines().count())) + 1
        );
    }

    #[test]
    fn every_operation_says_what_it_fails_with() {
        let document = document();
        let mut seen = 0;
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("operations") {
                let wanted = [
                    (!operation["requestBody"].is_null(), vec!["400", "408", "413", "422"]),
                    (path.contains('{'), vec!["404", "422"]),
                    (!["/v1/health", "/v1/ready"].contains(&path.as_str()), vec!["401"]),
                    (!["/v1/health", "/metrics"].contains(&path.as_str()), vec!["503"]),
                    (path.ends_with("/messages") && method == "post", vec!["402", "403", "409", "429", "502", "504"]),
                ];
                for status in wanted.into_iter().filter(|(applies, _)| *applies).flat_map(|(_, all)| all) {
                    let schema = &operation["responses"][status]["content"]["application/json"]["schema"]["$ref"];
                    let name = schema.as_str().and_then(|s| s.strip_prefix("#/components/schemas/"));
                    let name = name.unwrap_or_else(|| panic!("{method} {path} does not describe its {status}"));
                    assert!(document["components"]["schemas"][name].is_object(), "{name}");
                    seen += 1;
                }
            }
        }
        assert!(seen > 400, "{seen}");
    }
}
