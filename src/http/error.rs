//! The one error type of the HTTP edge.
//!
//! What it does: turns every failure into the body that both SDK generations read: 422 as
//! `{"detail":[{"type","loc","msg","input"}]}`, everything else as `{"detail":"text"}`, a failed
//! model call as `{"error":{…},"detail":"text"}`.
//!
//! Invariants: a caller's mistake is never a 5xx; what is our fault is logged here, once, and its
//! words stay out of the answer. To add a case: a constructor or a `From`, with its status.

use axum::{
    Json as AxumJson,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use engram_core::ports::StoreError;
use engram_domain::{Json, RunErrorKind};
use engram_engine::{CommandError, RunError, SubmitError};
use engram_store::messages::MessagePageError;
use serde_json::json;

use super::read_again::MayWorkNow;
use crate::app;

/// Characters of a caller's own text, or of a message, that an error repeats.
const REPEATED: usize = 200;
const SAID: usize = 2_000;

/// A text as an answer repeats it: of a long one the beginning and the end, which says what was expected. A caller must
/// not get its ten megabytes back.
pub fn shortened(text: &str, most: usize) -> std::borrow::Cow<'_, str> {
    let mut cuts = text.char_indices().map(|(at, _)| at);
    let (Some(_), Some(head)) = (text.char_indices().nth(most), cuts.nth(most / 2)) else { return text.into() };
    let tail = text.char_indices().rev().nth(most / 2).map_or(head, |(at, _)| at);
    format!("{}…{}", &text[..head], &text[tail..]).into()
}

/// A value as an answer repeats it.
fn repeated(value: Json) -> Json {
    match value {
        Json::String(text) => Json::String(text.chars().take(REPEATED).collect()),
        value @ (Json::Object(_) | Json::Array(_)) if value.to_string().len() > SAID => Json::Null,
        value => value,
    }
}

/// What a caller hears about an internal failure.
const INTERNAL: &str = "An internal server error occurred";

/// A failed request: status, body, and the headers that tell a client when to come back.
#[derive(Debug, Clone)]
pub struct ApiError {
    status: StatusCode,
    body: Json,
    retry_after: Option<HeaderValue>,
    /// Whether an SDK may send the same request again by itself, where it is sure that nothing happened.
    repeatable: bool,
    /// Whether the same request may go through at once.
    may_work_now: bool,
}

impl ApiError {
    /// An answer with `{"detail": detail}`.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self {
            status,
            body: json!({ "detail": shortened(&detail, SAID) }),
            retry_after: None,
            repeatable: false,
            may_work_now: false,
        }
    }

    /// 404: there is no such thing.
    pub fn not_found(noun: &str, id: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("{noun} with ID {id} not found"))
    }

    /// 422 in list form: names the member, says what was expected and shows what came.
    pub fn invalid<S: AsRef<str>>(loc: &[S], expected: impl Into<String>, input: Json) -> Self {
        let loc: Vec<Json> = loc
            .iter()
            .map(|part| shortened(part.as_ref(), REPEATED))
            .map(|part| part.parse::<u32>().map_or_else(|_| json!(part), |index| json!(index)))
            .collect();
        let (expected, input) = (expected.into(), repeated(input));
        let expected = shortened(&expected, SAID);
        let body = json!({ "detail": [{ "type": "value_error", "loc": loc, "msg": expected, "input": input }] });
        Self {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            body,
            retry_after: None,
            repeatable: false,
            may_work_now: false,
        }
    }

    /// 400: the request as a whole makes no sense.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 409: it clashes with how things are now.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// 422 with plain text, where the last version of the old server had plain text.
    pub fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// 501: known, but not built.
    pub fn not_built(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, detail)
    }

    /// 500: our fault. The cause is logged, not answered.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(error = %cause, "a request failed for an internal reason");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, INTERNAL)
    }

    /// 503: try again in a second.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        error.retry_after = Some(HeaderValue::from_static("1"));
        error
    }

    /// 409 for a message that is sent while tool calls wait for approval.
    pub fn pending_approval(request_id: engram_domain::MessageId) -> Self {
        let body = json!({ "detail": {
            "code": "PENDING_APPROVAL",
            "message": "CONFLICT: Cannot send a new message: the agent is waiting for approval on a tool call. \
                        Approve or deny the pending request first.",
            "pending_request_id": request_id,
        }});
        Self { status: StatusCode::CONFLICT, body, retry_after: None, repeatable: false, may_work_now: false }
    }

    /// 409 for a message that does not want to wait behind the current run.
    pub fn conversation_busy(run: engram_domain::RunId) -> Self {
        let body = json!({ "detail": {
            "code": "CONVERSATION_BUSY",
            "message": "CONFLICT: Cannot send a new message: another request is being processed for this conversation.",
            "run_id": run,
        }});
        Self { status: StatusCode::CONFLICT, body, retry_after: None, repeatable: false, may_work_now: false }
    }

    /// 429: as many runs wait in the conversation as may.
    pub fn queue_full() -> Self {
        let detail = "Too many runs are waiting in this conversation. Try again when some of them are over.";
        let mut error = Self::new(StatusCode::TOO_MANY_REQUESTS, detail);
        error.retry_after = Some(HeaderValue::from_static("1"));
        error.repeatable = true;
        error
    }

    /// A run that failed while the caller waited. The error's message is fit for the caller's eyes.
    pub fn run(error: &RunError) -> Self {
        match (&error.kind, error.about) {
            (RunErrorKind::PendingApproval, Some(request)) => Self::pending_approval(request),
            (RunErrorKind::NoPendingApproval, _) => Self::bad_request(&error.message),
            (RunErrorKind::NotFound, _) => Self::new(StatusCode::NOT_FOUND, &error.message),
            (kind, _) => Self::llm(kind, &error.message),
        }
    }

    /// A run that failed by what it called: a model, or an MCP server. Everything else is our fault.
    pub fn llm(kind: &RunErrorKind, message: &str) -> Self {
        use RunErrorKind as K;
        let (status, title) = match kind {
            K::LlmBadRequest => (StatusCode::BAD_REQUEST, "The request to the LLM was invalid."),
            K::LlmAuthentication => (StatusCode::UNAUTHORIZED, "Authentication with the LLM provider failed."),
            K::LlmInsufficientCredits => (StatusCode::PAYMENT_REQUIRED, "The LLM provider account has no credit."),
            K::BedrockPermissionDenied => (StatusCode::FORBIDDEN, "The LLM provider denied permission."),
            K::LlmRateLimit => (StatusCode::TOO_MANY_REQUESTS, "The LLM provider's rate limit was exceeded."),
            K::LlmTimeout => (StatusCode::GATEWAY_TIMEOUT, "The LLM request timed out."),
            K::LlmError => (StatusCode::BAD_GATEWAY, "An error occurred with the LLM request."),
            K::McpConnection => (StatusCode::BAD_GATEWAY, "An MCP server could not be reached."),
            K::Internal
            | K::NotFound
            | K::Interrupted
            | K::Cancelled
            | K::RequiresApproval
            | K::PendingApproval
            | K::NoPendingApproval
            | K::Other(_) => (StatusCode::INTERNAL_SERVER_ERROR, INTERNAL),
        };
        let body =
            json!({ "error": { "type": kind.as_str(), "message": title, "detail": message }, "detail": message });
        Self { status, body, retry_after: None, repeatable: false, may_work_now: false }
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Its body.
    pub fn body(&self) -> &Json {
        &self.body
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, AxumJson(self.body)).into_response();
        if let Some(value) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        if self.may_work_now {
            response.extensions_mut().insert(MayWorkNow);
        }
        if self.repeatable {
            response.headers_mut().insert("x-should-retry", HeaderValue::from_static("true"));
        }
        response
    }
}

