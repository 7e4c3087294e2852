//! Good answers with something odd about them, and what must go back as it came.

use engram_core::ports::llm::{ChatMessage, Ending};
use engram_domain::{Json, message::Reasoning};
use serde_json::json;

use crate::{
    server::{Reply, Server},
    support::{chat, end, event, request, streamed, user, vllm},
};

fn whole(body: &str) -> Reply {
    Reply::Whole(200, "", "application/json", body.to_owned())
}

#[tokio::test]
async fn a_character_that_was_cut_in_two_is_put_together() {
    let server = Server::start(|_, seen| match seen.body["stream"].as_bool() {
        Some(true) => {
            let piece = |text: &str| format!("data: {{\"choices\":[{{\"delta\":{{{text}}}}}]}}\n\n");
            Reply::Events(vec![
                piece(r#""reasoning":"\ud83d""#),
                piece(r#""reasoning":"\ude00""#),
                piece(r#""content":"hi \ud83d""#),
                piece(r#""content":"\ude00 there\ud83d""#),
                piece(r#""tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{\"a\":\"\ud83d"}}]"#),
                piece(r#""tool_calls":[{"index":0,"function":{"arguments":"\ude00 \\ud83d\"}"}}]"#),
                end("tool_calls"),
            ])
        }
        _ => whole(r#"{"choices":[{"message":{"content":"hi \ud83d there"},"finish_reason":"stop"}]}"#),
    })
    .await;
    let providers = vllm(&server.base);
    let reply = chat(&providers, request("vllm/m")).await.0.expect("an answer");
    assert_eq!(reply.text.as_deref(), Some("hi \u{fffd} there"));
    let (reply, pieces) = chat(&providers, streamed("vllm/m")).await;
    let reply = reply.expect("an answer");
    assert_eq!(reply.text.as_deref(), Some("hi 😀 there\u{fffd}"));
    assert_eq!(reply.reasoning, [Reasoning::Text { text: "😀".into(), native: true, signature: None }]);
    // A lone half inside of the arguments' own texts is no JSON either.
    assert_eq!(reply.calls[0].arguments, "{\"a\":\"😀 \u{fffd}\"}");
    assert!(format!("{pieces:?}").contains("😀 there"), "{pieces:?}");
}

#[tokio::test]
async fn side_fields_of_any_form_do_no_harm() {
    let good = json!({"message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"});
    let with = |name: &str, value: Json| {
        let mut body = json!({"id": "x", "choices": [good.clone()]});
        body[name] = value;
        body
    };
    let of_choice = |name: &str, value: Json| {
        let mut choice = good.clone();
        choice[name] = value;
        json!({"choices": [choice, null]})
    };
    for body in [
        with("usage", json!({"prompt_tokens": 10.0, "completion_tokens": "5", "prompt_tokens_details": "none"})),
        with("usage", json!("free")),
        with("usage", json!([1])),
        with("id", json!(12345)),
        with("model", json!({"name": "m"})),
        with("x_groq", json!("x")),
        with("error", json!("")),
        with("error", json!({})),
        with("error", json!(false)),
        with("error", json!({"message": null})),
        of_choice("finish_reason", json!(0)),
        of_choice("finish_reason", json!({"reason": "stop"})),
        of_choice("delta", json!("")),
        of_choice("index", json!("first")),
        of_choice("message", json!({"content": "hello", "tool_calls": {}, "refusal": [], "reasoning": {"a": 1}})),
    ] {
        let text = body.to_string();
        let server = Server::start(move |_, _| whole(&text)).await;
        let reply = chat(&vllm(&server.base), request("vllm/m")).await.0;
        assert_eq!(reply.unwrap_or_else(|e| panic!("{body}: {e}")).text.as_deref(), Some("hello"), "{body}");
    }
    for (index, id) in
        [(json!(-1), json!("a")), (json!("0"), json!(7)), (json!(0.0), json!(null)), (json!(1e300), json!({}))]
    {
        let call = json!({"index": index, "id": id, "function": {"name": "f", "arguments": "{}"}});
        let server = Server::start(move |_, seen| match seen.body["stream"].as_bool() {
            Some(true) => Reply::Events(vec![event(&json!({"tool_calls": [null, call]})), end("tool_calls")]),
            _ => Reply::json(200, &json!({"choices": [{"message": {"tool_calls": [call]}}]})),
        })
        .await;
        for asked in [request("vllm/m"), streamed("vllm/m")] {
            let reply = chat(&vllm(&server.base), asked).await.0.expect("an answer");
            assert_eq!((reply.calls.len(), &*reply.calls[0].name), (1, "f"));
        }
    }
    let counted =
        with("usage", json!({"prompt_tokens": 10.0, "completion_tokens": "5", "prompt_cache_hit_tokens": 3.0}));
    let server = Server::start(move |_, _| Reply::json(200, &counted)).await;
    let usage = chat(&vllm(&server.base), request("vllm/m")).await.0.expect("an answer").usage;
    assert_eq!((usage.prompt_tokens, usage.completion_tokens, usage.cached_input_tokens), (10, 5, 3));
}

#[tokio::test]
async fn what_a_body_is_shows_in_its_first_byte() {
    let events = format!("{}{}", event(&json!({"content": "hello"})), end("stop"));
    let answer = json!({"choices": [{"message": {"content": "hello"}}]}).to_string();
    for (kind, body) in [
        ("application/json", events.clone()),
        ("application/octet-stream", events.clone()),
        ("application/json", format!(": waiting\n\n{events}")),
        ("text/event-stream", format!("\u{feff}{events}")),
        ("text/event-stream", answer.clone()),
        ("application/json", format!("\u{feff}{answer}")),
        ("text/plain", format!("\n {answer}")),
    ] {
        let server = Server::start(move |_, _| Reply::Whole(200, "", kind, body.clone())).await;
        for asked in [request("vllm/m"), streamed("vllm/m")] {
            let reply = chat(&vllm(&server.base), asked).await.0;
            assert_eq!(reply.unwrap_or_else(|e| panic!("{kind}: {e}")).text.as_deref(), Some("hello"), "{kind}");
        }
    }
}

#[tokio::test]
async fn an_error_in_a_choice_is_an_error() {
    let choice =
        json!({"message": {"content": ""}, "finish_reason": "error", "error": {"code": 502, "message": "gone"}});
    let server = Server::start(move |_, _| Reply::json(200, &json!({"choices": [choice]}))).await;
    let error = chat(&vllm(&server.base), request("vllm/m")).await.0.expect_err("no answer");
    assert!(error.message.contains("gone"), "{error}");
}

#[tokio::test]
async fn how_an_answer_ended_is_told_whatever_the_word() {
    for (word, ending) in [
        ("stop", Ending::Whole),
        ("eos", Ending::Whole),
        ("length", Ending::Length),
        ("MAX_TOKENS", Ending::Length),
        ("content_filter", Ending::Filter),
        ("SAFETY", Ending::Filter),
    ] {
        let choice = json!({"message": {"content": "forty-tw"}, "finish_reason": word});
        let server = Server::start(move |_, _| Reply::json(200, &json!({"choices": [choice]}))).await;
        let reply = chat(&vllm(&server.base), request("vllm/m")).await.0.expect("an answer");
        assert_eq!(reply.ending, ending, "{word}");
    }
}

#[tokio::test]
async fn thoughts_between_tags_are_no_words() {
    let server = Server::start(|_, seen| match seen.body["stream"].as_bool() {
        Some(true) => Reply::Events(vec![
            event(&json!({"content": "<thi"})),
            event(&json!({"content": "nk>They are rude.</th"})),
            event(&json!({"content": "ink>\n\nHello"})),
            event(&json!({"content": "!"})),
            end("stop"),
        ]),
        _ => Reply::says("<think>They are rude.</think>\n\nHello!"),
    })
    .await;
    for asked in [request("vllm/m"), streamed("vllm/m")] {
        let (reply, pieces) = chat(&vllm(&server.base), asked).await;
        let reply = reply.expect("an answer");
        assert_eq!(reply.text.as_deref(), Some("Hello!"));
        assert_eq!(reply.reasoning, [Reasoning::Text { text: "They are rude.".into(), native: true, signature: None }]);
        assert!(!format!("{pieces:?}").contains("think"), "{pieces:?}");
    }
    let server = Server::start(|_, _| Reply::says("They are rude.\n</think>\n\nHello!")).await;
    let reply = chat(&vllm(&server.base), request("vllm/m")).await.0.expect("an answer");
    assert_eq!(reply.text.as_deref(), Some("Hello!"));
}

#[tokio::test]
async fn what_a_provider_sent_along_goes_back_to_it_and_to_nobody_else() {
    let details = json!([{"type": "reasoning.encrypted", "data": "abc", "index": 0}]);
    let signature = json!({"google": {"thought_signature": "c2ln"}});
    let call =
        json!({"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{}"}, "extra_content": signature});
    let message = json!({"content": null, "reasoning_details": details, "tool_calls": [call]});
    let server = Server::start(move |_, seen| match seen.body["stream"].as_bool() {
        Some(true) => Reply::Events(vec![event(&message), end("tool_calls")]),
        _ => Reply::json(200, &json!({"choices": [{"message": message}]})),
    })
    .await;
    let base = server.base.as_str();
    let providers = crate::support::configured(
        crate::support::settings(),
        &[("VLLM_API_BASE", base), ("OPENAI_BASE_URL", base), ("OPENAI_API_KEY", "k")],
    );
    for asked in [request("vllm/m"), streamed("vllm/m")] {
        let reply = chat(&providers, asked).await.0.expect("an answer");
        // As it is stored and loaded again.
        let stored = serde_json::to_value(&reply.reasoning).expect("JSON");
        let said = ChatMessage::Assistant {
            reasoning: serde_json::from_value(stored).expect("as it was"),
            text: None,
            calls: reply.calls,
        };
        let result = ChatMessage::Tool { call_id: "c1".into(), name: "f".into(), text: "ok".into() };
        let messages = [user("Hi"), said, result];
        for (handle, details, signature) in
            [("vllm/other", details.clone(), signature.clone()), ("openai/gpt-4o", Json::Null, Json::Null)]
        {
            let mut next = request(handle);
            next.messages = messages.iter().cloned().collect();
            chat(&providers, next).await.0.expect("an answer");
            let sent = server.requests().last().expect("it was sent").body["messages"][1].clone();
            assert_eq!(sent["reasoning_details"], details, "{handle}");
            assert_eq!(sent["tool_calls"][0]["extra_content"], signature, "{handle}");
        }
    }
}
