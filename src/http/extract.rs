//! Extractors that answer in the API's own error format.
//!
//! What they do: [`ApiJson`] and [`OptionalJson`] read a body, [`ApiQuery`] a query string,
//! [`PathId`] typed ids out of the path. A mistake becomes a 422 that names the member.

use axum::{
    body::Bytes,
    extract::{
        FromRequest, FromRequestParts, OptionalFromRequest, Path, RawPathParams, Request,
        path::ErrorKind,
        rejection::{BytesRejection, PathRejection},
    },
    http::{StatusCode, request::Parts},
};
use engram_domain::Json;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::{
    app::{self, cpu},
    http::{error::ApiError, query::QueryDeserializer},
};

/// A JSON body.
#[derive(Debug, Clone)]
pub struct ApiJson<T>(pub T);

/// A JSON body that may be missing, empty or `null`; then it is the default.
#[derive(Debug, Clone)]
pub struct OptionalJson<T>(pub T);

/// A query string; repeated keys become lists.
#[derive(Debug, Clone)]
pub struct ApiQuery<T>(pub T);

/// One id of the path, or a tuple of them in their order.
#[derive(Debug, Clone)]
pub struct PathId<T>(pub T);

/// Turns a serde path (`messages[0].role`) into the `loc` of an error.
fn loc(root: &str, path: &serde_path_to_error::Path) -> Vec<String> {
    use serde_path_to_error::Segment;
    let mut out = vec![root.to_owned()];
    out.extend(path.iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { variant } => Some(variant.clone()),
        Segment::Unknown => None,
    }));
    out
}

/// The value at an error's place. Only called on the error path, so a second parse is fine.
fn value_at(bytes: &[u8], loc: &[String]) -> Option<Json> {
    let mut value: &Json = &serde_json::from_slice(bytes).ok()?;
    for part in loc.iter().skip(1) {
        value = match value {
            Json::Array(items) => items.get(part.parse::<usize>().ok()?)?,
            other => other.get(part)?,
        };
    }
    Some(value.clone())
}

/// Whether a NUL may be in there: JSON has it only in its escaped form.
fn may_have_nul(bytes: &[u8]) -> bool {
    bytes.windows(6).any(|w| w == b"\\u0000")
}

/// The place of the first text with a NUL, as the `loc` of an error.
fn nul_at(bytes: &[u8]) -> Option<Vec<String>> {
    /// The way to it, from the inside to the outside: names are written down for what was found alone.
    fn walk(value: &Json) -> Option<Vec<String>> {
        let (name, mut path) = match value {
            Json::String(text) => return text.contains('\0').then(Vec::new),
            Json::Array(items) => items.iter().enumerate().find_map(|(i, item)| Some((i.to_string(), walk(item)?)))?,
            Json::Object(members) => members.iter().find_map(|(name, item)| Some((name.clone(), walk(item)?)))?,
            _ => return None,
        };
        path.push(name);
        Some(path)
    }
    let mut path = walk(&serde_json::from_slice(bytes).ok()?)?;
    path.push("body".to_owned());
    path.reverse();
    Some(path)
}

/// Reads a JSON body, which is an object everywhere in this API, naming the member that is wrong.
pub fn parse_body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // serde reads a list as a struct by position, and so `[]` as a request that asks for nothing.
    if bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'[') {
        return Err(ApiError::invalid(&["body"], "expected an object", Json::Null));
    }
    // Members that are ignored are not decoded, so their bytes are checked here.
    if let Err(error) = std::str::from_utf8(bytes) {
        return Err(ApiError::invalid(&["body"], format!("expected JSON in UTF-8: {error}"), Json::Null));
    }
    // No text of Postgres holds a NUL. Refused here, where the member can be named.
    if let Some(loc) = may_have_nul(bytes).then(|| nul_at(bytes)).flatten() {
        return Err(ApiError::invalid(&loc, "expected a text without the character U+0000", Json::Null));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let inner = error.inner();
        if inner.is_data() {
            let mut loc = loc("body", error.path());
            // A member that is missing is named in the message only; clients look for it in `loc`.
            if let Some(name) = inner.to_string().strip_prefix("missing field `").and_then(|s| s.split('`').next()) {
                loc.push(name.to_owned());
                return ApiError::invalid(&loc, "Field required", Json::Null);
            }
            let input = value_at(bytes, &loc).unwrap_or_default();
            return ApiError::invalid(&loc, strip_position(&inner.to_string()), input);
        }
        ApiError::invalid(&["body"], format!("expected JSON in UTF-8: {inner}"), Json::Null)
    })?;
    reader.end().map_err(|e| ApiError::invalid(&["body"], format!("expected one JSON value: {e}"), Json::Null))?;
    Ok(value)
}

/// serde_json appends ` at line 1 column 2`, which is of no use next to a `loc`.
fn strip_position(message: &str) -> &str {
    message.rfind(" at line ").map_or(message, |at| &message[..at])
}

async fn read_bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection {
        BytesRejection::FailedToBufferBody(e) if e.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "The request body is larger than this server accepts")
        }
        other => ApiError::bad_request(format!("the request body could not be read: {other}")),
    })
}

