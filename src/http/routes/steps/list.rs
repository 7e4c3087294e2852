//! `GET /v1/steps`

use axum::Json;
use engram_domain::AgentId;
use engram_store::steps::StepFilter;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::http::{
    ApiError, ApiQuery, PageQuery,
    dto::{owned::OwnedBy, steps::StepDto},
    pagination,
};

/// Which steps.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct StepQuery {
    /// Of this agent.
    #[param(value_type = Option<String>)]
    pub agent_id: Option<AgentId>,
    /// With this model name or handle.
    pub model: Option<String>,
    /// With this feedback.
    pub feedback: Option<String>,
    /// With any feedback, or without.
    pub has_feedback: Option<bool>,
    /// With any of these tags.
    pub tags: Vec<String>,
    /// Begun at this time or later.
    pub start_date: Option<String>,
    /// Begun at this time or earlier.
    pub end_date: Option<String>,
    /// With one of these trace ids. No step has one, so this finds nothing.
    pub trace_ids: Vec<String>,
}

/// List steps, newest first.
#[utoipa::path(get, path = "/v1/steps", tag = "steps", params(StepQuery, PageQuery), responses((status = 200, body = Vec<StepDto>)))]
pub async fn list_steps(
    app: App,
    ApiQuery(page): ApiQuery<PageQuery>,
    ApiQuery(query): ApiQuery<StepQuery>,
) -> Result<Json<Vec<StepDto>>, ApiError> {
    let page = page.page(50, false)?;
    let filter = StepFilter {
        agent_id: query.agent_id,
        model: query.model,
        feedback: query.feedback,
        has_feedback: query.has_feedback,
        tags: query.tags,
        start: pagination::time("start_date", query.start_date.as_deref())?,
        end: pagination::time("end_date", query.end_date.as_deref())?,
        ..StepFilter::default()
    };
    if !query.trace_ids.is_empty() {
        return Ok(Json(Vec::new()));
    }
    let by = OwnedBy::of(&app);
    Ok(Json(app.store.steps(&filter, page).await?.iter().map(|step| StepDto::new(step, by)).collect()))
}
