//! What is sent and what is made of the answers.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use engram_core::ports::{
    ChatRequest, Delta,
    llm::{ChatMessage, Ending, ToolChoice},
};
use engram_domain::{
    LlmConfig, Part, ToolCall,
    message::{ImageSource, Reasoning},
};
use serde_json::{Value, json};

use crate::{
    server::{Reply, Server},
    support::{chat, configured, end, event, request, settings, streamed, tool, user, vllm},
};

#[tokio::test]
async fn a_plain_answer() {
    let server = Server::start(|_, _| Reply::says("Hello.")).await;
    let providers = vllm(&server.base);
    for _ in 0..3 {
        let (reply, pieces) = chat(&providers, request("vllm/m")).await;
        let reply = reply.expect("an answer");
        assert_eq!(reply.text.as_deref(), Some("Hello."));
        assert_eq!(
            (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.cached_input_tokens),
            (7, 2, 3)
        );
        assert!(pieces.is_empty(), "nobody asked for pieces");
        let raw = reply.raw.expect("for the trace");
        assert!(raw["choices"][0].get("logprobs").is_none());
        assert_eq!(raw["id"], "x");
    }
    let seen = server.requests();
    assert_eq!(seen[0].path, "/v1/chat/completions");
    assert!(seen[0].head.to_lowercase().contains("authorization: bearer sk-secret"));
    assert_eq!(server.connections.load(Ordering::SeqCst), 1, "the connection is used again");
}

