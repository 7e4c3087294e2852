//! From what went wrong on the wire to an [`LlmError`] in plain words.

use std::{error::Error, fmt::Write, time::Duration};

use chrono::DateTime;
use engram_core::ports::{LlmError, LlmErrorKind};
use engram_domain::Json;
use reqwest::{
    Response, StatusCode,
    header::{CONTENT_TYPE, DATE, HeaderMap, LOCATION, RETRY_AFTER},
};

use crate::{endpoint::Endpoint, http::body};

/// A failed attempt.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: LlmError,
    /// Whether the same request may be sent again.
    pub(crate) retry: bool,
}

impl Failure {
    pub(crate) fn last(kind: LlmErrorKind, message: impl Into<String>) -> Self {
        Self { error: LlmError::new(kind, message), retry: false }
    }

    fn again(kind: LlmErrorKind, message: impl Into<String>) -> Self {
        Self { error: LlmError::new(kind, message), retry: true }
    }

    /// No answer in time. Not retried: the caller has waited long enough, and the model may still be
    /// at work on the first request.
    pub(crate) fn timeout(endpoint: &Endpoint, what: &str, limit: Duration) -> Self {
        Self::last(LlmErrorKind::Timeout, format!("{} {what} within {limit:?}", endpoint.name()))
    }

    /// No connection, or one that closed before the answer began.
    pub(crate) fn unreachable(endpoint: &Endpoint, error: reqwest::Error) -> Self {
        let verb = if error.is_connect() { "could not be reached at" } else { "did not answer at" };
        let message = format!("{} {verb} {}: {}", endpoint.name(), endpoint.shown, chain(error));
        Self::again(LlmErrorKind::Server, endpoint.quote(&message))
    }

    /// An answer that ended too early.
    pub(crate) fn broke_off(endpoint: &Endpoint, error: Option<reqwest::Error>) -> Self {
        let why = error.map(|e| format!(": {}", chain(e))).unwrap_or_default();
        let message = format!("{} closed the connection in the middle of its answer{why}", endpoint.name());
        Self::again(LlmErrorKind::InvalidResponse, message)
    }

    /// An answer beyond all measure.
    pub(crate) fn too_large(endpoint: &Endpoint) -> Self {
        let message = format!("the answer of {} is larger than {} MiB", endpoint.name(), body::MAX_BODY >> 20);
        Self::last(LlmErrorKind::InvalidResponse, message)
    }

    /// A success whose body is not what the protocol says.
    pub(crate) fn unreadable(
        endpoint: &Endpoint,
        status: StatusCode,
        content_type: &str,
        body: &[u8],
        why: &str,
    ) -> Self {
        let name = endpoint.name();
        let message = if body::is_html(content_type, body) {
            format!(
                "{name} answered {status} with an HTML page instead of JSON; is {} the right base URL?",
                endpoint.shown
            )
        } else {
            format!("{name} answered {status} with a body that cannot be read: {why}")
        };
        Self::last(LlmErrorKind::InvalidResponse, endpoint.quote(&message))
    }

