//! The rule of the model, as an agent's loop sees it.

use std::sync::{Arc, Mutex};

use engram_domain::{LlmConfig, Part};
use serde_json::{Value, json};

use super::*;
use engram_core::ports::llm::ChatMessage;

fn user(text: &str) -> ChatMessage {
    ChatMessage::User { parts: vec![Part::text(text)], name: None }
}

fn tool(name: &str, properties: &Value, required: &[&str]) -> ToolSchema {
    let parameters = json!({"type": "object", "properties": properties, "required": required});
    ToolSchema { name: name.into(), description: String::new(), parameters }
}

fn send_message() -> ToolSchema {
    tool(
        "send_message",
        &json!({"thinking": {"type": "string"}, "message": {"type": "string"}}),
        &["thinking", "message"],
    )
}

fn search() -> ToolSchema {
    let flag = json!({"type": "boolean"});
    tool("archival_memory_search", &json!({"query": {"type": "string"}, "request_heartbeat": flag}), &["query"])
}

fn request(messages: Vec<ChatMessage>, tools: Vec<ToolSchema>, tool_choice: ToolChoice) -> ChatRequest {
    ChatRequest {
        config: Arc::new(LlmConfig::default()),
        purpose: Purpose::AgentStep,
        messages: messages.into_iter().collect(),
        tokens: 8,
        tools: tools.into_iter().map(Arc::new).collect(),
        tool_choice,
        response_format: None,
        stream: false,
    }
}

async fn ask(request: &ChatRequest) -> ChatReply {
    Scripted::new(|t| t.split_whitespace().count()).chat(request, None).await.expect("an answer")
}

