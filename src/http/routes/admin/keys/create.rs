//! `POST /v1/admin/keys/`

use std::fmt::Write;

use axum::Json;
use engram_core::ports::Ids;
use engram_domain::{ApiKey, ApiKeyId};
use engram_store::tenants::NewApiKey;

use crate::{
    app::App,
    http::{
        auth::{KEY_PREFIX, digest},
        dto::tenants::{ApiKeyCreate, CreatedApiKeyDto},
        error::ApiError,
        extract::ApiJson,
    },
};

/// Random characters of a key that are shown in lists.
const SHOWN: usize = 8;

/// Creates an API key of an organization, the caller's where none is named. The key itself is in this answer and
/// nowhere else: keep it.
#[utoipa::path(post, path = "/v1/admin/keys", tag = "admin", request_body = ApiKeyCreate,
    responses((status = 200, body = CreatedApiKeyDto)))]
pub async fn create(app: App, ApiJson(body): ApiJson<ApiKeyCreate>) -> Result<Json<CreatedApiKeyDto>, ApiError> {
    let secret = secret(app.ids.as_ref());
    let key = ApiKey {
        id: ApiKeyId(app.ids.uuid()),
        organization_id: body.organization(app.scope)?,
        scopes: body.scopes()?,
        name: body.name,
        prefix: secret.chars().take(KEY_PREFIX.len() + SHOWN).collect(),
        created_at: app.clock.now(),
        revoked_at: None,
    };
    app.tenants.create_api_key(&NewApiKey { key: key.clone(), hash: digest(secret.as_bytes()) }).await?;
    Ok(Json(CreatedApiKeyDto { about: key.into(), key: secret }))
}

/// 256 random bits: the digest of three random ids, which have 366.
fn secret(ids: &dyn Ids) -> String {
    let seed: Vec<u8> = (0..3).flat_map(|_| ids.uuid().into_bytes()).collect();
    digest(&seed).iter().fold(KEY_PREFIX.to_owned(), |mut key, byte| {
        // Writing to a string cannot fail.
        let _ = write!(key, "{byte:02x}");
        key
    })
}
