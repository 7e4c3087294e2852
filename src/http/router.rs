//! The whole API at a glance: every route with its handler.
//!
//! Paths are declared without a trailing slash and below `/v1`; [`crate::http::path`] brings every other spelling here.
//! A line repeats what the handler says about itself, and a test compares the two. To add a route: a line here (see
//! [`crate::http`] for the rest).

use axum::{
    Router,
    middleware::from_fn,
    routing::{MethodRouter, delete, get, patch, post, put},
};

use crate::http::{no_retry::no_retry, routes, state::AppState};

/// Routes of one kind, the lines that declare them and, in tests, what the API document says about them.
struct Listed {
    router: Router<AppState>,
    #[cfg(test)]
    lines: &'static [(&'static str, &'static str)],
    #[cfg(test)]
    described: utoipa_axum::router::OpenApiRouter<AppState>,
}

impl Listed {
    /// A route that is not in the API document.
    fn hidden(mut self, path: &str, handler: MethodRouter<AppState>) -> Self {
        self.router = self.router.route(path, handler);
        self
    }

    /// Something that is done to every request to these routes.
    fn map(mut self, change: impl FnOnce(Router<AppState>) -> Router<AppState>) -> Self {
        self.router = change(self.router);
        self
    }
}

/// `METHOD "/path" => module::handler,` for every route. The module is one of [`mod@routes`].
///
/// Only tests build the API document from the handlers. The server serves the reviewed one, so a release does not
/// compile what describes some hundred operations and types.
macro_rules! routes_of {
    ($($method:ident $path:literal => $($part:ident)::+,)+) => {
        Listed {
            router: Router::new()$(.route($path, routes_of!(@method $method)(routes::$($part)::+)))+,
            #[cfg(test)]
            lines: &[$((stringify!($method), $path)),+],
            #[cfg(test)]
            described: utoipa_axum::router::OpenApiRouter::new()
                $(.routes(utoipa_axum::routes!(routes::$($part)::+)))+,
        }
    };
    (@method GET) => { get };
    (@method POST) => { post };
    (@method PUT) => { put };
    (@method PATCH) => { patch };
    (@method DELETE) => { delete };
}

/// Every route of the API.
pub fn api() -> Router<AppState> {
    resources().into_iter().fold(Router::new(), |api, listed| api.merge(listed.router)).merge(routes::unbuilt::router())
}

/// The API document, generated from the handlers.
#[cfg(test)]
pub fn document() -> utoipa::openapi::OpenApi {
    let api = utoipa_axum::router::OpenApiRouter::with_openapi(crate::http::openapi::base());
    resources().into_iter().fold(api, |api, listed| api.merge(listed.described)).into_openapi()
}

fn resources() -> Vec<Listed> {
    vec![
        health(),
        admin(),
        agents(),
        messages(),
        chat(),
        conversations(),
        conversation_messages(),
        groups(),
        group_messages(),
        blocks(),
        archives(),
        tools(),
        models(),
        runs(),
        tags(),
    ]
}

/// What a load balancer asks, and Prometheus.
fn health() -> Listed {
    routes_of! {
        GET    "/v1/health" => health::health,
        GET    "/v1/ready" => health::ready::ready,
        GET    "/metrics" => metrics::metrics,
    }
}

/// What an operator looks at.
fn admin() -> Listed {
    routes_of! {
        GET    "/v1/admin/nodes" => admin::nodes::list_nodes,
        GET    "/v1/admin/tree" => admin::tree::tree,
        GET    "/v1/admin/orgs" => admin::orgs::list::list,
        POST   "/v1/admin/orgs" => admin::orgs::create::create,
        PATCH  "/v1/admin/orgs" => admin::orgs::modify::modify,
        DELETE "/v1/admin/orgs" => admin::orgs::delete::delete,
        GET    "/v1/admin/users" => admin::users::list::list,
        POST   "/v1/admin/users" => admin::users::create::create,
        PUT    "/v1/admin/users" => admin::users::modify::modify,
        DELETE "/v1/admin/users" => admin::users::delete::delete,
        GET    "/v1/admin/keys" => admin::keys::list::list,
        POST   "/v1/admin/keys" => admin::keys::create::create,
        DELETE "/v1/admin/keys/{key_id}" => admin::keys::delete::delete,
    }
}