impl ApiError {
    /// A refusal of the application whose input came from this part of the request: `body`, `query`, `path`, `header`.
    pub fn of_input(root: &str, error: app::Error) -> Self {
        match error {
            app::Error::Invalid { path, expected, got } => {
                let loc: Vec<&str> = std::iter::once(root).chain(path.iter().map(String::as_str)).collect();
                Self::invalid(&loc, expected, got)
            }
            app::Error::NotFound { what, id } => Self::not_found(what, id),
            app::Error::NoSuch(text) => Self::new(StatusCode::NOT_FOUND, text),
            app::Error::Rejected(text) => Self::bad_request(text),
            app::Error::Conflict(text) => Self::conflict(text),
            app::Error::Stale { .. } => Self::new(StatusCode::PRECONDITION_FAILED, error.to_string()),
            app::Error::Busy(busy) => Self::unavailable(busy.to_string()),
            app::Error::NotBuilt(text) => Self::not_built(text),
            app::Error::Unavailable(text) => Self::unavailable(text),
            app::Error::Provider(text) => Self::new(StatusCode::BAD_GATEWAY, text),
            app::Error::Submit(error) => error.into(),
            app::Error::Command(error) => error.into(),
            app::Error::Store(error) => error.into(),
            app::Error::Internal(cause) => Self::internal(cause),
        }
    }
}

/// Where nobody says otherwise, the input was the body.
impl From<app::Error> for ApiError {
    fn from(error: app::Error) -> Self {
        Self::of_input("body", error)
    }
}

impl From<MessagePageError> for ApiError {
    fn from(error: MessagePageError) -> Self {
        app::Error::from(error).into()
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let may_work_now = engram_store::error::is_repeatable(&error);
        match error {
            StoreError::Unavailable(cause) => {
                tracing::warn!(error = %cause, "the database cannot do it now");
                Self { may_work_now, ..Self::unavailable("The database cannot be reached. Try again.") }
            }
            StoreError::Overloaded(text) => {
                tracing::warn!("{text}");
                Self::unavailable(text)
            }
            StoreError::Invalid(text) => Self::unprocessable(text),
            StoreError::Conflict(text) => Self::conflict(text),
            other @ (StoreError::Corrupt { .. } | StoreError::Database(_)) => Self::internal(other),
        }
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::NotFound => Self::new(StatusCode::NOT_FOUND, "Agent, conversation or group not found"),
            SubmitError::ShuttingDown => Self::unavailable("The server is shutting down. Try again."),
            SubmitError::Busy(run) => Self::conversation_busy(run),
            SubmitError::Full => Self::queue_full(),
            SubmitError::KeyReused => {
                let message = "this idempotency key was used for another request";
                Self::invalid(&["header", "Idempotency-Key"], message, Json::Null)
            }
            SubmitError::Store(error) => error.into(),
        }
    }
}

