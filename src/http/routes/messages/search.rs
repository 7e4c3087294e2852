//! `POST /v1/agents/messages/search`, `POST /v1/messages/search`

use axum::Json as AxumJson;
use engram_domain::{AgentId, Json, Message, Role};
use engram_store::search::MessageSearch;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::app::{App, limits};
use crate::http::{
    ApiError, OptionalJson,
    dto::{
        context::raw_message,
        conversations::conversation_id,
        messages::{Body, Options, letta::timestamp, pieces_of},
        owned::OwnedBy,
    },
    pagination,
};

/// What is searched for.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct SearchRequest {
    /// Words that the message contains; all messages when absent.
    pub query: Option<String>,
    /// `vector`, `fts` or `hybrid`; all of them search by words.
    pub search_mode: Option<String>,
    /// By these speakers.
    pub roles: Option<Vec<String>>,
    /// In the conversations of this agent.
    #[schema(value_type = Option<String>)]
    pub agent_id: Option<AgentId>,
    /// In this conversation.
    pub conversation_id: Option<String>,
    /// Messages at most, 50 unless asked otherwise.
    pub limit: Option<i64>,
    /// Not older.
    pub start_date: Option<String>,
    /// Not newer.
    pub end_date: Option<String>,
}

/// A message that was found, as the old server kept it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SearchResult {
    /// The words that matched.
    pub embedded_text: String,
    /// The message.
    #[schema(value_type = Object)]
    pub message: Json,
    /// Place by words.
    pub fts_rank: Option<usize>,
    /// Place by meaning.
    pub vector_rank: Option<usize>,
    /// Both places in one number: the larger, the better.
    pub rrf_score: f64,
}

/// Search messages; the newest come first.
#[utoipa::path(
    post, path = "/v1/agents/messages/search", tag = "agents.messages", extensions(("x-engram-scope" = json!("read"))), request_body = SearchRequest,
    responses((status = 200, body = Vec<SearchResult>))
)]
pub async fn search_agent_messages(
    app: App,
    OptionalJson(request): OptionalJson<SearchRequest>,
) -> Result<AxumJson<Vec<SearchResult>>, ApiError> {
    let found = search(&app, &request).await?;
    let by = OwnedBy::of(&app);
    let results = found.iter().enumerate().map(|(index, message)| SearchResult {
        embedded_text: message.content.plain_text(),
        message: raw_message(message, by),
        fts_rank: Some(index + 1),
        vector_rank: None,
        rrf_score: rrf(index),
    });
    Ok(AxumJson(results.collect()))
}

/// Searches messages and reasoning, and says in which conversation each is; the newest come first.
#[utoipa::path(
    post, path = "/v1/messages/search", tag = "messages", extensions(("x-engram-scope" = json!("read"))), request_body = SearchRequest,
    responses((status = 200, body = Vec<Object>))
)]
pub async fn search_all_messages(
    app: App,
    OptionalJson(request): OptionalJson<SearchRequest>,
) -> Result<AxumJson<Vec<Json>>, ApiError> {
    let found = search(&app, &request).await?;
    Ok(AxumJson(found.iter().flat_map(said).collect()))
}

/// Reciprocal rank fusion with its usual constant, of one ranking.
fn rrf(index: usize) -> f64 {
    1.0 / (61.0 + index as f64)
}

async fn search(app: &App, request: &SearchRequest) -> Result<Vec<Message>, ApiError> {
    let roles = request.roles.iter().flatten().map(|role| match role.as_str() {
        // An old name of what a tool returned.
        "function" => Ok(Role::Tool),
        role => Role::parse(role).ok_or_else(|| {
            ApiError::invalid(&["body", "roles"], "expected roles as `user` or `assistant`", json!(role))
        }),
    });
    limits::at_most(&["query"], "bytes", request.query.as_ref().map_or(0, String::len), limits::QUERY)?;
    limits::at_most(&["roles"], "roles", request.roles.iter().flatten().count(), limits::MESSAGE_TYPES)?;
    let conversation =
        request.conversation_id.as_deref().map(|id| conversation_id(id, request.agent_id)).transpose()?;
    let search = MessageSearch {
        text: request.query.clone().filter(|q| !q.trim().is_empty()),
        agent_id: request.agent_id,
        conversation_id: conversation,
        roles: roles.collect::<Result<_, _>>()?,
        start: pagination::time("start_date", request.start_date.as_deref())?,
        end: pagination::time("end_date", request.end_date.as_deref())?,
        out_of_context: false,
        limit: request.limit.unwrap_or(50).clamp(0, 100),
        offset: 0,
    };
    Ok(app.store.search_messages(&search).await?)
}

/// What of a message is said or thought, in the form of a search result.
fn said(message: &Message) -> Vec<Json> {
    let around = |mut result: Json| {
        if let Json::Object(result) = &mut result {
            result.insert("message_id".into(), json!(message.id));
            result.insert("agent_id".into(), json!(message.agent_id));
            let own = message.conversation_id != message.agent_id.default_conversation();
            result.insert("conversation_id".into(), json!(own.then_some(message.conversation_id)));
            result.insert("created_at".into(), json!(timestamp(message.created_at)));
        }
        result
    };
    pieces_of(message, &Options::default())
        .into_iter()
        .filter(|piece| {
            matches!(
                piece.message.body,
                Body::SystemMessage { .. }
                    | Body::UserMessage { .. }
                    | Body::AssistantMessage { .. }
                    | Body::ReasoningMessage { .. }
            )
        })
        .filter_map(|piece| serde_json::to_value(piece.message.body).ok())
        .map(around)
        .collect()
}
