//! `POST /v1/agents/{agent_id}/summarize`

use axum::Json as AxumJson;
use engram_domain::{AgentId, CompactionSettings, ConversationId, Json};
use engram_engine::{Command, CommandError, CommandOutcome};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::reset::of_agent;
use crate::app::App;
use crate::http::{ApiError, ApiQuery, Caller, OptionalJson, PathId, show::agent_state};

/// How to compact.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct CompactionRequest {
    /// Instead of the agent's own settings.
    #[schema(value_type = Option<Object>)]
    pub compaction_settings: Option<CompactionSettings>,
    /// The agent, where a conversation does not say it.
    pub agent_id: Option<String>,
}

/// The old form.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct SummarizeQuery {
    /// Messages that stay in context.
    pub max_message_length: Option<usize>,
}

/// What a compaction did.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CompactionResponse {
    /// What stands for the messages that left; empty when none had to.
    pub summary: String,
    /// Messages in context before.
    pub num_messages_before: usize,
    /// Messages in context after.
    pub num_messages_after: usize,
}

/// Put a summary in the place of older messages. With `max_message_length` the answer is the agent.
#[utoipa::path(
    post, path = "/v1/agents/{agent_id}/summarize", tag = "agents.messages",
    params(("agent_id" = String, Path, description = "Id of the agent"), SummarizeQuery),
    request_body = Option<CompactionRequest>,
    responses((status = 200, body = CompactionResponse), (status = 404, description = "No such agent"))
)]
pub async fn summarize_agent(
    app: App,
    PathId(agent_id): PathId<AgentId>,
    caller: Caller,
    ApiQuery(query): ApiQuery<SummarizeQuery>,
    OptionalJson(request): OptionalJson<CompactionRequest>,
) -> Result<AxumJson<Json>, ApiError> {
    let conversation = agent_id.default_conversation();
    let done = compact(&app, conversation, request.compaction_settings, query.max_message_length)
        .await
        .map_err(|e| of_agent(e, agent_id))?;
    let done = serde_json::to_value(done).map_err(ApiError::internal)?;
    if query.max_message_length.is_none() && caller.is_v1_sdk {
        return Ok(AxumJson(done));
    }
    // Old clients read an agent, whichever way they asked.
    let mut agent = serde_json::to_value(agent_state(&app, agent_id).await?).map_err(ApiError::internal)?;
    if let (None, Json::Object(agent), Json::Object(done)) = (query.max_message_length, &mut agent, done) {
        agent.extend(done);
    }
    Ok(AxumJson(agent))
}

/// Compacts a conversation.
pub async fn compact(
    app: &App,
    conversation: ConversationId,
    settings: Option<CompactionSettings>,
    keep_last: Option<usize>,
) -> Result<CompactionResponse, CommandError> {
    match app.engine.command(conversation, Command::Compact { settings, keep_last }).await? {
        CommandOutcome::Compacted { summary, before, after } => Ok(CompactionResponse {
            summary: summary.unwrap_or_default(),
            num_messages_before: before,
            num_messages_after: after,
        }),
        _ => Err(CommandError::Invalid("the conversation could not be compacted".into())),
    }
}