#[tokio::test]
async fn pieces_arrive_and_add_up() {
    let server = Server::start(|_, _| {
        let whole = [
            event(&json!({"role": "assistant", "content": null, "reasoning_content": "Hm"})),
            event(&json!({"reasoning_content": "m."})),
            event(&json!({"content": "Grü"})),
            event(&json!({"content": "ße 🦀"})),
            event(&json!({"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}]})),
            event(&json!({"tool_calls": [{"index": 0, "function": {"arguments": "{\"a\": "}}]})),
            event(&json!({"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]})),
            ": a comment\n\n".to_owned(),
            end("tool_calls"),
        ]
        .concat();
        // Cut inside of characters, events and lines.
        let bytes = whole.as_bytes();
        let mut pieces = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let mut to = (at + 13).min(bytes.len());
            while !whole.is_char_boundary(to) {
                to += 1;
            }
            pieces.push(whole[at..to].to_owned());
            at = to;
        }
        Reply::Events(pieces)
    })
    .await;
    let providers = vllm(&server.base);
    let (reply, pieces) = chat(&providers, streamed("vllm/m")).await;
    let reply = reply.expect("an answer");
    assert_eq!(reply.text.as_deref(), Some("Grüße 🦀"));
    assert_eq!(reply.reasoning, [Reasoning::Text { text: "Hmm.".into(), native: true, signature: None }]);
    assert_eq!(reply.calls, [ToolCall { id: "c1".into(), name: "f".into(), arguments: "{\"a\": 1}".into() }]);
    assert_eq!((reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.reasoning_tokens), (11, 5, 2));
    assert_eq!(reply.ending, Ending::Whole);
    assert_eq!(
        pieces,
        [
            Delta::Reasoning("Hm".into()),
            Delta::Reasoning("m.".into()),
            Delta::Text("Grü".into()),
            Delta::Text("ße 🦀".into()),
            Delta::CallStart { index: 0, id: "c1".into(), name: "f".into() },
            Delta::CallArgs { index: 0, piece: "{\"a\": ".into() },
            Delta::CallArgs { index: 0, piece: "1}".into() },
        ]
    );
    assert_eq!(server.requests()[0].body["stream_options"], json!({"include_usage": true}));
    // The end of the body may come a moment after the last event.
    tokio::time::sleep(Duration::from_millis(50)).await;
    chat(&providers, streamed("vllm/m")).await.0.expect("an answer");
    assert_eq!(server.connections.load(Ordering::SeqCst), 1, "a stream that was read to its end keeps its connection");
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_understood_all_the_same() {
    let server = Server::start(|_, _| Reply::says("Hello.")).await;
    let (reply, pieces) = chat(&vllm(&server.base), streamed("vllm/m")).await;
    assert_eq!(reply.expect("an answer").text.as_deref(), Some("Hello."));
    assert_eq!(pieces, [Delta::Text("Hello.".into())]);
}

#[tokio::test]
async fn an_answer_that_was_cut_at_its_limit_says_so() {
    let server = Server::start(|_, _| Reply::Events(vec![event(&json!({"content": "Once"})), end("length")])).await;
    let (reply, _) = chat(&vllm(&server.base), streamed("vllm/m")).await;
    assert_eq!(reply.expect("an answer").ending, Ending::Length);
}

#[tokio::test]
async fn the_body_is_what_the_api_wants() {
    let server = Server::start(|_, _| Reply::says("ok")).await;
    let long_id = "x".repeat(60);
    let picture =
        ImageSource::Base64 { media_type: "image/png".into(), data: "AAAA".into(), detail: Some("low".into()) };
    let messages = vec![
        ChatMessage::System("Be brief.".into()),
        ChatMessage::User {
            parts: vec![
                Part::text("Look"),
                Part::Image { source: picture },
                Part::Image { source: ImageSource::Url { url: "http://x/y".into() } },
            ],
            name: Some("Ann Lee".into()),
        },
        ChatMessage::Assistant {
            reasoning: vec![Reasoning::Text { text: "private".into(), native: true, signature: None }],
            text: None,
            calls: vec![
                ToolCall { id: long_id.clone(), name: "f".into(), arguments: "{\"a\": 1}".into() },
                ToolCall { id: "c2".into(), name: "no such tool".into(), arguments: "{\"a\": ".into() },
            ],
        },
        ChatMessage::Tool { call_id: long_id, name: "f".into(), text: "1".into() },
        ChatMessage::Tool { call_id: "c2".into(), name: "no such tool".into(), text: "unknown".into() },
        ChatMessage::Assistant { reasoning: vec![], text: None, calls: vec![] },
    ];
    let config = LlmConfig {
        temperature: Some(0.7),
        max_tokens: Some(100),
        parallel_tool_calls: Some(true),
        ..(*request("vllm/m").config).clone()
    };
    let asked = ChatRequest {
        config: Arc::new(config),
        messages: messages.into_iter().collect(),
        tools: Arc::new([tool("f"), tool("send.it")]),
        tool_choice: ToolChoice::Named("send.it".into()),
        response_format: Some(json!({"type": "json_object"})),
        ..request("vllm/m")
    };
    chat(&vllm(&server.base), asked).await.0.expect("an answer");
    let body = &server.requests()[0].body;
    // One line for each member, so that a change is seen where it is.
    let lines = |value: &Value| match value {
        Value::Array(items) => items.iter().fold(String::new(), |all, item| all + "\n  " + &item.to_string()),
        other => format!(" {other}"),
    };
    let body = body.as_object().expect("an object").iter().map(|(k, v)| format!("{k}:{}", lines(v)));
    insta::assert_snapshot!(body.collect::<Vec<_>>().join("\n"), @r#"
    model: "m"
    messages:
      {"role":"system","content":"Be brief."}
      {"role":"user","content":[{"type":"text","text":"Look"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}},{"type":"image_url","image_url":{"url":"http://x/y"}}],"name":"Ann_Lee"}
      {"role":"assistant","content":null,"tool_calls":[{"id":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-b9e7de4b","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}},{"id":"c2","type":"function","function":{"name":"no_such_tool","arguments":"{\"malformed_arguments\":\"{\\\"a\\\": \"}"}}]}
      {"role":"tool","tool_call_id":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-b9e7de4b","content":"1"}
      {"role":"tool","tool_call_id":"c2","content":"unknown"}
      {"role":"assistant","content":""}
    tools:
      {"type":"function","function":{"name":"f","description":"It does.","parameters":{"type":"object","properties":{}}}}
      {"type":"function","function":{"name":"send_it","description":"It does.","parameters":{"type":"object","properties":{}}}}
    tool_choice: {"type":"function","function":{"name":"send_it"}}
    parallel_tool_calls: true
    temperature: 0.7
    max_tokens: 100
    response_format: {"type":"json_object"}
    "#);
}

#[tokio::test]
async fn reasoning_models_get_neither_temperature_nor_max_tokens() {
    let server = Server::start(|_, _| Reply::says("ok")).await;
    let base = server.base.as_str();
    let providers = configured(settings(), &[("VLLM_API_BASE", base), ("OPENAI_BASE_URL", base)]);
    for handle in ["openai/o3-mini", "openai-proxy/gpt-5"] {
        let asked = request(handle);
        let config = LlmConfig {
            temperature: Some(1.0),
            max_tokens: Some(64),
            reasoning_effort: Some("low".into()),
            ..(*asked.config).clone()
        };
        let asked = ChatRequest { config: Arc::new(config), tools: Arc::new([tool("f")]), ..asked };
        chat(&providers, asked).await.0.expect("an answer");
    }
    for seen in server.requests() {
        assert_eq!(seen.body["max_completion_tokens"], 64);
        assert_eq!(seen.body["reasoning_effort"], "low");
        for absent in ["temperature", "max_tokens", "parallel_tool_calls"] {
            assert!(seen.body.get(absent).is_none(), "{absent} in {}", seen.body);
        }
    }
}

#[tokio::test]
async fn names_come_back_as_the_agent_knows_them() {
    let server = Server::start(|_, _| {
        let call = json!({"id": "", "type": "function", "function": {"name": "send_it", "arguments": {"a": 1}}});
        Reply::json(
            200,
            &json!({"choices": [{"message": {"content": "", "tool_calls": [call]}, "finish_reason": "tool_calls"}]}),
        )
    })
    .await;
    let asked = ChatRequest {
        tools: Arc::new([tool("send.it")]),
        messages: [user("go")].into_iter().collect(),
        ..request("vllm/m")
    };
    let reply = chat(&vllm(&server.base), asked).await.0.expect("an answer");
    assert_eq!(reply.calls, [ToolCall { id: "call_1".into(), name: "send.it".into(), arguments: "{\"a\":1}".into() }]);
    assert_eq!(reply.text, None);
}
