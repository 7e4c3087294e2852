use super::*;

fn read(body: Json) -> Result<RunInput, ApiError> {
    let request: MessageRequest = serde_json::from_value(body).expect("the outer shape is right");
    request.run_input()
}

fn refusal(body: Json) -> String {
    read(body).expect_err("it is wrong").body()["detail"].to_string()
}

#[test]
fn both_generations_say_the_same() {
    let old = read(json!({"messages": [{"role": "user", "content": "hi"}]})).expect("valid");
    let parts =
        read(json!({"messages": [{"type": "message", "role": "user", "content": [{"type": "text", "text": "hi"}]}]}));
    let new = read(json!({"input": "hi", "max_steps": 0})).expect("valid");
    assert_eq!(old, new);
    assert_eq!(old, parts.expect("valid"));
    assert_eq!(old.max_steps, 50);
    let both = read(json!({"messages": [{"role": "user", "content": "a"}], "input": "b"})).expect("valid");
    assert_eq!(both.messages.len(), 2);
}

#[test]
fn nothing_at_all_lets_the_agent_go_on_and_an_empty_list_is_refused() {
    let input = read(json!({"max_steps": 0})).expect("valid");
    assert!(input.messages.is_empty() && input.decisions.is_empty());
    let refused = refusal(json!({"messages": []}));
    assert!(refused.contains(r#""loc":["body","messages"]"#) && refused.contains("Messages must not be empty"));
}

#[test]
fn a_request_is_known_by_its_key_and_by_its_messages() {
    let keys = |body: Json, key| serde_json::from_value::<MessageRequest>(body).expect("valid").keys(key);
    let messages = json!({"messages": [
        {"role": "user", "content": "a", "otid": "1"}, {"role": "user", "content": "b", "otid": ""},
        {"type": "approval", "approve": true, "otid": "2"}]});
    let made = keys(messages, Some("k"));
    assert_eq!(made.iter().map(RequestKey::as_str).collect::<Vec<_>>(), ["key:k", "otid:1", "otid:2"]);
    assert!(keys(json!({"input": "a"}), None).is_empty());
}

#[test]
fn mistakes_are_named() {
    insta::assert_snapshot!(refusal(json!({"messages": [{"role": "bot", "content": "x"}]})), @r#"[{"type":"value_error","loc":["body","messages",0,"role"],"msg":"expected `user`, `system` or `assistant`","input":"bot"}]"#);
    insta::assert_snapshot!(refusal(json!({"messages": [{"role": "user"}]})), @r#"[{"type":"value_error","loc":["body","messages",0,"content"],"msg":"Field required","input":null}]"#);
    insta::assert_snapshot!(refusal(json!({"messages": [{"role": "user", "content": [{"type": "video"}]}]})), @r#"[{"type":"value_error","loc":["body","messages",0,"content",0,"type"],"msg":"expected a content part, as `text` or `image`","input":"video"}]"#);
    insta::assert_snapshot!(refusal(json!({"max_steps": -1})), @r#"[{"type":"value_error","loc":["body","max_steps"],"msg":"expected an integer from 0 to 10000","input":-1}]"#);
    assert!(refusal(json!({"messages": [{"role": "user", "content": 7}]})).contains("expected a text or a list"));
}

#[test]
fn lists_have_an_end() {
    let message = json!({"role": "user", "content": "x"});
    let many = refusal(json!({"messages": vec![message.clone(); 1_001]}));
    assert!(many.contains(r#""loc":["body","messages"]"#) && many.contains("at most 1000 messages"), "{many}");
    assert!(read(json!({"messages": vec![message; 1_000]})).is_ok());
    let parts = vec![json!({"type": "text", "text": "x"}); 1_001];
    let many = refusal(json!({"messages": [{"role": "user", "content": parts}]}));
    assert!(many.contains(r#"["body","messages",0,"content"]"#) && many.contains("at most 1000 parts"), "{many}");
    let tools = vec![json!({"name": "t"}); 1_001];
    assert!(refusal(json!({"input": "x", "client_tools": tools})).contains("client_tools"));
    let entries = vec![json!({"type": "approval", "approve": true, "tool_call_id": "a"}); 1_001];
    let many = refusal(json!({"messages": [{"type": "approval", "approvals": entries}]}));
    assert!(many.contains(r#"["body","messages",0,"approvals"]"#), "{many}");
    let long = "x".repeat(201);
    assert!(refusal(json!({"input": "x", "assistant_message_tool_name": long})).contains("bytes in a name"));
    assert!(refusal(json!({"input": "x", "include_return_message_types": [long]})).contains("bytes in a name"));
    let types = vec!["user_message"; 101];
    assert!(refusal(json!({"input": "x", "include_return_message_types": types})).contains("at most 100 types"));
    assert!(refusal(json!({"max_steps": 10_001})).contains("from 0 to 10000"));
    assert_eq!(read(json!({"max_steps": 10_000})).expect("valid").max_steps, 10_000);
}

#[test]
fn images_are_read_in_every_form() {
    let url = json!({"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}});
    let data = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}});
    let input = read(json!({"input": [url, data]})).expect("valid");
    assert_eq!(input.messages[0].content.len(), 2);
    assert!(refusal(json!({"input": [{"type": "image", "source": {"type": "ftp"}}]})).contains("source"));
}

#[test]
fn every_form_of_approval_is_a_decision() {
    let word = json!({"type": "approval", "approve": true, "tool_call_id": "a"});
    let ran = json!({"type": "tool", "tool_call_id": "b", "tool_return": "1", "status": "error"});
    let input = read(json!({"messages": [{"type": "approval", "approvals": [word, ran]}]})).expect("valid");
    insta::assert_json_snapshot!(input.decisions, @r#"
    [
      {
        "kind": "approval",
        "tool_call_id": "a",
        "approve": true,
        "reason": null
      },
      {
        "kind": "return",
        "tool_call_id": "b",
        "text": "1",
        "ok": false,
        "stdout": [],
        "stderr": []
      }
    ]
    "#);
    let older = json!({"type": "approval", "approve": false, "approval_request_id": "message-x", "reason": "no"});
    let input = read(json!({"messages": [older]})).expect("valid");
    assert_eq!(input.decisions, [Decision::Approval { tool_call_id: None, approve: false, reason: Some("no".into()) }]);
    let returns = json!({"type": "tool_return", "tool_returns": [{"tool_call_id": "c", "tool_return": "ok"}]});
    assert!(matches!(
        read(json!({"messages": [returns]})).expect("valid").decisions[..],
        [Decision::Return { ok: true, .. }]
    ));
    let mixed = json!({"messages": [{"role": "user", "content": "x"}, {"type": "approval", "approve": true}]});
    assert!(refusal(mixed).contains("not both"));
    assert!(refusal(json!({"messages": [{"type": "approval"}]})).contains("approvals"));
}