/// Agents and what hangs on them.
fn agents() -> Listed {
    routes_of! {
        GET    "/v1/agents" => agents::list::list,
        POST   "/v1/agents" => agents::create::create,
        GET    "/v1/agents/count" => agents::count::count,
        GET    "/v1/agents/{agent_id}" => agents::retrieve::retrieve,
        PATCH  "/v1/agents/{agent_id}" => agents::modify::modify,
        DELETE "/v1/agents/{agent_id}" => agents::delete::delete,
        GET    "/v1/agents/{agent_id}/context" => agents::context::context,
        POST   "/v1/agents/{agent_id}/recompile" => agents::recompile::recompile,
        POST   "/v1/agents/{agent_id}/system-prompt/recompile" => agents::recompile::recompile_old,
        GET    "/v1/agents/{agent_id}/groups" => agents::groups::groups,
        GET    "/v1/agents/{agent_id}/schedule" => agents::schedule::list::list_schedules,
        POST   "/v1/agents/{agent_id}/schedule" => agents::schedule::create::create_schedule,
        GET    "/v1/agents/{agent_id}/schedule/{scheduled_message_id}" => agents::schedule::retrieve::retrieve_schedule,
        DELETE "/v1/agents/{agent_id}/schedule/{scheduled_message_id}" => agents::schedule::delete::delete_schedule,
        GET    "/v1/agents/{agent_id}/sources" => agents::sources::sources,
        GET    "/v1/agents/{agent_id}/folders" => agents::folders::folders,
        GET    "/v1/agents/{agent_id}/files" => agents::files::files,
        GET    "/v1/agents/{agent_id}/core-memory" => agents::core_memory::memory::memory,
        GET    "/v1/agents/{agent_id}/core-memory/blocks" => agents::core_memory::list_blocks::list_blocks,
        GET    "/v1/agents/{agent_id}/core-memory/blocks/{block_label}" => agents::core_memory::retrieve_block::retrieve_block,
        PATCH  "/v1/agents/{agent_id}/core-memory/blocks/{block_label}" => agents::core_memory::modify_block::modify_block,
        PATCH  "/v1/agents/{agent_id}/core-memory/blocks/attach/{block_id}" => agents::core_memory::attach_block::attach_block,
        PATCH  "/v1/agents/{agent_id}/core-memory/blocks/detach/{block_id}" => agents::core_memory::detach_block::detach_block,
        GET    "/v1/agents/{agent_id}/tools" => agents::tools::list::list,
        PATCH  "/v1/agents/{agent_id}/tools/attach/{tool_id}" => agents::tools::attach::attach_tool,
        PATCH  "/v1/agents/{agent_id}/tools/detach/{tool_id}" => agents::tools::detach::detach_tool,
        PATCH  "/v1/agents/{agent_id}/tools/approval/{tool_name}" => agents::tools::approval::approval,
        POST   "/v1/agents/{agent_id}/tools/{tool_name}/run" => agents::tools::run::run,
        PATCH  "/v1/agents/{agent_id}/archives/attach/{archive_id}" => agents::archives::attach::attach_archive,
        PATCH  "/v1/agents/{agent_id}/archives/detach/{archive_id}" => agents::archives::detach::detach_archive,
        GET    "/v1/agents/{agent_id}/archival-memory" => agents::archival_memory::list::list,
        POST   "/v1/agents/{agent_id}/archival-memory" => agents::archival_memory::create::create,
        PATCH  "/v1/agents/{agent_id}/archival-memory/{memory_id}" => agents::archival_memory::modify::modify,
        DELETE "/v1/agents/{agent_id}/archival-memory/{memory_id}" => agents::archival_memory::delete::delete,
        GET    "/v1/agents/{agent_id}/archival-memory/search" => agents::archival_memory::search::search,
    }
}

/// Talking to an agent, and what was said.
fn messages() -> Listed {
    routes_of! {
        GET    "/v1/agents/{agent_id}/messages" => messages::list::list_messages,
        POST   "/v1/agents/{agent_id}/messages" => messages::create::send_message,
        POST   "/v1/agents/{agent_id}/messages/stream" => messages::stream::stream_message,
        POST   "/v1/agents/{agent_id}/messages/async" => messages::create_async::send_message_async,
        POST   "/v1/agents/{agent_id}/messages/cancel" => messages::cancel::cancel_agent_runs,
        POST   "/v1/agents/{agent_id}/messages/preview-raw-payload" => messages::preview::preview_agent_payload,
        PATCH  "/v1/agents/{agent_id}/messages/{message_id}" => messages::modify::modify_message,
        PATCH  "/v1/agents/{agent_id}/reset-messages" => messages::reset::reset_messages,
        POST   "/v1/agents/{agent_id}/summarize" => messages::summarize::summarize_agent,
        POST   "/v1/agents/messages/search" => messages::search::search_agent_messages,
        POST   "/v1/messages/search" => messages::search::search_all_messages,
        GET    "/v1/messages" => messages::all::list_all_messages,
        GET    "/v1/messages/{message_id}" => messages::all::retrieve_message,
    }
    .map(|router| router.layer(from_fn(no_retry)))
}