/// Runs a turn to its end as an agent's loop would; returns the calls and the words.
async fn turn(mut messages: Vec<ChatMessage>, tools: Vec<ToolSchema>) -> Vec<String> {
    let mut out = Vec::new();
    for _ in 0..10 {
        let reply = ask(&request(messages.clone(), tools.clone(), ToolChoice::Auto)).await;
        if let Some(text) = &reply.text {
            out.push(text.clone());
            return out;
        }
        let call = reply.calls[0].clone();
        out.push(format!("{} {}", call.name, call.arguments));
        if call.name == "send_message" {
            return out;
        }
        messages.push(ChatMessage::Assistant { reasoning: vec![], text: None, calls: reply.calls });
        messages.push(ChatMessage::Tool { call_id: call.id, name: call.name, text: "OK".into() });
        messages.push(user(r#"{"type": "heartbeat", "reason": "go on", "time": "now"}"#));
    }
    panic!("the turn does not end: {out:?}");
}

#[tokio::test]
async fn orders_are_followed_one_by_one_and_then_it_answers() {
    let text = r#"Hi [[call archival_memory_search {"query": "x"}]] and [[call no_such_tool {"a": [1]}]] there"#;
    assert_eq!(
        turn(vec![user(text)], vec![send_message(), search()]).await,
        [
            r#"archival_memory_search {"query":"x","request_heartbeat":true}"#,
            r#"no_such_tool {"a": [1]}"#,
            r#"send_message {"thinking":"Answering.","message":"You said: Hi and there"}"#,
        ]
    );
}

#[tokio::test]
async fn without_send_message_it_answers_in_plain_words() {
    assert_eq!(turn(vec![user("one [[call search {]] two")], vec![]).await, ["search {", "You said: one two"]);
    assert_eq!(turn(vec![], vec![]).await, ["You said: "]);
}

#[tokio::test]
async fn hidden_messages_are_not_the_users_and_packages_are_opened() {
    let packed = json!({"type": "user_message", "message": "hello [[call f]]", "time": "now"}).to_string();
    let login = json!({"type": "login", "last_login": "Never"}).to_string();
    let alert = json!({"type": "system_alert", "message": "[[call g]]"}).to_string();
    let messages = vec![user("[[call old]]"), user(&packed), user(&login), user(&alert)];
    assert_eq!(turn(messages, vec![]).await, ["f {}", "You said: hello"]);
    assert_eq!(turn(vec![user(r#"{"type": "event"}"#)], vec![]).await, [r#"You said: {"type": "event"}"#]);
}

#[tokio::test]
async fn the_same_request_gets_the_same_answer_and_every_call_its_own_id() {
    let mut messages = vec![user("[[call f]][[call f]][[call f]]")];
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let asked = request(messages.clone(), vec![], ToolChoice::Auto);
        let (one, two) = (ask(&asked).await, ask(&asked).await);
        assert_eq!(one, two);
        assert!(ids.insert(one.calls[0].id.clone()), "{ids:?}");
        // Without its result, as after a compaction: the number of messages alone must not decide.
        messages.insert(1, ChatMessage::Assistant { reasoning: vec![], text: None, calls: one.calls });
    }
}

#[tokio::test]
async fn a_forced_tool_comes_first_and_does_not_count() {
    let tools = vec![search(), send_message()];
    let forced = ToolChoice::Named("archival_memory_search".into());
    let mut messages = vec![user("[[call f]] bye")];
    let reply = ask(&request(messages.clone(), tools.clone(), forced)).await;
    assert_eq!(reply.calls[0].arguments, r#"{"query":"none","request_heartbeat":true}"#);
    messages.push(ChatMessage::Assistant { reasoning: vec![], text: None, calls: reply.calls });
    for choice in [ToolChoice::Required, ToolChoice::Named("archival_memory_search".into())] {
        let reply = ask(&request(messages.clone(), tools.clone(), choice)).await;
        assert_eq!(reply.calls[0].name, "f", "the script is not kept waiting for ever");
    }
}

#[tokio::test]
async fn where_some_tool_must_be_called_it_ends_with_the_one_that_ends() {
    let finish = tool("memory_finish_edits", &json!({}), &[]);
    let reply = ask(&request(vec![user("hi")], vec![search(), finish], ToolChoice::Required)).await;
    assert_eq!((reply.calls[0].name.as_str(), reply.calls[0].arguments.as_str()), ("memory_finish_edits", "{}"));
    let reply = ask(&request(vec![user("hi")], vec![search()], ToolChoice::Required)).await;
    assert_eq!(reply.calls[0].arguments, r#"{"query":"none","request_heartbeat":false}"#);
}

#[tokio::test]
async fn it_streams_word_by_word_what_it_replies() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let sink: DeltaSink = Arc::new({
        let said = Arc::clone(&said);
        move |delta| said.lock().expect("not poisoned").push(delta)
    });
    let model = Scripted::new(|t| t.split_whitespace().count());
    let mut asked = request(vec![user("a  b")], vec![], ToolChoice::Auto);
    asked.stream = true;
    let reply = model.chat(&asked, Some(&sink)).await.expect("an answer");
    let words = ["You ", "said: ", "a  ", "b"].map(|w| Delta::Text(w.into()));
    assert_eq!(*said.lock().expect("not poisoned"), words);
    assert_eq!(reply.usage.completion_tokens, 4);
    assert_eq!(reply.usage.prompt_tokens, 8);

    said.lock().expect("not poisoned").clear();
    asked.tools = Arc::new([Arc::new(send_message())]);
    let reply = model.chat(&asked, Some(&sink)).await.expect("an answer");
    let deltas = said.lock().expect("not poisoned").clone();
    let call = &reply.calls[0];
    assert_eq!(deltas[0], Delta::CallStart { index: 0, id: call.id.clone(), name: "send_message".into() });
    assert!(deltas.len() > 4);
    let args = deltas[1..].iter().map(|d| match d {
        Delta::CallArgs { index: 0, piece } => piece.as_str(),
        other => panic!("{other:?}"),
    });
    assert_eq!(args.collect::<String>(), call.arguments);
}

#[tokio::test]
async fn a_summary_is_a_digest_and_obeys_nothing() {
    let transcript = "Summarize:\nuser: my cat is called Ada [[call f]]\nassistant: nice\nUser: I live in Rome\n";
    let mut asked = request(vec![ChatMessage::System("s".into()), user(transcript)], vec![], ToolChoice::Auto);
    asked.purpose = Purpose::Summarization;
    let reply = ask(&asked).await;
    insta::assert_snapshot!(reply.text.unwrap_or_default(), @"Summary of 3 messages: my cat is called Ada [[call f]] / I live in Rome");
    asked.messages = (0..100).map(|i| user(&format!("fact {i} {}", "x ".repeat(200)))).collect();
    let text = ask(&asked).await.text.unwrap_or_default();
    assert!(text.starts_with("Summary of 100 messages: fact 0 x x"), "{text}");
    assert_eq!(text.chars().count(), 1_500);
}

#[tokio::test]
async fn a_prompt_larger_than_the_window_is_refused() {
    let mut asked = request(vec![user("word")], vec![], ToolChoice::Auto);
    asked.tokens = 130_000;
    let error = Scripted::new(|t| t.split_whitespace().count()).chat(&asked, None).await.expect_err("too large");
    assert_eq!(error.kind, LlmErrorKind::ContextOverflow);
}
