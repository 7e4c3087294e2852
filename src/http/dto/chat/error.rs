//! A refusal in the shape that OpenAI's clients read.

use axum::{
    body::Body,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use engram_domain::{Json, MessageId, StopReason};
use engram_engine::RunEnd;
use serde_json::json;

use crate::http::error::ApiError;

/// An [`ApiError`] with OpenAI's `error` object next to our `detail`.
#[derive(Debug, Clone)]
pub struct ChatError {
    inner: ApiError,
    code: Option<&'static str>,
}

impl ChatError {
    /// The `model` of a request is no agent.
    pub fn no_such_model(model: Option<&str>) -> Self {
        let detail = match model {
            Some(model) => {
                let model: String = model.chars().take(80).collect();
                format!("The model '{model}' does not exist: expected the id of an agent, as agent-<uuid>")
            }
            None => "You must name a model: the id of an agent, as agent-<uuid>".to_owned(),
        };
        Self { inner: ApiError::new(StatusCode::NOT_FOUND, detail), code: Some("model_not_found") }
    }

    /// Why a run that is over is no answer: it failed, or it waits for a person's word on the calls in `asked`. Who
    /// listens would hear nothing, now and in every request until then.
    pub fn of_run(end: &RunEnd, asked: Option<MessageId>) -> Option<Self> {
        match (&end.error, end.stop_reason) {
            (Some(error), _) => Some(ApiError::run(error).into()),
            (None, StopReason::RequiresApproval) => {
                let waits = || ApiError::conflict("The agent waits for approval of a tool call.");
                Some(Self {
                    inner: asked.map_or_else(waits, ApiError::pending_approval),
                    code: Some("PENDING_APPROVAL"),
                })
            }
            (None, _) => None,
        }
    }

    /// What is said of it in a stream that has begun.
    pub fn frame(&self) -> Json {
        json!({ "error": self.error() })
    }

    fn error(&self) -> Json {
        let body = self.inner.body();
        error_object(self.inner.status(), &message(body), self.code.or_else(|| code(body)))
    }

    /// Its body.
    pub fn body(&self) -> Json {
        let body = self.inner.body();
        let mut error = self.error();
        if let Some(ours) = body["error"].as_object() {
            error["detail"] = ours.get("detail").cloned().unwrap_or_default();
        }
        json!({ "error": error, "detail": body["detail"] })
    }
}

fn error_object(status: StatusCode, message: &str, code: Option<&str>) -> Json {
    let kind = match status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        status if status.is_client_error() => "invalid_request_error",
        _ => "server_error",
    };
    json!({ "message": message, "type": kind, "param": null, "code": code })
}

/// What went wrong, in one line.
fn message(body: &Json) -> String {
    match &body["detail"] {
        Json::String(text) => text.clone(),
        Json::Array(problems) => problems.iter().map(problem).collect::<Vec<_>>().join("; "),
        other => other["message"].as_str().unwrap_or("the request failed").to_owned(),
    }
}

/// `body.messages.0.role: expected …`
fn problem(problem: &Json) -> String {
    let place = problem["loc"].as_array().into_iter().flatten();
    let place = place.map(|p| p.as_str().map_or_else(|| p.to_string(), str::to_owned)).collect::<Vec<_>>().join(".");
    format!("{place}: {}", problem["msg"].as_str().unwrap_or("wrong"))
}

fn code(body: &Json) -> Option<&str> {
    body["error"]["type"].as_str().or_else(|| body["detail"]["code"].as_str())
}

impl From<ApiError> for ChatError {
    fn from(inner: ApiError) -> Self {
        Self { inner, code: None }
    }
}

impl IntoResponse for ChatError {
    fn into_response(self) -> Response {
        let body = self.body().to_string();
        let mut response = self.inner.into_response();
        *response.body_mut() = Body::from(body);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_are_there() {
        let error = ChatError::from(ApiError::llm(&engram_domain::RunErrorKind::LlmRateLimit, "slow down"));
        insta::assert_json_snapshot!(error.body(), @r#"
        {
          "error": {
            "message": "slow down",
            "type": "rate_limit_error",
            "param": null,
            "code": "llm_rate_limit",
            "detail": "slow down"
          },
          "detail": "slow down"
        }
        "#);
        insta::assert_json_snapshot!(ChatError::no_such_model(Some("gpt-4o")).body(), @r#"
        {
          "error": {
            "message": "The model 'gpt-4o' does not exist: expected the id of an agent, as agent-<uuid>",
            "type": "invalid_request_error",
            "param": null,
            "code": "model_not_found"
          },
          "detail": "The model 'gpt-4o' does not exist: expected the id of an agent, as agent-<uuid>"
        }
        "#);
    }

    #[test]
    fn every_refusal_has_a_message() {
        let message = |error: ApiError| ChatError::from(error).body()["error"]["message"].to_string();
        let invalid = ApiError::invalid(&["body", "messages", "0", "role"], "expected `user`", Json::Null);
        assert_eq!(message(invalid), r#""body.messages.0.role: expected `user`""#);
        let run = engram_domain::RunId(uuid::Uuid::nil());
        assert!(message(ApiError::conversation_busy(run)).contains("another request"));
        let body = ChatError::from(ApiError::conversation_busy(run)).body();
        assert_eq!(body["error"]["code"], "CONVERSATION_BUSY");
    }
}