impl From<CommandError> for ApiError {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::NotFound => Self::new(StatusCode::NOT_FOUND, "Agent, conversation or message not found"),
            CommandError::Invalid(text) => Self::bad_request(text),
            CommandError::Elsewhere => Self::unavailable("The agent is moving between nodes. Try again."),
            CommandError::Unavailable(text) => Self::unavailable(text),
            CommandError::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_the_shape_that_the_sdks_read() {
        let invalid = ApiError::invalid(&["body", "messages", "0", "role"], "expected one of `user`", json!("bot"));
        insta::assert_json_snapshot!(invalid.body(), @r#"
        {
          "detail": [
            {
              "type": "value_error",
              "loc": [
                "body",
                "messages",
                0,
                "role"
              ],
              "msg": "expected one of `user`",
              "input": "bot"
            }
          ]
        }
        "#);
        insta::assert_json_snapshot!(ApiError::not_found("Agent", "agent-1").body(), @r#"
        {
          "detail": "Agent with ID agent-1 not found"
        }
        "#);
        insta::assert_json_snapshot!(ApiError::llm(&RunErrorKind::LlmRateLimit, "slow down").body(), @r#"
        {
          "error": {
            "type": "llm_rate_limit",
            "message": "The LLM provider's rate limit was exceeded.",
            "detail": "slow down"
          },
          "detail": "slow down"
        }
        "#);
    }

    #[test]
    fn an_error_repeats_no_more_than_the_beginning_and_the_end() {
        let long = "ä".repeat(1_000_000);
        let said = format!("unknown variant `{long}`, expected `user`");
        let invalid = ApiError::invalid(&["body", long.as_str()], said.clone(), json!(long));
        assert!(invalid.body().to_string().len() < 8_000);
        let message = invalid.body()["detail"][0]["msg"].as_str().expect("a text").to_owned();
        assert!(message.starts_with("unknown variant `ä") && message.ends_with("`, expected `user`"), "{message}");
        let nested = ApiError::invalid(&["body"], "expected a text", json!([long]));
        assert_eq!(nested.body()["detail"][0]["input"], Json::Null);
        assert!(ApiError::bad_request(said).body().to_string().len() < 8_000);
        assert_eq!(shortened("äb", 2), "äb");
        assert_eq!(shortened("äbcdef", 4), "äb…def");
    }

    #[test]
    fn a_refusal_of_the_application_says_where_the_request_is_wrong() {
        let wrong = || app::Error::invalid(&["memory_blocks", "1", "label"], "expected each label once", "a");
        let loc = |error: ApiError| error.body()["detail"][0]["loc"].clone();
        assert_eq!(loc(wrong().into()), json!(["body", "memory_blocks", 1, "label"]));
        assert_eq!(loc(ApiError::of_input("path", wrong())), json!(["path", "memory_blocks", 1, "label"]));
        let answers = |error: app::Error| {
            let error = ApiError::from(error);
            (error.status().as_u16(), error.body()["detail"].clone())
        };
        let not_found = app::Error::not_found("Block", "block-1");
        assert_eq!(answers(not_found), (404, json!("Block with ID block-1 not found")));
        assert_eq!(answers(app::Error::NoSuch("no tool".into())), (404, json!("no tool")));
        assert_eq!(answers(app::Error::Rejected("no".into())), (400, json!("no")));
        assert_eq!(answers(app::Error::Conflict("twice".into())), (409, json!("twice")));
        let stale = json!("the block is at version 3 now; read it again");
        assert_eq!(answers(app::Error::Stale { version: 3 }), (412, stale));
        assert_eq!(answers(app::Error::NotBuilt("later".into())), (501, json!("later")));
        assert_eq!(answers(app::Error::Provider("down".into())), (502, json!("down")));
        assert_eq!(answers(app::Error::internal("secret")), (500, json!(INTERNAL)));
    }

    #[test]
    fn an_internal_failure_keeps_its_words_to_itself() {
        let error = ApiError::from(StoreError::Database("secret table".into()));
        assert_eq!(error.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!error.body().to_string().contains("secret"));
    }

    #[test]
    fn a_query_that_takes_too_long_says_so() {
        let error = ApiError::from(StoreError::Overloaded("too many searches".into()));
        assert_eq!(
            (error.status(), &error.body()["detail"]),
            (StatusCode::SERVICE_UNAVAILABLE, &json!("too many searches"))
        );
        assert_eq!(error.into_response().headers()[header::RETRY_AFTER], "1");
    }

    #[test]
    fn a_database_that_is_down_says_when_to_come_back() {
        let response = ApiError::from(StoreError::Unavailable("gone".into())).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    }
}
