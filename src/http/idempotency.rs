//! The header `Idempotency-Key`: a name that a caller gives to a request, so that one that is sent again
//! is answered with what became of the first.

use axum::{extract::FromRequestParts, http::request::Parts};
use engram_domain::Json;

use crate::http::error::ApiError;

/// The header's name, as errors spell it.
pub const HEADER: &str = "Idempotency-Key";
/// Characters that it may have.
const LONGEST: usize = 255;

/// The key of a request, if it has one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdempotencyKey(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get(HEADER) else { return Ok(Self(None)) };
        match value.to_str().map(str::trim) {
            Ok(key) if (1..=LONGEST).contains(&key.len()) => Ok(Self(Some(key.to_owned()))),
            _ => Err(ApiError::invalid(&["header", HEADER], "expected 1 to 255 visible ASCII characters", Json::Null)),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    async fn read(value: &str) -> Result<IdempotencyKey, ApiError> {
        let request = Request::builder().header("idempotency-key", value.as_bytes()).body(()).expect("a request");
        IdempotencyKey::from_request_parts(&mut request.into_parts().0, &()).await
    }

    #[tokio::test]
    async fn a_key_has_a_length_and_no_odd_characters() {
        assert_eq!(read("a-1").await.expect("valid"), IdempotencyKey(Some("a-1".into())));
        assert!(read(&"x".repeat(255)).await.is_ok());
        for wrong in ["", "  ", "ключ", &"x".repeat(256)] {
            let error = read(wrong).await.expect_err("it is wrong");
            insta::allow_duplicates! {
                insta::assert_snapshot!(error.body()["detail"], @r#"[{"type":"value_error","loc":["header","Idempotency-Key"],"msg":"expected 1 to 255 visible ASCII characters","input":null}]"#);
            }
        }
    }
}
