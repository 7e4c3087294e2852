//! `POST /v1/agents/{agent_id}/messages/cancel`

use axum::{Json as AxumJson, extract::State};
use engram_domain::{AgentId, ConversationId, Json, RunId};
use engram_store::{Page, runs::RunFilter};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::http::{ApiError, AppState, OptionalJson, PathId};

/// Runs that one request cancels at most.
const MOST: i64 = 1_000;

/// Which runs.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct CancelRequest {
    /// These; every open run of the agent when absent.
    #[schema(value_type = Option<Vec<String>>)]
    pub run_ids: Option<Vec<RunId>>,
}

/// Cancel runs of an agent.
#[utoipa::path(
    post, path = "/v1/agents/{agent_id}/messages/cancel", tag = "agents.messages",
    params(("agent_id" = String, Path, description = "Id of the agent")),
    request_body = Option<CancelRequest>,
    responses(
        (status = 200, body = Object, description = "What became of each run: `cancelled`, or how it had ended"),
        (status = 409, description = "Nothing runs")
    )
)]
pub async fn cancel_agent_runs(
    State(state): State<AppState>,
    PathId(agent_id): PathId<AgentId>,
    OptionalJson(request): OptionalJson<CancelRequest>,
) -> Result<AxumJson<Json>, ApiError> {
    if !state.store.agent_exists(agent_id).await? {
        return Err(ApiError::not_found("Agent", agent_id));
    }
    let runs = match request.run_ids.filter(|ids| !ids.is_empty()) {
        Some(ids) => {
            let mut runs = Vec::with_capacity(ids.len());
            for id in ids {
                let run = state.store.run_by_id(id).await?.filter(|run| run.agent_id == agent_id);
                runs.push(run.ok_or_else(|| ApiError::not_found("Run", id))?);
            }
            runs
        }
        None => {
            open_runs(&state, RunFilter { agent_ids: vec![agent_id], active: true, ..RunFilter::default() }).await?
        }
    };
    cancel_all(&state, runs, &format!("agent {agent_id}")).await
}

/// Cancels every open run of a conversation.
pub async fn cancel_runs(state: &AppState, conversation: ConversationId) -> Result<AxumJson<Json>, ApiError> {
    let filter = RunFilter { conversation_id: Some(conversation), active: true, ..RunFilter::default() };
    let runs = open_runs(state, filter).await?;
    cancel_all(state, runs, &format!("conversation {conversation}")).await
}

/// Newest first: were the running one cancelled first, the next in line would begin.
async fn open_runs(state: &AppState, filter: RunFilter) -> Result<Vec<engram_domain::Run>, ApiError> {
    Ok(state.store.runs(&filter, Page::newest(MOST)).await?)
}

async fn cancel_all(state: &AppState, runs: Vec<engram_domain::Run>, whose: &str) -> Result<AxumJson<Json>, ApiError> {
    let (mut results, mut any) = (serde_json::Map::new(), false);
    for run in runs {
        let cancelled = !run.status.is_terminal() && state.engine.cancel(run.conversation_id, run.id).await?;
        any |= cancelled;
        let status = if cancelled { "cancelled" } else { run.status.as_str() };
        results.insert(run.id.to_string(), json!(status));
    }
    if any {
        Ok(AxumJson(Json::Object(results)))
    } else {
        Err(ApiError::conflict(format!("CONFLICT: No active runs to cancel for {whose}")))
    }
}
