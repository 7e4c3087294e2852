//! `GET /v1/models/`

use axum::Json;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::http::{dto::models::ModelDto, error::ApiError, extract::ApiQuery};

/// Query parameters.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ModelQuery {
    /// `base` or `byok`.
    #[serde(rename = "provider_category")]
    category: Vec<String>,
    /// The part of the handle before the slash.
    #[serde(rename = "provider_name")]
    name: Option<String>,
    /// Kind of provider.
    #[serde(rename = "provider_type")]
    kind: Option<String>,
}

/// Lists the language models of every provider that answers.
#[utoipa::path(get, path = "/v1/models", tag = "models", params(ModelQuery),
    responses((status = 200, body = Vec<ModelDto>)))]
pub async fn list(app: App, ApiQuery(q): ApiQuery<ModelQuery>) -> Result<Json<Vec<ModelDto>>, ApiError> {
    let models = app.providers.models().await;
    let wanted = |m: &ModelDto| {
        let category = m.config.provider_category.as_deref().unwrap_or("base");
        (q.category.is_empty() || q.category.iter().any(|c| c == category))
            && q.name.as_deref().is_none_or(|n| m.config.provider_name.as_deref() == Some(n))
            && q.kind.as_deref().is_none_or(|t| m.provider_type == t)
    };
    Ok(Json(models.iter().map(ModelDto::from).filter(wanted).collect()))
}
