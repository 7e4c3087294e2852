//! From what went wrong on the wire to an [`LlmError`] in plain words.

use std::{error::Error, fmt::Write, time::Duration};

use chrono::DateTime;
use engram_core::ports::{LlmError, LlmErrorKind};
use engram_domain::Json;
use reqwest::{
    Response, StatusCode,
    header::{CONTENT_TYPE, DATE, HeaderMap, LOCATION, RETRY_AFTER},
};

use super::refusal;
use crate::{endpoint::Endpoint, http::body};

/// A failed attempt.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: LlmError,
    /// Whether the same request may be sent again.
    pub(crate) retry: bool,
    /// What the provider said when it refused, with its codes, in lower case. Empty when it said nothing.
    pub(crate) words: String,
}

impl Failure {
    pub(crate) fn last(kind: LlmErrorKind, message: impl Into<String>) -> Self {
        Self { error: LlmError::new(kind, message), retry: false, words: String::new() }
    }

    fn again(kind: LlmErrorKind, message: impl Into<String>) -> Self {
        Self { error: LlmError::new(kind, message), retry: true, words: String::new() }
    }

    /// The same failure after somebody has seen a piece of the answer: no request may follow, neither the same nor another.
    pub(crate) fn for_good(self) -> Self {
        Self { retry: false, words: String::new(), ..self }
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
    /// Codes, types and parameters, which tell what kind of error it is.
    code: String,
    /// A status inside the body, where the real one was a success.
    status: Option<u16>,
    html: bool,
}

impl Said {
    /// `{"error": {…}}`, `{"error": "…"}`, `{"message": …}`, `{"detail": …}`, each of them perhaps in a list: they all occur.
    fn in_json(value: &Json) -> Self {
        Self::within(value, NESTED)
    }

    fn within(value: &Json, depth: u8) -> Self {
        let value = value.as_array().and_then(|list| list.first()).unwrap_or(value);
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
        let number = |key: &str| match inner.get(key) {
            Some(Json::String(text)) => text.parse().ok(),
            Some(other) => other.as_u64().and_then(|n| u16::try_from(n).ok()),
            None => None,
        };
        let mut said = Self {
            text,
            code: ["code", "type", "status", "param"].map(word).join(" "),
            status: number("code").or_else(|| number("status")),
            html: false,
        };
        if let Some(depth) = depth.checked_sub(1) {
            said.go_deeper(inner, depth);
        }
        said
    }

    /// What a proxy says of an error is often no more than that there was one; what the provider behind it said stands
    /// further inside, as an object or as JSON text.
    fn go_deeper(&mut self, inner: &Json, depth: u8) {
        if let Some(deeper) = json_in(&self.text) {
            let deeper = Self::within(&deeper, depth);
            self.text = deeper.text;
            self.code = format!("{} {}", self.code, deeper.code);
        }
        let metadata = inner.get("metadata");
        let raw = metadata.and_then(|m| m.get("raw"));
        let reasons = metadata.and_then(|m| m.get("reasons"));
        let cause = inner.get("innererror").or_else(|| inner.get("inner_error"));
        for place in [raw, reasons, cause].into_iter().flatten() {
            let deeper = match place {
                Json::Null => continue,
                Json::String(text) => match json_in(text) {
                    Some(value) => Self::within(&value, depth),
                    None => Self { text: text.clone(), ..Self::default() },
                },
                Json::Array(list) if list.iter().all(Json::is_string) => {
                    let words: Vec<&str> = list.iter().filter_map(Json::as_str).collect();
                    Self { text: words.join(", "), ..Self::default() }
                }
                value => Self::within(value, depth),
            };
            self.code = format!("{} {}", self.code, deeper.code);
            if !deeper.text.trim().is_empty() && !self.text.contains(&deeper.text) {
                self.text = format!("{}: {}", self.text, deeper.text);
            }
        }
    }
}

/// How deep errors are looked for in errors.
const NESTED: u8 = 3;

/// An object or a list that was sent as text.
fn json_in(text: &str) -> Option<Json> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str(text).ok()
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
    let words = format!("{} {}", said.code, said.text).to_lowercase();
    Failure { error: LlmError { kind, message, retry_after }, retry, words }
}

