//! What callers send to an agent, in the spellings of both generations.

use engram_domain::{
    BusyPolicy, Json, Part, RequestKey, Role, RunInput, RunType,
    run::{ClientTool, DEFAULT_MAX_STEPS, Decision, InputMessage},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{super::images, pieces::Options};
use crate::{
    app::{limits, runs::RunSpec},
    http::error::ApiError,
};

/// A request to an agent. `input` comes after `messages` where both are there; without either the
/// agent goes on with what it has. `messages` that is there, alone and empty is refused.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct MessageRequest {
    /// What to say, or words on pending tool calls.
    pub messages: Option<Vec<MessageCreate>>,
    /// Short for one user message: a text, or a list of parts.
    #[schema(value_type = Option<Object>)]
    pub input: Option<Json>,
    /// Model calls at most; absent, `null` or 0 means the default of 50.
    pub max_steps: Option<i64>,
    /// Whether the agent's words are shown as words although it speaks through a tool.
    pub use_assistant_message: Option<bool>,
    /// The tool that speaks.
    pub assistant_message_tool_name: Option<String>,
    /// Its argument that holds the words.
    pub assistant_message_tool_kwarg: Option<String>,
    /// Only messages of these types.
    pub include_return_message_types: Option<Vec<String>>,
    /// Whether compactions are shown.
    pub include_compaction_messages: Option<bool>,
    /// Whether to answer as a stream.
    pub streaming: Option<bool>,
    /// Whether the stream has pieces of messages.
    pub stream_tokens: Option<bool>,
    /// Whether the stream has signs of life as objects.
    pub include_pings: Option<bool>,
    /// Whether the stream can be resumed by `seq_id`.
    pub background: Option<bool>,
    /// Tools that the caller runs.
    pub client_tools: Option<Vec<ClientToolDto>>,
    /// Model for this request only.
    pub override_model: Option<String>,
    /// System prompt for this request only.
    pub override_system: Option<String>,
    /// Where to report the end of an asynchronous run.
    pub callback_url: Option<String>,
    /// What becomes of this request while the agent is busy: `queue`, `reject` or `interrupt`; what the
    /// agent's own `busy_policy` says when absent.
    #[schema(value_type = Option<String>)]
    pub busy_policy: Option<BusyPolicy>,
    /// The agent, where a conversation does not say it.
    pub agent_id: Option<String>,
}

/// One message, or words on pending tool calls (`type` `approval` or `tool_return`).
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct MessageCreate {
    /// `message`, `approval` or `tool_return`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `user`, `system` or `assistant`.
    pub role: Option<String>,
    /// A text, or a list of parts. The documentation's streaming chapter calls it `text`.
    #[serde(alias = "text")]
    #[schema(value_type = Option<Object>)]
    pub content: Option<Json>,
    /// Name of the speaker.
    pub name: Option<String>,
    /// The caller's own id.
    pub otid: Option<String>,
    /// Who sends it.
    pub sender_id: Option<String>,
    /// Group it is sent in.
    pub group_id: Option<String>,
    /// Words on calls.
    pub approvals: Option<Vec<ApprovalIn>>,
    /// The older form: one word on all calls of a message.
    pub approve: Option<bool>,
    /// That message.
    pub approval_request_id: Option<String>,
    /// Why not.
    pub reason: Option<String>,
    /// Results of calls that the caller ran.
    pub tool_returns: Option<Vec<ApprovalIn>>,
}

/// A decision about a tool call (`approve`), or the result of a call that the caller ran.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ApprovalIn {
    /// `approval` or `tool`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The call.
    pub tool_call_id: Option<String>,
    /// Whether to run it.
    pub approve: Option<bool>,
    /// Why not.
    pub reason: Option<String>,
    /// What it returned: a text, or a list of text parts.
    #[schema(value_type = Option<Object>)]
    pub tool_return: Option<Json>,
    /// `success` or `error`.
    pub status: Option<String>,
    /// What it wrote to standard output.
    pub stdout: Option<Vec<String>>,
    /// What it wrote to standard error.
    pub stderr: Option<Vec<String>>,
}

/// A tool that the caller runs.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ClientToolDto {
    /// Its name.
    pub name: String,
    /// What it does, for the model.
    #[serde(default)]
    pub description: Option<String>,
    /// JSON schema of its arguments.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub parameters: Option<Json>,
}

/// Where a value stands in the body, for errors.
fn at(loc: &[&str], more: &[&str]) -> Vec<String> {
    loc.iter().chain(more).map(|s| (*s).to_owned()).collect()
}

/// As [`limits::at_most`], where the path begins with the body.
fn at_most(loc: &[String], what: &str, count: usize, most: usize) -> Result<(), ApiError> {
    Ok(limits::at_most(loc.get(1..).unwrap_or_default(), what, count, most)?)
}

impl MessageRequest {
    /// How the answer is to be shown.
    pub fn options(&self) -> Options {
        Options::of_request(
            self.use_assistant_message,
            self.assistant_message_tool_name.as_ref(),
            self.assistant_message_tool_kwarg.as_ref(),
            self.include_return_message_types.as_ref(),
            self.include_compaction_messages,
        )
    }

