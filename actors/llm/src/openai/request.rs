//! The body of a chat request.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use engram_core::ports::{
    ChatRequest, LlmError, LlmErrorKind,
    llm::{ToolChoice, ToolSchema},
};
use engram_domain::Json;
use serde::{Serialize, Serializer};
use serde_json::json;

use super::{clean, messages::Messages, model::is_openai_reasoner, quirks::Quirks, shape};
use crate::learnt::{self, Learnt, Limit};

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Messages<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Tools<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verbosity: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<&'a Json>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

/// The name of the model. An old agent may have it only in its handle.
pub(super) fn model_of(request: &ChatRequest) -> &str {
    let config = &*request.config;
    let named = config.handle.as_deref().and_then(|h| h.split_once('/')).map_or("", |(_, model)| model);
    if config.model.is_empty() { named } else { &config.model }
}

/// The request as JSON text. Fails only on numbers that JSON has no form for.
pub(super) fn body(quirks: Quirks, endpoint: &str, request: &ChatRequest, learnt: &Learnt) -> Result<Bytes, LlmError> {
    let config = &*request.config;
    let model = model_of(request);
    let reasoner = is_openai_reasoner(model);
    let takes = |member: &str| !learnt.left_out.contains(member);
    let limit = config.max_tokens.filter(|n| *n > 0 && learnt.limit != Limit::Unsaid);
    let of_completion = reasoner != (learnt.limit == Limit::Other);
    let tools = tools(quirks, request, learnt);
    let has_tools = tools.is_some();
    let messages = shape::shaped(&request.messages, learnt);
    let body = Body {
        model,
        messages: Messages { all: &messages, endpoint, thoughts_back: quirks.thoughts_back, learnt },
        tools,
        tool_choice: (has_tools && takes("tool_choice")).then(|| choice(quirks, &request.tool_choice, learnt)),
        // OpenAI's reasoning models refuse the member itself.
        parallel_tool_calls: config
            .parallel_tool_calls
            .filter(|many| has_tools && !reasoner && (*many || quirks.single_call) && takes("parallel_tool_calls")),
        temperature: config.temperature.filter(|_| !reasoner && takes("temperature")),
        max_tokens: limit.filter(|_| !of_completion),
        max_completion_tokens: limit.filter(|_| of_completion),
        frequency_penalty: config.frequency_penalty.filter(|_| !reasoner && takes("frequency_penalty")),
        reasoning_effort: config
            .reasoning_effort
            .as_deref()
            .or(config.effort.as_deref())
            .filter(|_| config.enable_reasoner != Some(false) && takes("reasoning_effort")),
        verbosity: config.verbosity.as_deref().filter(|_| takes("verbosity")),
        response_format: request
            .response_format
            .as_ref()
            .or(config.response_format.as_ref())
            .filter(|f| !f.is_null() && takes("response_format")),
        stream: request.stream,
        stream_options: (request.stream && takes("stream_options")).then_some(StreamOptions { include_usage: true }),
    };
    let text = serde_json::to_vec(&body)
        .map_err(|e| LlmError::new(LlmErrorKind::BadRequest, format!("the request cannot be written as JSON: {e}")))?;
    Ok(text.into())
}

fn tools<'a>(quirks: Quirks, request: &'a ChatRequest, learnt: &Learnt) -> Option<Tools<'a>> {
    // A server that cannot be told which tool to call is shown that one alone.
    let only = match &request.tool_choice {
        ToolChoice::Named(name) if !quirks.named_choice || learnt.choice != learnt::Choice::Any => Some(name.as_str()),
        _ => None,
    };
    let strict = request.config.strict && quirks.strict_tools && !learnt.left_out.contains("strict");
    (!request.tools.is_empty()).then_some(Tools { all: &request.tools, only, strict })
}

fn choice<'a>(quirks: Quirks, choice: &'a ToolChoice, learnt: &Learnt) -> Choice<'a> {
    match choice {
        ToolChoice::Auto => Choice::Word("auto"),
        _ if learnt.choice == learnt::Choice::Free => Choice::Word("auto"),
        ToolChoice::Named(name) if quirks.named_choice && learnt.choice == learnt::Choice::Any => {
            Choice::Named { r#type: "function", function: NameOnly { name: clean::name(name) } }
        }
        ToolChoice::Required | ToolChoice::Named(_) => Choice::Word("required"),
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Choice<'a> {
    Word(&'static str),
    Named { r#type: &'static str, function: NameOnly<'a> },
}

#[derive(Serialize)]
struct NameOnly<'a> {
    name: Cow<'a, str>,
}

struct Tools<'a> {
    all: &'a [Arc<ToolSchema>],
    only: Option<&'a str>,
    strict: bool,
}

#[derive(Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: Cow<'a, str>,
    description: &'a str,
    parameters: Cow<'a, Json>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    strict: bool,
}

impl Serialize for Tools<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let shown = self.all.iter().filter(|t| self.only.is_none_or(|only| t.name == only));
        s.collect_seq(shown.map(|tool| Tool {
            r#type: "function",
            function: Function {
                name: clean::name(&tool.name),
                description: &tool.description,
                parameters: if tool.parameters.is_object() {
                    Cow::Borrowed(&tool.parameters)
                } else {
                    Cow::Owned(json!({ "type": "object", "properties": {} }))
                },
                strict: self.strict && may_be_strict(&tool.parameters),
            },
        }))
    }
}

/// OpenAI refuses a strict tool unless every object in its schema is closed and requires all of its
/// members; such a tool is sent as an ordinary one instead.
fn may_be_strict(schema: &Json) -> bool {
    match schema {
        Json::Object(map) => {
            let closed = match map.get("properties").and_then(Json::as_object) {
                None => map.get("type").and_then(Json::as_str) != Some("object"),
                Some(members) => {
                    let required = map.get("required").and_then(Json::as_array);
                    map.get("additionalProperties") == Some(&Json::Bool(false))
                        && members.keys().all(|k| required.is_some_and(|r| r.iter().any(|v| v == k.as_str())))
                }
            };
            closed && map.values().all(may_be_strict)
        }
        Json::Array(items) => items.iter().all(may_be_strict),
        _ => true,
    }
}