/// Agents behind OpenAI's API of chat completions.
fn chat() -> Listed {
    routes_of! {
        POST   "/v1/chat/completions" => chat::model::complete_chat,
        POST   "/openai/v1/{agent_id}/chat/completions" => chat::agent::complete_agent_chat,
        POST   "/v1/voice-beta/{agent_id}/chat/completions" => chat::voice::complete_voice_chat,
    }
    // Not in the API document: LiveKit's `openai.LLM.with_letta` appends `/chat/completions` to whatever base it is given,
    // and its own default and the documentation's sample are not `/v1`.
    .hidden("/chat/completions", post(routes::chat::model::complete_chat))
    .hidden("/v1/chat/completions/chat/completions", post(routes::chat::model::complete_chat))
    .hidden("/{agent_id}/chat/completions", post(routes::chat::voice::complete_voice_chat))
    .map(|router| router.layer(from_fn(no_retry)))
}

/// Conversations beside an agent's own history.
fn conversations() -> Listed {
    routes_of! {
        GET    "/v1/conversations" => conversations::list::list_conversations,
        POST   "/v1/conversations" => conversations::create::create_conversation,
        GET    "/v1/conversations/{conversation_id}" => conversations::retrieve::retrieve_conversation,
        PATCH  "/v1/conversations/{conversation_id}" => conversations::modify::modify_conversation,
        DELETE "/v1/conversations/{conversation_id}" => conversations::delete::delete_conversation,
        POST   "/v1/conversations/{conversation_id}/cancel" => conversations::cancel::cancel_conversation,
        POST   "/v1/conversations/{conversation_id}/fork" => conversations::fork::fork_conversation,
        POST   "/v1/conversations/{conversation_id}/compact" => conversations::maintain::compact_conversation,
        POST   "/v1/conversations/{conversation_id}/recompile" => conversations::maintain::recompile_conversation,
        POST   "/v1/conversations/{conversation_id}/stream" => conversations::stream::stream_conversation,
    }
}

/// What is said in a conversation.
fn conversation_messages() -> Listed {
    routes_of! {
        GET    "/v1/conversations/{conversation_id}/messages" => conversations::messages::list_conversation_messages,
        POST   "/v1/conversations/{conversation_id}/messages" => conversations::messages::send_conversation_message,
        POST   "/v1/conversations/{conversation_id}/messages/preview-raw-payload" => conversations::messages::preview_conversation_payload,
    }
    .map(|router| router.layer(from_fn(no_retry)))
}

/// Groups of agents.
fn groups() -> Listed {
    routes_of! {
        GET    "/v1/groups" => groups::list::list,
        POST   "/v1/groups" => groups::create::create,
        GET    "/v1/groups/count" => groups::count::count,
        GET    "/v1/groups/{group_id}" => groups::retrieve::retrieve,
        PATCH  "/v1/groups/{group_id}" => groups::modify::modify,
        DELETE "/v1/groups/{group_id}" => groups::delete::delete,
        PATCH  "/v1/groups/{group_id}/blocks/attach/{block_id}" => groups::blocks::attach_block,
        PATCH  "/v1/groups/{group_id}/blocks/detach/{block_id}" => groups::blocks::detach_block,
    }
}

/// What is said in a group.
fn group_messages() -> Listed {
    routes_of! {
        GET    "/v1/groups/{group_id}/messages" => groups::messages::list::list_messages,
        POST   "/v1/groups/{group_id}/messages" => groups::messages::send::send_message,
        POST   "/v1/groups/{group_id}/messages/stream" => groups::messages::send::stream_message,
        PATCH  "/v1/groups/{group_id}/messages/{message_id}" => groups::messages::modify::modify_message,
        PATCH  "/v1/groups/{group_id}/reset-messages" => groups::messages::reset::reset_messages,
    }
    .map(|router| router.layer(from_fn(no_retry)))
}

/// Memory blocks.
fn blocks() -> Listed {
    routes_of! {
        GET    "/v1/blocks" => blocks::list::list,
        POST   "/v1/blocks" => blocks::create::create,
        GET    "/v1/blocks/count" => blocks::count::count,
        GET    "/v1/blocks/{block_id}" => blocks::retrieve::retrieve,
        PATCH  "/v1/blocks/{block_id}" => blocks::modify::modify,
        DELETE "/v1/blocks/{block_id}" => blocks::delete::delete,
        GET    "/v1/blocks/{block_id}/agents" => blocks::agents::agents,
    }
}

