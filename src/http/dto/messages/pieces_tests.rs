//! What stored messages look like to clients.

use engram_domain::{AgentId, ConversationId, RunId, StepId, ToolReturn, ToolStatus};

use super::*;

fn message(role: Role, content: Content) -> Message {
    let uuid: Uuid = "a7347d0f-7e78-4879-9ce7-c45298c3316f".parse().expect("a UUID");
    Message {
        id: MessageId(uuid),
        conversation_id: ConversationId(uuid),
        agent_id: AgentId(uuid),
        seq: 3,
        step_id: Some(StepId(Uuid::nil())),
        run_id: Some(RunId(Uuid::nil())),
        created_at: "2026-11-21T19:39:41.475360Z".parse().expect("a time"),
        ..engram_testkit::message(role, content)
    }
}

fn speech() -> Message {
    message(
        Role::Assistant,
        Content::Assistant {
            reasoning: vec![Reasoning::Text { text: "Thinking.".into(), native: false, signature: None }],
            text: None,
            calls: vec![engram_testkit::call(
                "call_1",
                "send_message",
                r#"{"message": "Hello!", "request_heartbeat": true}"#,
            )],
        },
    )
}

fn kinds(message: &Message, options: &Options) -> Vec<&'static str> {
    pieces_of(message, options).iter().map(|p| p.message.body.kind()).collect()
}