/// `words`: those of the protocol, which decide before the status does.
fn kind(status: StatusCode, said: &Said, words: &[(&str, LlmErrorKind)]) -> LlmErrorKind {
    let all = format!("{} {}", said.code, said.text).to_ascii_lowercase();
    if let Some((_, kind)) = words.iter().find(|(word, _)| all.contains(word)) {
        return *kind;
    }
    // Some local servers call it their own failure (500). 413 says it whatever its words are.
    if status.as_u16() == 413 || matches!(status.as_u16(), 400 | 422 | 500) && refusal::tells_overflow(&all) {
        return LlmErrorKind::ContextOverflow;
    }
    // Moderation answers 403 at some providers.
    if matches!(status.as_u16(), 400..=403 | 422 | 451) && refusal::names_filter(&all) {
        return LlmErrorKind::BadRequest;
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
        400 | 422 if !refusal::explains(&all) => LlmErrorKind::Unexplained,
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
        assert_eq!(of(400, r#"{"error":"Bad request"}"#), K::Unexplained);
        assert_eq!(of(401, r#"{"detail":"no"}"#), K::Authentication);
        assert_eq!(of(402, r"{}"), K::InsufficientCredits);
        assert_eq!(of(404, r#"{"error":{"message":"The model x does not exist"}}"#), K::UnknownModel);
        assert_eq!(of(429, r#"{"error":{"code":"insufficient_quota"}}"#), K::InsufficientCredits);
        assert_eq!(of(429, r#"{"error":{"message":"tokens per minute"}}"#), K::RateLimit);
        assert_eq!(of(503, r"[]"), K::Server);
        assert_eq!(of(413, r#"{"message":"Request Entity Too Large"}"#), K::ContextOverflow);
        assert_eq!(
            of(403, r#"{"error":{"code":403,"message":"Your input was flagged","metadata":{"reasons":["violence"]}}}"#),
            K::BadRequest
        );
        // The protocol's own words come first.
        assert_eq!(of(529, r#"{"error":{"type":"overloaded_error","message":"later"}}"#), K::RateLimit);
    }

    #[test]
    fn the_words_of_the_provider_behind_a_proxy_are_found() {
        let said = |body: &str| Said::in_json(&serde_json::from_str(body).expect("JSON"));
        let text = |body: &str| said(body).text;
        let behind =
            r#"{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"the schema is wrong"}}}"#;
        assert_eq!(text(behind), "Provider returned error: the schema is wrong");
        let as_text = r#"{"error":{"message":"Provider returned error","metadata":{"raw":"{\"error\":{\"message\":\"too long\",\"code\":\"x_y\"}}"}}}"#;
        assert_eq!(text(as_text), "Provider returned error: too long");
        assert!(said(as_text).code.contains("x_y"));
        assert_eq!(text(r#"[{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT"}}]"#), "no");
        assert_eq!(text(r#"{"error":{"message":"{\"error\":{\"message\":\"inner\"}}"}}"#), "inner");
        assert_eq!(text(r#"{"message":"flagged","metadata":{"reasons":["a","b"]}}"#), "flagged: a, b");
        let azure = r#"{"error":{"message":"filtered","code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation","message":"filtered"}}}"#;
        assert_eq!(text(azure), "filtered");
        assert!(said(azure).code.contains("ResponsibleAI"));
        assert_eq!(said(r#"{"error":{"message":"later","code":"429"}}"#).status, Some(429));
        assert_eq!(text(r#"{"error":{"metadata":{"raw":null}}}"#), r#"{"metadata":{"raw":null}}"#);
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
