//! Which scope of an API key each operation needs.
//!
//! It is a property of the operation and stands in the API document: `x-engram-scope` where a handler says so
//! (`extensions(("x-engram-scope" = json!("read")))` in its `#[utoipa::path]`), `admin` for operations with the tag
//! `admin`. Of all others `GET` needs `read`, and everything else `write`, so one that says nothing is the safer one.

use std::{collections::HashMap, sync::Arc};

use axum::http::Method;
use engram_domain::KeyScope;
use serde::Deserialize;

/// The scopes that operations name, by the path of their route. Cheap to clone.
#[derive(Debug, Clone)]
pub struct KeyScopes(Arc<HashMap<String, Vec<(Method, KeyScope)>>>);

#[derive(Deserialize)]
struct Document {
    paths: HashMap<String, PathItem>,
}

#[derive(Deserialize)]
struct PathItem {
    get: Option<Operation>,
    post: Option<Operation>,
    put: Option<Operation>,
    patch: Option<Operation>,
    delete: Option<Operation>,
}

#[derive(Deserialize)]
struct Operation {
    #[serde(default)]
    tags: Vec<String>,
    #[serde(rename = "x-engram-scope")]
    scope: Option<String>,
}

impl KeyScopes {
    /// Those that an API document names.
    pub fn of(document: &str) -> Self {
        let document: Document =
            serde_json::from_str(document).expect("a test compares the document with the handlers");
        let of_path = |(path, item): (String, PathItem)| {
            let operations = [
                (Method::GET, item.get),
                (Method::POST, item.post),
                (Method::PUT, item.put),
                (Method::PATCH, item.patch),
                (Method::DELETE, item.delete),
            ];
            let named = operations.into_iter().filter_map(|(method, operation)| Some((method, named(&operation?)?)));
            (path, named.collect())
        };
        Self(Arc::new(document.paths.into_iter().map(of_path).collect()))
    }

    /// What a request to this route needs; `route` is none where there is no such route.
    pub fn needed(&self, method: &Method, route: Option<&str>) -> KeyScope {
        let looks = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        // A HEAD is answered by what answers a GET.
        let method = if looks { &Method::GET } else { method };
        let named = route.and_then(|route| self.0.get(route)).into_iter().flatten();
        let named = named.filter(|(of, _)| of == method).map(|(_, scope)| *scope).next();
        named.unwrap_or(if looks { KeyScope::Read } else { KeyScope::Write })
    }
}

/// The scope that an operation names.
fn named(operation: &Operation) -> Option<KeyScope> {
    if let Some(scope) = &operation.scope {
        // A word that is no scope must not open anything.
        return Some(KeyScope::parse(scope).unwrap_or(KeyScope::Admin));
    }
    operation.tags.iter().any(|tag| tag == "admin").then_some(KeyScope::Admin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::openapi::DOCUMENT;

    #[test]
    fn an_operation_needs_what_it_says_and_else_what_its_method_does() {
        let scopes = KeyScopes::of(DOCUMENT);
        let needs = |method: Method, route: &str| scopes.needed(&method, Some(route)).as_str();
        assert_eq!(needs(Method::GET, "/v1/agents"), "read");
        assert_eq!(needs(Method::HEAD, "/v1/agents"), "read");
        assert_eq!(needs(Method::POST, "/v1/agents"), "write");
        assert_eq!(needs(Method::DELETE, "/v1/agents/{agent_id}"), "write");
        assert_eq!(needs(Method::POST, "/v1/messages/search"), "read");
        assert_eq!(needs(Method::POST, "/v1/runs/{run_id}/stream"), "read");
        assert_eq!(needs(Method::POST, "/v1/agents/{agent_id}/messages/preview-raw-payload"), "read");
        assert_eq!(needs(Method::POST, "/v1/agents/{agent_id}/messages"), "write");
        assert_eq!(needs(Method::GET, "/metrics"), "admin");
        assert_eq!(needs(Method::HEAD, "/metrics"), "admin");
        assert_eq!(needs(Method::GET, "/v1/admin/keys"), "admin");
        assert_eq!(needs(Method::POST, "/no/such/search"), "write");
        assert_eq!(scopes.needed(&Method::POST, None), KeyScope::Write);
    }

    #[test]
    fn whatever_an_administrator_does_needs_the_scope() {
        let scopes = KeyScopes::of(DOCUMENT);
        for path in scopes.0.keys().filter(|path| path.starts_with("/v1/admin")) {
            for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                let there = scopes.0.get(path).is_some_and(|all| all.iter().any(|(of, _)| *of == method));
                assert!(!there || scopes.needed(&method, Some(path)) == KeyScope::Admin, "{method} {path}");
            }
            assert!(!scopes.0[path].is_empty(), "{path}");
        }
    }
}