#[test]
fn a_spoken_message_is_thoughts_then_words() {
    insta::assert_json_snapshot!(letta_messages([&speech()], &Options::default()), @r#"
    [
      {
        "id": "message-a7347d0f-7e78-4879-9ce7-c45298c3316f",
        "date": "2026-11-21T19:39:41+00:00",
        "name": null,
        "otid": "a7347d0f-7e78-4879-9ce7-c45298c33100",
        "sender_id": null,
        "step_id": "step-00000000-0000-0000-0000-000000000000",
        "is_err": null,
        "seq_id": null,
        "run_id": "run-00000000-0000-0000-0000-000000000000",
        "message_type": "reasoning_message",
        "source": "non_reasoner_model",
        "reasoning": "Thinking.",
        "signature": null
      },
      {
        "id": "message-a7347d0f-7e78-4879-9ce7-c45298c3316f",
        "date": "2026-11-21T19:39:41+00:00",
        "name": null,
        "otid": "a7347d0f-7e78-4879-9ce7-c45298c33101",
        "sender_id": null,
        "step_id": "step-00000000-0000-0000-0000-000000000000",
        "is_err": null,
        "seq_id": null,
        "run_id": "run-00000000-0000-0000-0000-000000000000",
        "message_type": "assistant_message",
        "content": "Hello!"
      }
    ]
    "#);
}

#[test]
fn without_use_assistant_message_the_raw_call_is_shown() {
    let raw = Options { use_assistant_message: false, ..Options::default() };
    assert_eq!(kinds(&speech(), &raw), ["reasoning_message", "tool_call_message"]);
    let only = Options { include_return_message_types: Some(vec!["assistant_message".into()]), ..Options::default() };
    assert_eq!(letta_messages([&speech()], &only).len(), 1);
}

#[test]
fn a_call_that_cannot_be_read_is_shown_as_it_is() {
    let mut broken = speech();
    if let Content::Assistant { calls, .. } = &mut broken.content {
        calls[0].arguments = "{\"message\": ".into();
    }
    assert_eq!(kinds(&broken, &Options::default()), ["reasoning_message", "tool_call_message"]);
}

#[test]
fn a_tool_return_has_both_forms_and_that_of_speech_is_hidden() {
    let result = |name: &str| {
        message(
            Role::Tool,
            Content::ToolReturn(ToolReturn {
                status: ToolStatus::Error,
                stderr: vec!["oops".into()],
                ..engram_testkit::returned("call_3", name, "no such block")
            }),
        )
    };
    assert!(kinds(&result("send_message"), &Options::default()).is_empty());
    let shown = letta_messages([&result("core_memory_append")], &Options::default());
    insta::assert_json_snapshot!(shown[0].body, @r#"
    {
      "message_type": "tool_return_message",
      "tool_return": "no such block",
      "status": "error",
      "tool_call_id": "call_3",
      "stdout": null,
      "stderr": [
        "oops"
      ],
      "tool_returns": [
        {
          "type": "tool",
          "tool_return": "no such block",
          "status": "error",
          "tool_call_id": "call_3",
          "stdout": null,
          "stderr": [
            "oops"
          ]
        }
      ]
    }
    "#);
    assert_eq!(shown[0].name.as_deref(), Some("core_memory_append"));
}

#[test]
fn calls_that_wait_are_one_request_whose_otid_is_its_id() {
    let call = |id: &str| engram_testkit::call(id, "pay", "{}");
    let content = engram_testkit::calls([call("a"), call("b")]);
    let shown = letta_messages([&message(Role::Approval, content)], &Options::default());
    assert_eq!(shown[0].otid.as_deref(), Some(shown[0].id.as_str()));
    insta::assert_json_snapshot!(shown[0].body, @r#"
    {
      "message_type": "approval_request_message",
      "tool_call": {
        "name": "pay",
        "arguments": "{}",
        "tool_call_id": "a"
      },
      "tool_calls": [
        {
          "name": "pay",
          "arguments": "{}",
          "tool_call_id": "a"
        },
        {
          "name": "pay",
          "arguments": "{}",
          "tool_call_id": "b"
        }
      ]
    }
    "#);
}

#[test]
fn words_on_calls_are_shown_in_both_forms() {
    let decisions = vec![
        Decision::Approval { tool_call_id: Some("a".into()), approve: false, reason: Some("no".into()) },
        Decision::Return { tool_call_id: "b".into(), text: "1".into(), ok: true, stdout: vec![], stderr: vec![] },
    ];
    let content = Content::Decisions { request_id: None, decisions };
    let shown = letta_messages([&message(Role::Approval, content)], &Options::default());
    insta::assert_json_snapshot!(shown[0].body, @r#"
    {
      "message_type": "approval_response_message",
      "approvals": [
        {
          "type": "approval",
          "tool_call_id": "a",
          "approve": false,
          "reason": "no"
        },
        {
          "type": "tool",
          "tool_call_id": "b",
          "tool_return": "1",
          "status": "success",
          "stdout": null,
          "stderr": null
        }
      ],
      "approve": false,
      "approval_request_id": null,
      "reason": "no"
    }
    "#);
}

#[test]
fn what_the_caller_said_keeps_its_otid_and_its_form() {
    let mut said = message(Role::User, Content::text("hi"));
    assert_eq!(pieces_of(&said, &Options::default())[0].message.otid, None);
    said.otid = Some("mine".into());
    let shown = letta_messages([&said], &Options::default());
    assert_eq!(shown[0].otid.as_deref(), Some("mine"));
    insta::assert_json_snapshot!(shown[0].body, @r#"
    {
      "message_type": "user_message",
      "content": "hi"
    }
    "#);
    let two = message(Role::User, Content::Parts { parts: vec![Part::text("a"), Part::text("b")] });
    insta::assert_json_snapshot!(letta_messages([&two], &Options::default())[0].body, @r#"
    {
      "message_type": "user_message",
      "content": [
        {
          "type": "text",
          "text": "a"
        },
        {
          "type": "text",
          "text": "b"
        }
      ]
    }
    "#);
}

#[test]
fn a_summary_is_an_event_unless_it_is_asked_for() {
    let summary = message(Role::Summary, Content::Summary { text: "They met.".into(), stats: json!({"trigger": "x"}) });
    let asked = Options { include_compaction_messages: true, ..Options::default() };
    assert_eq!(kinds(&summary, &asked), ["summary_message"]);
    let shown = letta_messages([&summary], &Options::default());
    let Body::UserMessage { content } = &shown[0].body else { panic!("a user message: {shown:?}") };
    assert!(content.as_str().expect("a text").starts_with("{\n  \"type\": \"system_alert\",\n  \"message\": \""));
}
