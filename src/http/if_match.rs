//! The header `If-Match`: the version that a caller knows of what it changes.

use axum::http::{HeaderMap, header};
use engram_domain::Json;

use crate::http::error::ApiError;

/// The version, with or without quotes; none for `*` or without the header.
pub fn if_match(headers: &HeaderMap) -> Result<Option<i64>, ApiError> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim().trim_matches('"');
    if text == "*" {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|_| ApiError::invalid(&["header", "If-Match"], "expected the block's `version`", Json::from(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_condition_is_a_version() {
        let read = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_MATCH, value.parse().expect("a header value"));
            if_match(&headers)
        };
        assert_eq!(read("\"3\"").expect("valid"), Some(3));
        assert_eq!(read("3").expect("valid"), Some(3));
        assert_eq!(read("*").expect("valid"), None);
        assert!(read("yesterday").is_err());
    }
}