    /// The keys under which the request is known when it comes again: the header's, and the callers' ids of its messages.
    pub fn keys(&self, key: Option<&str>) -> Vec<RequestKey> {
        let otids = self.messages.iter().flatten().filter_map(|m| m.otid.as_deref()).filter(|otid| !otid.is_empty());
        key.map(RequestKey::idempotency).into_iter().chain(otids.map(RequestKey::otid)).collect()
    }

    /// The run that is asked for. `key` is the `Idempotency-Key`.
    pub fn run(&self, run_type: RunType, key: Option<&str>) -> Result<RunSpec, ApiError> {
        Ok(RunSpec {
            input: self.run_input()?,
            run_type,
            background: false,
            keys: self.keys(key),
            callback_url: self.callback_url.clone(),
            busy_policy: self.busy_policy,
        })
    }

    /// What is asked of the agent.
    pub fn run_input(&self) -> Result<RunInput, ApiError> {
        let max_steps = match self.max_steps {
            None | Some(0) => DEFAULT_MAX_STEPS,
            Some(n) => i32::try_from(n).ok().filter(|n| (1..=limits::STEPS).contains(n)).ok_or_else(|| {
                let expected = format!("expected an integer from 0 to {}", limits::STEPS);
                ApiError::invalid(&["body", "max_steps"], expected, json!(n))
            })?,
        };
        limits::at_most(&["client_tools"], "tools", self.client_tools.iter().flatten().count(), limits::TOOLS)?;
        let types = self.include_return_message_types.iter().flatten().count();
        limits::at_most(&["include_return_message_types"], "types", types, limits::MESSAGE_TYPES)?;
        // They are looked at for every piece of an answer.
        let names = [
            ("assistant_message_tool_name", self.assistant_message_tool_name.as_ref()),
            ("assistant_message_tool_kwarg", self.assistant_message_tool_kwarg.as_ref()),
        ];
        let types = self.include_return_message_types.iter().flatten();
        for (member, name) in types.map(|kind| ("include_return_message_types", Some(kind))).chain(names) {
            limits::at_most(&[member], "bytes in a name", name.map_or(0, String::len), limits::NAME)?;
        }
        let (messages, decisions) = self.said()?;
        let client_tools = self.client_tools.iter().flatten().map(|tool| ClientTool {
            name: tool.name.clone(),
            description: tool.description.clone(),
            parameters: tool.parameters.clone(),
        });
        Ok(RunInput {
            messages,
            decisions,
            max_steps,
            client_tools: client_tools.collect(),
            override_model: self.override_model.clone(),
            override_system: self.override_system.clone(),
            stream_tokens: self.stream_tokens.unwrap_or_default(),
            request_config: serde_json::to_value(self.options()).map_err(ApiError::internal)?,
            chain: Vec::new(),
            hops: 0,
        })
    }

    fn said(&self) -> Result<(Vec<InputMessage>, Vec<Decision>), ApiError> {
        let (mut messages, mut decisions) = (Vec::new(), Vec::new());
        if self.input.is_none() && self.messages.as_ref().is_some_and(Vec::is_empty) {
            return Err(ApiError::invalid(&["body", "messages"], "Messages must not be empty", Json::Array(vec![])));
        }
        limits::at_most(&["messages"], "messages", self.messages.iter().flatten().count(), limits::MESSAGES)?;
        for (index, message) in self.messages.iter().flatten().enumerate() {
            let index = index.to_string();
            let loc = ["body", "messages", index.as_str()];
            match message.kind.as_deref() {
                Some("approval" | "tool_return") => decisions.extend(message.decisions(&loc)?),
                _ => messages.push(message.input(&loc)?),
            }
        }
        if let Some(input) = &self.input {
            messages.push(InputMessage {
                role: Role::User,
                content: parts(&["body", "input"], input)?,
                name: None,
                otid: None,
                sender_id: None,
                group_id: None,
            });
        }
        if !messages.is_empty() && !decisions.is_empty() {
            let text = "expected either messages or approvals, not both in one request";
            return Err(ApiError::invalid(&["body", "messages"], text, Json::Null));
        }
        Ok((messages, decisions))
    }
}

impl MessageCreate {
    /// As an ordinary message. `loc` is where it stands in the body.
    pub fn input(&self, loc: &[&str]) -> Result<InputMessage, ApiError> {
        if let Some(kind) = self.kind.as_deref().filter(|k| *k != "message") {
            let text = "expected `message`, `approval` or `tool_return`";
            return Err(ApiError::invalid(&at(loc, &["type"]), text, json!(kind)));
        }
        let role = match self.role.as_deref() {
            Some("user") => Role::User,
            Some("system") => Role::System,
            Some("assistant") => Role::Assistant,
            other => {
                let text = "expected `user`, `system` or `assistant`";
                return Err(ApiError::invalid(&at(loc, &["role"]), text, json!(other)));
            }
        };
        let Some(content) = &self.content else {
            return Err(ApiError::invalid(&at(loc, &["content"]), "Field required", Json::Null));
        };
        let content_loc: Vec<&str> = loc.iter().copied().chain(["content"]).collect();
        Ok(InputMessage {
            role,
            content: parts(&content_loc, content)?,
            name: self.name.clone(),
            otid: self.otid.clone(),
            sender_id: self.sender_id.clone(),
            group_id: self.group_id.clone(),
        })
    }

