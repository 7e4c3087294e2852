//! What the published clients can call and this server does not have yet: 501, by one table.
//!
//! The table is asked only after routing found nothing, so a built route always wins. When you build
//! an operation, take its line out; a test fails as long as both exist.

use std::future::{Ready, ready};

use axum::{
    Router,
    extract::Request,
    http::{Method, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::http::{error::ApiError, state::AppState};

/// `(methods, path)`; a segment in braces stands for any segment.
const TABLE: &[(&str, &str)] = &[
    ("POST", "/v1/agents/import"),
    ("POST", "/v1/agents/search"),
    ("GET", "/v1/agents/{agent_id}/export"),
    ("GET", "/v1/agents/{agent_id}/core-memory/variables"),
    ("PATCH", "/v1/agents/{agent_id}/files/close-all"),
    ("PATCH", "/v1/agents/{agent_id}/files/{file_id}/close"),
    ("PATCH", "/v1/agents/{agent_id}/files/{file_id}/open"),
    ("PATCH", "/v1/agents/{agent_id}/folders/attach/{folder_id}"),
    ("PATCH", "/v1/agents/{agent_id}/folders/detach/{folder_id}"),
    ("PATCH", "/v1/agents/{agent_id}/identities/attach/{identity_id}"),
    ("PATCH", "/v1/agents/{agent_id}/identities/detach/{identity_id}"),
    ("PATCH", "/v1/agents/{agent_id}/sources/attach/{source_id}"),
    ("PATCH", "/v1/agents/{agent_id}/sources/detach/{source_id}"),
    ("POST", "/v1/agents/{agent_id}/migrate"),
    ("POST", "/v1/agents/{agent_id}/template"),
    ("POST", "/v1/agents/{agent_id}/version-template"),
    ("GET POST", "/v1/messages/batches"),
    ("GET", "/v1/messages/batches/{batch_id}"),
    ("PATCH", "/v1/messages/batches/{batch_id}/cancel"),
    ("GET", "/v1/messages/batches/{batch_id}/messages"),
    ("GET POST", "/v1/client-side-access-tokens"),
    ("DELETE", "/v1/client-side-access-tokens/{token}"),
    ("GET", "/v1/environments"),
    ("GET", "/v1/environments/{device_id}"),
    ("POST", "/v1/environments/{connection_id}/messages"),
    ("GET POST", "/v1/folders"),
    ("GET", "/v1/folders/count"),
    ("GET", "/v1/folders/metadata"),
    ("GET", "/v1/folders/name/{folder_name}"),
    ("GET PATCH DELETE", "/v1/folders/{folder_id}"),
    ("GET", "/v1/folders/{folder_id}/agents"),
    ("GET", "/v1/folders/{folder_id}/files"),
    ("GET", "/v1/folders/{folder_id}/files/{file_id}"),
    ("GET", "/v1/folders/{folder_id}/passages"),
    ("POST", "/v1/folders/{folder_id}/upload"),
    ("DELETE", "/v1/folders/{folder_id}/{file_id}"),
    ("GET POST PUT", "/v1/identities"),
    ("GET", "/v1/identities/count"),
    ("GET PATCH DELETE", "/v1/identities/{identity_id}"),
    ("GET", "/v1/identities/{identity_id}/agents"),
    ("GET", "/v1/identities/{identity_id}/blocks"),
    ("PUT", "/v1/identities/{identity_id}/properties"),
    ("GET", "/v1/jobs"),
    ("GET", "/v1/jobs/active"),
    ("GET DELETE", "/v1/jobs/{job_id}"),
    ("PATCH", "/v1/jobs/{job_id}/cancel"),
    ("GET POST", "/v1/mcp-servers"),
    ("GET PATCH DELETE", "/v1/mcp-servers/{mcp_server_id}"),
    ("PATCH", "/v1/mcp-servers/{mcp_server_id}/refresh"),
    ("GET", "/v1/mcp-servers/{mcp_server_id}/tools"),
    ("GET", "/v1/mcp-servers/{mcp_server_id}/tools/{tool_id}"),
    ("POST", "/v1/mcp-servers/{mcp_server_id}/tools/{tool_id}/run"),
    ("GET", "/v1/projects"),
    ("GET POST", "/v1/providers"),
    ("GET POST", "/v1/providers/check"),
    ("GET PATCH DELETE", "/v1/providers/{provider_id}"),
    ("GET POST", "/v1/sources"),
    ("GET", "/v1/sources/count"),
    ("GET", "/v1/sources/metadata"),
    ("GET", "/v1/sources/name/{source_name}"),
    ("GET PATCH DELETE", "/v1/sources/{source_id}"),
    ("GET", "/v1/sources/{source_id}/agents"),
    ("GET", "/v1/sources/{source_id}/files"),
    ("GET", "/v1/sources/{source_id}/files/{file_id}"),
    ("GET", "/v1/sources/{source_id}/passages"),
    ("POST", "/v1/sources/{source_id}/upload"),
    ("DELETE", "/v1/sources/{source_id}/{file_id}"),
    ("GET POST", "/v1/templates"),
    ("POST PATCH DELETE", "/v1/templates/{template_name}"),
    ("POST", "/v1/templates/{template_version}/agents"),
    ("POST", "/v1/templates/{template_name}/rollback"),
    ("POST", "/v1/templates/{template_name}/save"),
    ("POST DELETE", "/v1/templates/{project_id}/{template_name}"),
    ("POST", "/v1/templates/{project}/{template_version}/agents"),
    ("POST", "/v1/templates/{project_id}/{template_name}/deployments/{deployment_id}/migrate"),
    ("PATCH", "/v1/templates/{project_id}/{template_name}/description"),
    ("POST", "/v1/templates/{project_id}/{template_version}/fork"),
    ("PATCH", "/v1/templates/{project_id}/{template_name}/name"),
    ("GET PUT", "/v1/templates/{project_id}/{template_version}/snapshot"),
    ("GET", "/v1/templates/{project_id}/{name}/versions"),
    ("POST PUT", "/v1/tools"),
    ("POST", "/v1/tools/run"),
    ("GET", "/v1/tools/composio/apps"),
    ("GET", "/v1/tools/composio/apps/{composio_app_name}/actions"),
    ("POST", "/v1/tools/composio/{composio_action_name}"),
    ("GET PUT", "/v1/tools/mcp/servers"),
    ("POST", "/v1/tools/mcp/servers/connect"),
    ("POST", "/v1/tools/mcp/servers/test"),
    ("PATCH DELETE", "/v1/tools/mcp/servers/{mcp_server_name}"),
    ("GET", "/v1/tools/mcp/servers/{mcp_server_name}/tools"),
    ("POST", "/v1/tools/mcp/servers/{mcp_server_name}/{mcp_tool_name}"),
];

/// Routes of the table that a built route with a parameter would swallow.
pub fn router() -> Router<AppState> {
    Router::new().route("/v1/messages/batches", get(unknown_route).post(unknown_route))
}

/// The answer where no route has this path.
#[expect(clippy::needless_pass_by_value, reason = "a handler owns what it extracts")]
pub fn unknown_route(request: Request) -> Ready<Response> {
    ready(answer(request.method(), request.uri(), StatusCode::NOT_FOUND, "Not Found"))
}

/// The answer where a route has this path, but not this method.
#[expect(clippy::needless_pass_by_value, reason = "a handler owns what it extracts")]
pub fn wrong_method(request: Request) -> Ready<Response> {
    ready(answer(request.method(), request.uri(), StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"))
}

fn answer(method: &Method, uri: &Uri, status: StatusCode, detail: &str) -> Response {
    match find(method.as_str(), uri.path()) {
        Some(path) => ApiError::not_built(format!("{method} {path} is not built yet in this server")),
        None => ApiError::new(status, detail),
    }
    .into_response()
}

/// The entry that fits, if one does.
fn find(method: &str, path: &str) -> Option<&'static str> {
    TABLE
        .iter()
        .find(|(methods, template)| methods.split(' ').any(|m| m == method) && fits(template, path))
        .map(|e| e.1)
}

fn fits(template: &str, path: &str) -> bool {
    let (mut a, mut b) = (template.split('/'), path.split('/'));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(want), Some(got)) if want == got || (want.starts_with('{') && !got.is_empty()) => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_by_their_shape() {
        assert_eq!(find("GET", "/v1/folders/source-1/files"), Some("/v1/folders/{folder_id}/files"));
        assert_eq!(find("PUT", "/v1/folders/source-1/files"), None);
        assert_eq!(find("GET", "/v1/folders/source-1/nothing"), None);
    }

    #[test]
    fn nothing_is_both_built_and_unbuilt() {
        let document = crate::http::router::document();
        let built = serde_json::to_value(&document.paths).expect("the document is JSON");
        let both: Vec<String> = TABLE
            .iter()
            .flat_map(|(methods, path)| methods.split(' ').map(move |m| (m, *path)))
            .filter(|(method, path)| built[path].get(method.to_ascii_lowercase()).is_some())
            .map(|(method, path)| format!("{method} {path}"))
            .collect();
        assert!(both.is_empty(), "take out of the table what is built: {both:?}");
    }
}
