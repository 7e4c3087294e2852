//! `GET /v1/embeddings/total_storage_size`

use axum::{Json, http::HeaderMap};

use crate::app::App;
use crate::http::error::ApiError;

/// What the vectors of all passages take, in the unit of the header `storage-unit` (`B`, `KB`, `MB`,
/// `GB` or `TB`; `GB` when absent).
#[utoipa::path(get, path = "/v1/embeddings/total_storage_size", tag = "models",
    params(("storage-unit" = Option<String>, Header)), responses((status = 200, body = f64)))]
pub async fn total_storage_size(app: App, headers: HeaderMap) -> Result<Json<f64>, ApiError> {
    let unit = headers.get("storage-unit").and_then(|v| v.to_str().ok()).unwrap_or("GB").to_ascii_uppercase();
    let power = match unit.as_str() {
        "B" => 0,
        "KB" => 1,
        "MB" => 2,
        "GB" => 3,
        "TB" => 4,
        other => {
            let expected = "expected B, KB, MB, GB or TB";
            return Err(ApiError::invalid(&["header", "storage-unit"], expected, engram_domain::Json::from(other)));
        }
    };
    let bytes = app.store.embedding_bytes().await?;
    Ok(Json(bytes as f64 / 1024_f64.powi(power)))
}