/// Reads a body: a large one on a thread of its own.
async fn parse<T: DeserializeOwned + Send + 'static>(bytes: Bytes) -> Result<T, ApiError> {
    cpu::run_if(bytes.len(), move || parse_body(&bytes)).await.map_err(app::Error::from)?
}

impl<S: Send + Sync, T: DeserializeOwned + Send + 'static> FromRequest<S> for ApiJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = read_bytes(request, state).await?;
        if bytes.is_empty() {
            return Err(ApiError::invalid(&["body"], "Field required", Json::Null));
        }
        parse(bytes).await.map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Default + Send + 'static> FromRequest<S> for OptionalJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = read_bytes(request, state).await?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self(T::default()));
        }
        Ok(Self(parse::<Option<T>>(bytes).await?.unwrap_or_default()))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send + 'static> OptionalFromRequest<S> for ApiJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, ApiError> {
        let bytes = read_bytes(request, state).await?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        Ok(parse::<Option<T>>(bytes).await?.map(Self))
    }
}

/// Reads a query string, naming the member that is wrong.
pub fn parse_query<T: DeserializeOwned>(query: &str) -> Result<T, ApiError> {
    let reader = QueryDeserializer::new(query);
    serde_path_to_error::deserialize(&reader).map_err(|error| {
        let mut loc = loc("query", error.path());
        let message = error.inner().to_string();
        if let Some(name) = message.strip_prefix("missing field `").and_then(|s| s.split('`').next()) {
            loc.push(name.to_owned());
            return ApiError::invalid(&loc, "Field required", Json::Null);
        }
        let input = loc.get(1).and_then(|key| reader.values(key).last()).map(|v| json!(v));
        ApiError::invalid(&loc, message, input.unwrap_or_default())
    })
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parse_query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for PathId<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => {
                let (key, message, input) = match error.into_kind() {
                    ErrorKind::ParseErrorAtKey { key, value, expected_type } => {
                        (Some(key), format!("expected {expected_type}"), Some(json!(value)))
                    }
                    ErrorKind::DeserializeError { key, value, message } => (Some(key), message, Some(json!(value))),
                    ErrorKind::InvalidUtf8InPathParam { key } => (Some(key), "expected UTF-8".to_owned(), None),
                    // A single id, or a tuple of them: the error has no name, but it quotes the value.
                    other => {
                        let message = other.to_string();
                        let (key, value) = quoted_param(parts, state, &message).await.unzip();
                        (key, message, value.map(Json::from))
                    }
                };
                let loc: Vec<String> = std::iter::once("path".to_owned()).chain(key).collect();
                Err(ApiError::invalid(&loc, message, input.unwrap_or_default()))
            }
            Err(other) => Err(ApiError::internal(other)),
        }
    }
}

/// The parameter of the path whose value a message quotes.
async fn quoted_param<S: Send + Sync>(parts: &mut Parts, state: &S, message: &str) -> Option<(String, String)> {
    let params = RawPathParams::from_request_parts(parts, state).await.ok()?;
    let found = params.iter().find(|(_, value)| message.contains(&format!("'{value}'")));
    found.map(|(name, value)| (name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Item {
        #[serde(rename = "role")]
        _role: String,
    }

    #[derive(Debug, Deserialize)]
    struct Body {
        #[serde(rename = "items")]
        _items: Vec<Item>,
    }

    fn detail(body: &[u8]) -> String {
        parse_body::<Body>(body).expect_err("it is wrong").body()["detail"][0].to_string()
    }

    #[test]
    fn a_wrong_member_is_named_with_what_came() {
        insta::assert_snapshot!(detail(br#"{"items":[{"role":"a"},{"role":7}]}"#), @r#"{"type":"value_error","loc":["body","items",1,"role"],"msg":"invalid type: integer `7`, expected a string","input":7}"#);
        insta::assert_snapshot!(detail(br#"{"items":[{}]}"#), @r#"{"type":"value_error","loc":["body","items",0,"role"],"msg":"Field required","input":null}"#);
    }

    #[test]
    fn what_is_not_json_is_a_422_of_the_body() {
        assert!(detail(b"{\"items\": \"\xff\"}").contains("\"loc\":[\"body\""));
        assert!(detail(b"{").contains("expected JSON in UTF-8"));
        assert!(detail(b" [[]]").contains("expected an object"));
        assert!(detail(b"{\"items\":[]} x").contains("expected one JSON value"));
        let deep = format!("{{\"items\":{}", "[".repeat(100_000));
        assert!(detail(deep.as_bytes()).contains("\"loc\":[\"body\""));
    }

    #[test]
    fn a_wrong_query_member_is_named() {
        #[derive(Debug, Deserialize)]
        struct Q {
            #[serde(rename = "limit")]
            _limit: i64,
        }
        let error = parse_query::<Q>("limit=ten").expect_err("it is wrong");
        insta::assert_snapshot!(error.body()["detail"][0], @r#"{"type":"value_error","loc":["query","limit"],"msg":"expected an integer","input":"ten"}"#);
        let error = parse_query::<Q>("").expect_err("it is wrong");
        assert_eq!(error.body()["detail"][0]["loc"], json!(["query", "limit"]));
    }
}