    /// An error object inside an answer whose status was a success.
    pub(crate) fn in_answer(endpoint: &Endpoint, value: &Json) -> Self {
        let said = Said::in_json(value);
        let status =
            said.status.and_then(|s| StatusCode::from_u16(s).ok()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        of_status(endpoint, status, &said, None)
    }

    /// A status that is no success.
    pub(crate) async fn refused(endpoint: &Endpoint, response: Response) -> Self {
        let status = response.status();
        let headers = response.headers().clone();
        let text = |name| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let some = tokio::time::timeout(Duration::from_secs(5), body::read_some(response)).await.unwrap_or_default();
        if status.is_redirection() {
            let to = endpoint.quote(text(LOCATION));
            let message =
                format!("{} answered {status} to '{to}'; set the base URL to where it leads", endpoint.name());
            return Self::last(LlmErrorKind::BadRequest, message);
        }
        let said = if body::is_html(text(CONTENT_TYPE), &some) {
            Said { text: "an HTML page instead of JSON".into(), html: true, ..Said::default() }
        } else {
            match serde_json::from_slice::<Json>(&some) {
                Ok(value) => Said::in_json(&value),
                Err(_) => Said { text: String::from_utf8_lossy(&some).into_owned(), ..Said::default() },
            }
        };
        of_status(endpoint, status, &said, retry_after(&headers))
    }
}

/// What a provider said about its error.
#[derive(Debug, Default)]
struct Said {
    text: String,
    code: String,
    /// A status inside the body, where the real one was a success.
    status: Option<u16>,
    html: bool,
}

impl Said {
    /// `{"error": {…}}`, `{"error": "…"}`, `{"message": …}`, `{"detail": …}`: they all occur.
    fn in_json(value: &Json) -> Self {
        let inner = value.get("error").filter(|e| !e.is_null()).unwrap_or(value);
        let word = |key: &str| inner.get(key).and_then(Json::as_str).unwrap_or_default();
        let text = match inner {
            Json::String(text) => text.clone(),
            _ => match ["message", "detail", "msg"].iter().find_map(|key| inner.get(key)) {
                Some(Json::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => inner.to_string(),
            },
        };
        let code = format!("{} {}", word("code"), word("type"));
        let status = inner.get("code").or_else(|| inner.get("status")).and_then(Json::as_u64);
        Self { text, code, status: status.and_then(|s| u16::try_from(s).ok()), html: false }
    }
}

fn of_status(endpoint: &Endpoint, status: StatusCode, said: &Said, retry_after: Option<Duration>) -> Failure {
    let kind = kind(status, said, endpoint.error_words);
    let text = endpoint.quote(&said.text);
    let with = if text.is_empty() { String::new() } else { format!(": {text}") };
    let message = format!("{} answered {status}{with}", endpoint.name());
    let retry = match kind {
        LlmErrorKind::RateLimit => true,
        LlmErrorKind::Server => !matches!(status.as_u16(), 501 | 505),
        _ => status == StatusCode::REQUEST_TIMEOUT,
    };
    Failure { error: LlmError { kind, message, retry_after }, retry }
}

/// `words`: those of the protocol, which decide before the status does.
fn kind(status: StatusCode, said: &Said, words: &[(&str, LlmErrorKind)]) -> LlmErrorKind {
    const OVERFLOW: [&str; 8] = [
        "context_length_exceeded",
        "maximum context length",
        "context length",
        "context window",
        "context size",
        "prompt is too long",
        "maximum prompt length",
        "input is too long",
    ];
    let all = format!("{} {}", said.code, said.text).to_ascii_lowercase();
    if let Some((_, kind)) = words.iter().find(|(word, _)| all.contains(word)) {
        return *kind;
    }
    // Some local servers call it their own failure (500).
    if matches!(status.as_u16(), 400 | 413 | 422 | 500) && OVERFLOW.iter().any(|words| all.contains(words)) {
        return LlmErrorKind::ContextOverflow;
    }
    match status.as_u16() {
        401 | 403 => LlmErrorKind::Authentication,
        402 => LlmErrorKind::InsufficientCredits,
        429 if all.contains("insufficient_quota") || all.contains("exceeded your current quota") => {
            LlmErrorKind::InsufficientCredits
        }
        429 => LlmErrorKind::RateLimit,
        408 => LlmErrorKind::Timeout,
        500.. => LlmErrorKind::Server,
        // A wrong base URL often ends in somebody's web site, with whatever status.
        _ if said.html => LlmErrorKind::InvalidResponse,
        404 => LlmErrorKind::UnknownModel,
        _ if all.contains("model_not_found") => LlmErrorKind::UnknownModel,
        _ => LlmErrorKind::BadRequest,
    }
}

/// Seconds, or a date; the date is measured against the answer's own `Date`, so that a wrong clock
/// here does no harm.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let then = DateTime::parse_from_rfc2822(text).ok()?;
    let now = DateTime::parse_from_rfc2822(headers.get(DATE)?.to_str().ok()?).ok()?;
    Some((then - now).to_std().unwrap_or(Duration::ZERO))
}

/// An error with its causes, without the address (which may hold a password).
fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut out = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        // Writing to a string cannot fail.
        let _ = write!(out, ": {inner}");
        cause = inner.source();
    }
    out
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::{LlmErrorKind as K, *};

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let with = |pairs: &[(&'static str, &'static str)]| {
            let map = pairs.iter().map(|(k, v)| (k.parse().expect("a header name"), HeaderValue::from_static(v)));
            retry_after(&map.collect::<HeaderMap>())
        };
        assert_eq!(with(&[("retry-after", "2")]), Some(Duration::from_secs(2)));
        assert_eq!(with(&[("retry-after", "-2")]), None);
        assert_eq!(with(&[("retry-after", "soon")]), None);
        let date = ("date", "Sun, 06 Nov 1994 08:49:30 GMT");
        assert_eq!(with(&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"), date]), Some(Duration::from_secs(7)));
        assert_eq!(with(&[("retry-after", "Sun, 06 Nov 1994 08:49:00 GMT"), date]), Some(Duration::ZERO));
    }

    #[test]
    fn statuses_and_words_decide_the_kind() {
        let of = |status: u16, body: &str| {
            kind(
                StatusCode::from_u16(status).expect("a status"),
                &Said::in_json(&serde_json::from_str(body).expect("JSON")),
                &[("overloaded_error", K::RateLimit)],
            )
        };
        assert_eq!(of(400, r#"{"error":{"code":"context_length_exceeded","message":"x"}}"#), K::ContextOverflow);
        assert_eq!(
            of(400, r#"{"object":"error","message":"This model's maximum context length is 8 tokens","code":400}"#),
            K::ContextOverflow
        );
        assert_eq!(of(400, r#"{"error":"wrong temperature"}"#), K::BadRequest);
        assert_eq!(of(401, r#"{"detail":"no"}"#), K::Authentication);
        assert_eq!(of(402, r"{}"), K::InsufficientCredits);
        assert_eq!(of(404, r#"{"error":{"message":"The model x does not exist"}}"#), K::UnknownModel);
        assert_eq!(of(429, r#"{"error":{"code":"insufficient_quota"}}"#), K::InsufficientCredits);
        assert_eq!(of(429, r#"{"error":{"message":"tokens per minute"}}"#), K::RateLimit);
        assert_eq!(of(503, r"[]"), K::Server);
        // The protocol's own words come first.
        assert_eq!(of(529, r#"{"error":{"type":"overloaded_error","message":"later"}}"#), K::RateLimit);
    }

    proptest::proptest! {
        #[test]
        fn any_refusal_has_a_kind(
            body in crate::openai::properties::json(),
            status in 100u16..1_000,
            after in "[0-9eE+.a-zA-Z, :-]{0,40}",
        ) {
            let said = Said::in_json(&body);
            let _ = kind(StatusCode::from_u16(status).expect("three digits"), &said, &[]);
            if let Ok(value) = HeaderValue::from_str(&after) {
                let headers = [(RETRY_AFTER, value), (DATE, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:30 GMT"))];
                let _ = retry_after(&headers.into_iter().collect());
            }
        }
    }
}