/// Archives and passages.
fn archives() -> Listed {
    routes_of! {
        GET    "/v1/archives" => archives::list::list,
        POST   "/v1/archives" => archives::create::create,
        GET    "/v1/archives/{archive_id}" => archives::retrieve::retrieve,
        PATCH  "/v1/archives/{archive_id}" => archives::modify::modify,
        DELETE "/v1/archives/{archive_id}" => archives::delete::delete,
        GET    "/v1/archives/{archive_id}/agents" => archives::agents::agents,
        POST   "/v1/archives/{archive_id}/passages" => archives::create_passage::create_passage,
        POST   "/v1/archives/{archive_id}/passages/batch" => archives::create_passages::create_passages,
        DELETE "/v1/archives/{archive_id}/passages/{passage_id}" => archives::delete_passage::delete_passage,
        POST   "/v1/passages/search" => passages::search::search,
    }
}

/// Tools.
fn tools() -> Listed {
    routes_of! {
        GET    "/v1/tools" => tools::list::list,
        GET    "/v1/tools/count" => tools::count::count,
        POST   "/v1/tools/add-base-tools" => tools::add_base_tools::add_base_tools,
        POST   "/v1/tools/search" => tools::search::search,
        GET    "/v1/tools/{tool_id}" => tools::retrieve::retrieve,
        PATCH  "/v1/tools/{tool_id}" => tools::modify::modify,
        DELETE "/v1/tools/{tool_id}" => tools::delete::delete,
    }
}

/// Models that agents can have.
fn models() -> Listed {
    routes_of! {
        GET    "/v1/models" => models::list::list,
        GET    "/v1/models/embedding" => models::embedding::embedding,
        GET    "/v1/models/embeddings" => models::embedding::embeddings,
        GET    "/v1/embeddings/total_storage_size" => models::storage::total_storage_size,
    }
}

/// Runs and their steps.
fn runs() -> Listed {
    routes_of! {
        GET    "/v1/runs" => runs::list::list_runs,
        GET    "/v1/runs/active" => runs::list::list_active_runs,
        GET    "/v1/runs/{run_id}" => runs::retrieve::retrieve_run,
        DELETE "/v1/runs/{run_id}" => runs::delete::delete_run,
        GET    "/v1/runs/{run_id}/messages" => runs::messages::list_run_messages,
        GET    "/v1/runs/{run_id}/steps" => runs::steps::list_run_steps,
        GET    "/v1/runs/{run_id}/usage" => runs::usage::retrieve_run_usage,
        GET    "/v1/runs/{run_id}/metrics" => runs::metrics::retrieve_run_metrics,
        GET    "/v1/runs/{run_id}/trace" => runs::trace::retrieve_run_trace,
        POST   "/v1/runs/{run_id}/stream" => runs::resume::resume_run,
        GET    "/v1/steps" => steps::list::list_steps,
        GET    "/v1/steps/{step_id}" => steps::retrieve::retrieve_step,
        GET    "/v1/steps/{step_id}/metrics" => steps::retrieve::retrieve_step_metrics,
        PATCH  "/v1/steps/{step_id}/feedback" => steps::feedback::modify_feedback,
        POST   "/v1/steps/{step_id}/feedback" => steps::feedback::add_feedback,
        GET    "/v1/steps/{step_id}/messages" => steps::messages::list_step_messages,
        GET    "/v1/steps/{step_id}/trace" => steps::trace::retrieve_step_trace,
        GET    "/v1/telemetry/{step_id}" => steps::trace::retrieve_trace,
    }
}

/// Tags of agents.
fn tags() -> Listed {
    routes_of! {
        GET    "/v1/tags" => tags::list::list,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_line_says_what_its_handler_says() {
        let document = serde_json::to_value(document()).expect("the document is JSON");
        let mut described = BTreeSet::new();
        for (path, item) in document["paths"].as_object().expect("paths") {
            let methods = item.as_object().expect("operations").keys();
            described.extend(methods.map(|method| (method.to_ascii_uppercase(), path.clone())));
        }
        let lines: Vec<(String, String)> = resources()
            .iter()
            .flat_map(|listed| listed.lines)
            .map(|(method, path)| ((*method).to_owned(), (*path).to_owned()))
            .collect();
        assert_eq!(lines.iter().cloned().collect::<BTreeSet<_>>(), described);
        assert_eq!(lines.len(), described.len(), "a route is listed twice");
    }
}
