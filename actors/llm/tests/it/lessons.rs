//! Models that refuse a request, and what is made of it.

use std::sync::Arc;

use engram_core::ports::{
    ChatRequest, LlmErrorKind,
    llm::{ChatMessage, ToolChoice},
};
use engram_domain::{
    LlmConfig, Part, ToolCall,
    message::{ImageSource, Reasoning},
};
use serde_json::{Value, json};

use crate::{
    server::{Reply, Server},
    support::{chat, event, request, streamed, tool, user, vllm},
};

fn refusal(words: &str) -> Reply {
    Reply::json(400, &json!({"error": {"message": words, "type": "invalid_request_error"}}))
}

/// A server that refuses what `refuses` has words against, and answers everything else.
async fn picky(refuses: impl Fn(&Value) -> Option<&'static str> + Send + Sync + 'static) -> Server {
    Server::start(move |_, seen| refuses(&seen.body).map_or_else(|| Reply::says("ok"), refusal)).await
}

fn with(config: LlmConfig) -> ChatRequest {
    let asked = request("vllm/m");
    let config = LlmConfig { model: "m".into(), handle: Some("vllm/m".into()), ..config };
    ChatRequest { config: Arc::new(config), tools: Arc::new([tool("f"), tool("g")]), ..asked }
}

/// Asks twice: the first request is refused so many times, the second one never.
async fn learns(server: &Server, asked: ChatRequest, refused: usize) -> Vec<Value> {
    let providers = vllm(&server.base);
    for expected in [refused + 1, 1] {
        let before = server.requests().len();
        let reply = chat(&providers, asked.clone()).await.0;
        assert_eq!(reply.expect("an answer").text.as_deref(), Some("ok"));
        assert_eq!(server.requests().len() - before, expected);
    }
    server.requests().into_iter().map(|seen| seen.body).collect()
}

#[tokio::test]
async fn a_limit_goes_by_the_name_that_the_model_knows_or_by_none() {
    let asked = || with(LlmConfig { max_tokens: Some(100), ..LlmConfig::default() });
    let server = picky(|body| {
        let words = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
        body.get("max_tokens").map(|_| words)
    })
    .await;
    let sent = learns(&server, asked(), 1).await;
    assert_eq!(sent[2]["max_completion_tokens"], 100);

    let server = picky(|body| match (body.get("max_tokens"), body.get("max_completion_tokens")) {
        (Some(_), _) => Some("[{'loc': ('body', 'max_tokens'), 'msg': 'Extra inputs are not permitted'}]"),
        (_, Some(_)) => Some("[{'loc': ('body', 'max_completion_tokens'), 'msg': 'Extra inputs are not permitted'}]"),
        _ => None,
    })
    .await;
    learns(&server, asked(), 2).await;
}

#[tokio::test]
async fn members_that_are_refused_are_left_out_one_after_the_other() {
    let server = picky(|body| {
        let member = [
            "parallel_tool_calls",
            "temperature",
            "frequency_penalty",
            "reasoning_effort",
            "verbosity",
            "stream_options",
        ]
        .into_iter()
        .find(|name| body.get(*name).is_some())?;
        Some(Box::leak(format!("Unrecognized request argument supplied: {member}").into_boxed_str()))
    })
    .await;
    let config = LlmConfig {
        parallel_tool_calls: Some(false),
        temperature: Some(0.5),
        frequency_penalty: Some(0.1),
        reasoning_effort: Some("low".into()),
        verbosity: Some("low".into()),
        ..LlmConfig::default()
    };
    learns(&server, ChatRequest { stream: true, ..with(config) }, 6).await;
}