    /// As decisions on pending calls.
    fn decisions(&self, loc: &[&str]) -> Result<Vec<Decision>, ApiError> {
        let (member, list) = match (&self.approvals, &self.tool_returns) {
            (Some(list), _) => ("approvals", list),
            (None, Some(list)) => ("tool_returns", list),
            (None, None) => {
                let Some(approve) = self.approve else {
                    return Err(ApiError::invalid(&at(loc, &["approvals"]), "Field required", Json::Null));
                };
                return Ok(vec![Decision::Approval { tool_call_id: None, approve, reason: self.reason.clone() }]);
            }
        };
        if list.is_empty() {
            return Err(ApiError::invalid(&at(loc, &[member]), "expected at least one entry", json!([])));
        }
        at_most(&at(loc, &[member]), "entries", list.len(), limits::DECISIONS)?;
        list.iter()
            .enumerate()
            .map(|(i, word)| word.decision(&at(loc, &[member, &i.to_string()]), member == "tool_returns"))
            .collect()
    }
}

impl ApprovalIn {
    fn decision(&self, loc: &[String], is_return: bool) -> Result<Decision, ApiError> {
        let missing = |member: &str| {
            let loc: Vec<&str> = loc.iter().map(String::as_str).chain([member]).collect();
            ApiError::invalid(&loc, "Field required", Json::Null)
        };
        let tool_call_id = self.tool_call_id.clone().ok_or_else(|| missing("tool_call_id"))?;
        if is_return || self.kind.as_deref() == Some("tool") || (self.approve.is_none() && self.tool_return.is_some()) {
            let text = match self.tool_return.as_ref().ok_or_else(|| missing("tool_return"))? {
                Json::String(text) => text.clone(),
                Json::Array(parts) => {
                    parts.iter().filter_map(|p| p.get("text")?.as_str()).collect::<Vec<_>>().join("\n")
                }
                other => other.to_string(),
            };
            return Ok(Decision::Return {
                tool_call_id,
                text,
                ok: self.status.as_deref() != Some("error"),
                stdout: self.stdout.clone().unwrap_or_default(),
                stderr: self.stderr.clone().unwrap_or_default(),
            });
        }
        let approve = self.approve.ok_or_else(|| missing("approve"))?;
        Ok(Decision::Approval { tool_call_id: Some(tool_call_id), approve, reason: self.reason.clone() })
    }
}

/// Content as callers write it: a text, or a list of parts. Parts that only a model can have said are
/// read as the words in them.
pub fn parts(loc: &[&str], content: &Json) -> Result<Vec<Part>, ApiError> {
    match content {
        Json::String(text) => Ok(vec![Part::text(text)]),
        Json::Array(list) => {
            at_most(&at(loc, &[]), "parts", list.len(), limits::PARTS)?;
            list.iter()
                .enumerate()
                .filter_map(|(i, part)| self::part(&at(loc, &[&i.to_string()]), part).transpose())
                .collect()
        }
        other => Err(ApiError::invalid(loc, "expected a text or a list of content parts", brief(other))),
    }
}

fn brief(value: &Json) -> Json {
    if value.is_object() || value.is_array() { Json::Null } else { value.clone() }
}

fn part(loc: &[String], part: &Json) -> Result<Option<Part>, ApiError> {
    let text = |member: &str| {
        part.get(member).and_then(Json::as_str).map(|t| Some(Part::text(t))).ok_or_else(|| {
            let loc: Vec<&str> = loc.iter().map(String::as_str).chain([member]).collect();
            ApiError::invalid(&loc, "expected a text", brief(&part[member]))
        })
    };
    match part.get("type").and_then(Json::as_str) {
        Some("text") => text("text"),
        Some("image") => {
            let wrong = |why: String| {
                let loc: Vec<&str> = loc.iter().map(String::as_str).chain(["source"]).collect();
                ApiError::invalid(&loc, why, Json::Null)
            };
            let part = Part::deserialize(part).map_err(|error| {
                wrong(format!("expected an image source of type `url`, `base64` or `letta`: {error}"))
            })?;
            match part {
                Part::Image { source } => {
                    images::checked(source).map(|source| Some(Part::Image { source })).map_err(wrong)
                }
                part @ Part::Text { .. } => Ok(Some(part)),
            }
        }
        Some("tool_return") => text("content"),
        Some("tool_call") => Ok(Some(Part::text(part.to_string()))),
        Some("reasoning" | "redacted_reasoning" | "omitted_reasoning" | "summarized_reasoning") => Ok(None),
        other => {
            let loc: Vec<&str> = loc.iter().map(String::as_str).chain(["type"]).collect();
            Err(ApiError::invalid(&loc, "expected a content part, as `text` or `image`", json!(other)))
        }
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
