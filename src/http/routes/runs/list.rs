//! `GET /v1/runs`, `GET /v1/runs/active`

use axum::Json;
use engram_domain::{AgentId, GroupId, RunOwner, RunStatus, StopReason};
use engram_store::runs::RunFilter;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use crate::app::App;
use crate::http::{
    ApiError, ApiQuery, PageQuery,
    dto::{conversations::conversation_id, owned::OwnedBy, runs::RunDto},
};

/// Which runs a list has.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct RunQuery {
    /// Of this agent.
    #[param(value_type = Option<String>)]
    pub agent_id: Option<AgentId>,
    /// Of any of these agents.
    #[param(value_type = Vec<String>)]
    pub agent_ids: Vec<AgentId>,
    /// In any of these states.
    pub statuses: Vec<String>,
    /// Only those that are not over.
    pub active: bool,
    /// Whether the caller did not wait.
    pub background: Option<bool>,
    /// Ended for this reason.
    pub stop_reason: Option<String>,
    /// In this conversation.
    pub conversation_id: Option<String>,
    /// Of this group.
    #[param(value_type = Option<String>)]
    pub group_id: Option<GroupId>,
}

impl RunQuery {
    fn filter(&self) -> Result<RunFilter, ApiError> {
        let wrong = |member: &str, text: &str| {
            ApiError::invalid(&["query", member], format!("expected a known {member}"), json!(text))
        };
        let statuses = self.statuses.iter().map(|s| match s.as_str() {
            // Words of the old job type for the same states.
            "not_started" | "pending" => Ok(RunStatus::Created),
            "expired" => Ok(RunStatus::Failed),
            other => RunStatus::parse(other).ok_or_else(|| wrong("statuses", other)),
        });
        let stop_reason = self.stop_reason.as_deref();
        let conversation = self.conversation_id.as_deref();
        Ok(RunFilter {
            agent_ids: self.agent_ids.iter().copied().chain(self.agent_id).collect(),
            statuses: statuses.collect::<Result<_, _>>()?,
            active: self.active,
            owner: match (conversation, self.group_id) {
                (Some(id), _) => Some(conversation_id(id, self.agent_id)?.into()),
                (None, group) => group.map(RunOwner::from),
            },
            background: self.background,
            stop_reason: stop_reason
                // A reason that only the cloud knows: no run here has it, which `find` says with an empty list.
                .filter(|s| *s != "insufficient_credits")
                .map(|s| StopReason::parse(s).ok_or_else(|| wrong("stop_reason", s)))
                .transpose()?,
        })
    }
}

async fn find(app: &App, query: &RunQuery, page: &PageQuery) -> Result<Json<Vec<RunDto>>, ApiError> {
    let page = page.page(100, false)?;
    let filter = query.filter()?;
    if query.stop_reason.as_deref() == Some("insufficient_credits") {
        return Ok(Json(Vec::new()));
    }
    let runs = app.store.runs(&filter, page).await?;
    let by = OwnedBy::of(app);
    Ok(Json(runs.iter().map(|run| RunDto::new(run, by)).collect()))
}

/// List runs, newest first.
#[utoipa::path(get, path = "/v1/runs", tag = "runs", params(RunQuery, PageQuery), responses((status = 200, body = Vec<RunDto>)))]
pub async fn list_runs(
    app: App,
    ApiQuery(page): ApiQuery<PageQuery>,
    ApiQuery(query): ApiQuery<RunQuery>,
) -> Result<Json<Vec<RunDto>>, ApiError> {
    find(&app, &query, &page).await
}

/// List runs that are not over, newest first.
#[utoipa::path(get, path = "/v1/runs/active", tag = "runs", params(RunQuery, PageQuery), responses((status = 200, body = Vec<RunDto>)))]
pub async fn list_active_runs(
    app: App,
    ApiQuery(page): ApiQuery<PageQuery>,
    ApiQuery(query): ApiQuery<RunQuery>,
) -> Result<Json<Vec<RunDto>>, ApiError> {
    find(&app, &RunQuery { active: true, ..query }, &page).await
}