#[tokio::test]
async fn a_wrong_value_stays_an_error() {
    let server = picky(|_| Some("temperature must be between 0 and 1")).await;
    let error = chat(&vllm(&server.base), with(LlmConfig { temperature: Some(1.5), ..LlmConfig::default() })).await.0;
    assert_eq!(error.expect_err("refused").kind, LlmErrorKind::BadRequest);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn what_did_not_help_is_forgotten_and_tries_end() {
    let server = picky(|_| Some("tool_choice, temperature, max_tokens: not supported, roles must alternate")).await;
    let config = LlmConfig { temperature: Some(0.5), max_tokens: Some(9), ..LlmConfig::default() };
    let asked = ChatRequest { tool_choice: ToolChoice::Required, ..with(config) };
    let providers = vllm(&server.base);
    chat(&providers, asked.clone()).await.0.expect_err("refused");
    let first = server.requests().len();
    assert!((2..=9).contains(&first), "{first}");
    chat(&providers, asked).await.0.expect_err("refused");
    assert_eq!(server.requests()[first].body["tool_choice"], "required", "the second call begins as the first did");
}

#[tokio::test]
async fn nothing_is_tried_again_after_a_piece_was_shown() {
    let server = Server::start(|_, _| {
        let error = json!({"error": {"message": "tool_choice is not supported", "code": 400}});
        Reply::Events(vec![event(&json!({"content": "Once"})), format!("data: {error}\n\n")])
    })
    .await;
    let asked = ChatRequest { tool_choice: ToolChoice::Required, tools: Arc::new([tool("f")]), ..streamed("vllm/m") };
    chat(&vllm(&server.base), asked).await.0.expect_err("half an answer is none");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_choice_that_is_refused_is_left_to_the_model() {
    let server =
        picky(|body| (body["tool_choice"] != "auto").then_some("Thinking mode does not support this tool_choice"))
            .await;
    learns(&server, ChatRequest { tool_choice: ToolChoice::Required, ..with(LlmConfig::default()) }, 1).await;
    let server =
        picky(|body| (body["tool_choice"] != "auto").then_some("Thinking mode does not support this tool_choice"))
            .await;
    let named = ChatRequest { tool_choice: ToolChoice::Named("g".into()), ..with(LlmConfig::default()) };
    let sent = learns(&server, named, 2).await;
    let tools = sent[3]["tools"].as_array().expect("tools");
    assert_eq!((tools.len(), &tools[0]["function"]["name"]), (1, &json!("g")), "the only one that it may call");
}

fn calls(reasoning: Vec<Reasoning>) -> [ChatMessage; 2] {
    let call = ToolCall { id: "c".into(), name: "f".into(), arguments: "{}".into() };
    [
        ChatMessage::Assistant { reasoning, text: None, calls: vec![call] },
        ChatMessage::Tool { call_id: "c".into(), name: "f".into(), text: "ok".into() },
    ]
}

#[tokio::test]
async fn thoughts_go_back_to_who_asks_for_them() {
    for name in ["reasoning_content", "`reasoning`"] {
        let server = picky(move |body| {
            let member = name.trim_matches('`');
            let missing = body["messages"]
                .as_array()?
                .iter()
                .any(|m| m.get("tool_calls").is_some() && m[member].as_str().is_none_or(str::is_empty));
            missing.then(|| &*Box::leak(format!("Missing {name} field in the assistant message").into_boxed_str()))
        })
        .await;
        let thought = Reasoning::Text { text: "Let me look.".into(), native: true, signature: None };
        let mut asked = request("vllm/m");
        asked.messages = [user("Hi")].into_iter().chain(calls(vec![thought])).chain(calls(vec![])).collect();
        let sent = learns(&server, asked, 1).await;
        assert_eq!(sent[2]["messages"][1][name.trim_matches('`')], "Let me look.");
    }
}

#[tokio::test]
async fn a_call_without_a_signature_gets_one_that_stands_for_none() {
    let server = picky(|body| {
        let calls = body["messages"].as_array()?.iter().filter_map(|m| m["tool_calls"].as_array());
        calls
            .flatten()
            .any(|call| call["extra_content"]["google"]["thought_signature"].is_null())
            .then_some("Function call is missing a thought_signature in functionCall parts.")
    })
    .await;
    let mut asked = request("vllm/m");
    asked.messages = [user("Hi")].into_iter().chain(calls(vec![])).collect();
    learns(&server, asked, 1).await;
}

#[tokio::test]
async fn roles_take_turns_where_a_template_wants_it() {
    let server = picky(|body| {
        let mut last = "";
        for (i, message) in body["messages"].as_array()?.iter().enumerate() {
            let role = message["role"].as_str()?;
            if role == "system" && i > 0 {
                return Some("System message must be at the beginning.");
            }
            if role == "user" && last == role {
                return Some("After the optional system message, conversation roles must alternate user/assistant/user/assistant/...");
            }
            last = if role == "user" { "user" } else { "other" };
        }
        None
    })
    .await;
    let mut asked = request("vllm/m");
    asked.messages = [ChatMessage::System("s".into())]
        .into_iter()
        .chain(calls(vec![]))
        .chain([user("a"), user("b"), ChatMessage::System("be brief".into()), user("c")])
        .collect();
    let sent = learns(&server, asked, 1).await;
    let said = sent[2]["messages"].to_string();
    assert!(["a\\nb", "be brief", "c"].iter().all(|text| said.contains(text)), "{said}");

    let server = picky(|body| (body["messages"][0]["role"] == "system").then_some("System role not supported")).await;
    let sent = learns(&server, request("vllm/m"), 1).await;
    assert_eq!(sent[2]["messages"], json!([{"role": "user", "content": "Be brief.\nHi"}]));
}

fn picture(data: &str) -> ChatMessage {
    let source = ImageSource::Base64 { media_type: "image/png".into(), data: data.into(), detail: None };
    ChatMessage::User { parts: vec![Part::text("what is it?"), Part::Image { source }], name: None }
}

#[tokio::test]
async fn pictures_that_are_refused_are_notes_from_then_on() {
    // A model without eyes: all of them; the one with a broken picture: only that.
    let server = picky(|body| {
        body["messages"]
            .as_array()?
            .iter()
            .any(|m| m["content"].is_array())
            .then_some("messages: unknown variant `image_url`, expected `text`")
    })
    .await;
    let mut asked = request("vllm/m");
    asked.messages = [picture("AAAA"), user("and?"), picture("BBBB"), user("never mind")].into_iter().collect();
    let sent = learns(&server, asked.clone(), 2).await;
    assert!(
        sent[3]["messages"][0]["content"].as_str().is_some_and(|text| text.contains("what is it?\n[An image was here"))
    );

    let server = picky(|body| body.to_string().contains("BBBB").then_some("Could not process image")).await;
    let sent = learns(&server, asked, 1).await;
    assert!(sent[2].to_string().contains("AAAA"));
}

#[tokio::test]
async fn a_text_that_a_filter_refuses_is_a_note_from_then_on() {
    const WORDS: &str = "The response was filtered due to the prompt triggering the content management policy.";
    let forbidden = |body: &Value| body["messages"].to_string().contains("forbidden").then_some(WORDS);
    let server = picky(forbidden).await;
    let mut asked = request("vllm/m");
    asked.messages = [user("hello"), user("forbidden")].into_iter().collect();
    let sent = learns(&server, asked, 1).await;
    assert!(sent[2]["messages"].to_string().contains("hello"));

    // After a restart the newest text is innocent, and stays.
    let server = picky(forbidden).await;
    let mut asked = request("vllm/m");
    asked.messages = [user("forbidden"), user("hello")].into_iter().collect();
    let sent = learns(&server, asked, 2).await;
    assert!(sent[3]["messages"].to_string().contains("hello"));

    // What a tool brought is replaced too, and the call keeps its result.
    let server = picky(forbidden).await;
    let [call, _] = calls(vec![]);
    let result = ChatMessage::Tool { call_id: "c".into(), name: "f".into(), text: "a forbidden page".into() };
    let mut asked = request("vllm/m");
    asked.messages = [user("look"), call, result].into_iter().collect();
    let sent = learns(&server, asked, 1).await;
    assert_eq!(sent[2]["messages"][2]["tool_call_id"], "c");
}
