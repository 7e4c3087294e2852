//! What a client of chat completions gets for the events of a run.

use engram_core::ports::Delta;
use engram_domain::{Content, Role, StopReason};

use super::*;
use crate::http::sse::test_events::{assistant, at, call, delta, ended, message, returned, uuid};

fn chunks(wants_usage: bool) -> Chunks {
    Chunks::new(Head { run: RunId(uuid(0)), at: at(), model: "agent-7".into() }, wants_usage)
}

/// The frames of some events.
fn frames(mut chunks: Chunks, events: impl IntoIterator<Item = StreamEvent>) -> String {
    let frames: Vec<Bytes> = events.into_iter().flat_map(|event| chunks.event(event)).collect();
    assert!(chunks.is_done());
    String::from_utf8(frames.concat()).expect("UTF-8")
}

/// The words of some events, piece by piece.
fn pieces(events: impl IntoIterator<Item = StreamEvent>) -> Vec<String> {
    let mut words = Words::new(RunId(uuid(0)));
    events.into_iter().map(|event| words.of(&event)).filter(|piece| !piece.is_empty()).collect()
}

#[test]
fn an_answer_in_chunks() {
    let events = [
        message(0, Role::User, Content::text("hi")),
        delta(1, Delta::Reasoning("Hm.".into())),
        delta(1, Delta::Text("Hel".into())),
        delta(1, Delta::Text("lo".into())),
        assistant(1, Some("Hm."), Some("Hello"), &[]),
        ended(StopReason::EndTurn, None),
    ];
    insta::assert_snapshot!(frames(chunks(true), events), @r#"
    data: {"id":"chatcmpl-run-a0000000-0000-4000-8000-000000000000","choices":[{"delta":{"content":"Hel","function_call":null,"refusal":null,"role":"assistant","tool_calls":null},"finish_reason":null,"index":0,"logprobs":null}],"created":1795289981,"model":"agent-7","object":"chat.completion.chunk","service_tier":null,"system_fingerprint":null,"usage":null}

    data: {"id":"chatcmpl-run-a0000000-0000-4000-8000-000000000000","choices":[{"delta":{"content":"lo","function_call":null,"refusal":null,"role":null,"tool_calls":null},"finish_reason":null,"index":0,"logprobs":null}],"created":1795289981,"model":"agent-7","object":"chat.completion.chunk","service_tier":null,"system_fingerprint":null,"usage":null}

    data: {"id":"chatcmpl-run-a0000000-0000-4000-8000-000000000000","choices":[{"delta":{"content":null,"function_call":null,"refusal":null,"role":null,"tool_calls":null},"finish_reason":"stop","index":0,"logprobs":null}],"created":1795289981,"model":"agent-7","object":"chat.completion.chunk","service_tier":null,"system_fingerprint":null,"usage":null}

    data: {"id":"chatcmpl-run-a0000000-0000-4000-8000-000000000000","choices":[],"created":1795289981,"model":"agent-7","object":"chat.completion.chunk","service_tier":null,"system_fingerprint":null,"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}

    data: [DONE]
    "#);
}

#[test]
fn an_answer_that_a_filter_cut_says_so() {
    let text = frames(chunks(false), [ended(StopReason::LlmApiError, None)]);
    assert!(text.contains(r#""finish_reason":"content_filter""#), "{text}");
}

#[test]
fn usage_is_told_to_who_asks_only() {
    let text = frames(chunks(false), [ended(StopReason::MaxSteps, None)]);
    assert!(text.contains(r#""finish_reason":"length""#) && text.ends_with("data: [DONE]\n\n"), "{text}");
    assert_eq!((text.matches("data: ").count(), text.matches(r#""usage":null"#).count()), (2, 1), "{text}");
}

#[test]
fn a_failure_is_told_in_the_shape_of_an_error() {
    let failed = ended(StopReason::LlmApiError, Some(("llm_rate_limit", "slow down")));
    insta::assert_snapshot!(frames(chunks(true), [failed]), @r#"
    data: {"error":{"message":"slow down","type":"rate_limit_error","param":null,"code":"llm_rate_limit"}}

    data: [DONE]
    "#);
}

#[test]
fn a_question_for_approval_is_an_error_and_not_silence() {
    let StreamEvent::Message(asked) = assistant(1, None, None, &[("pay", "{}")]) else { panic!("a message") };
    let asked =
        StreamEvent::Message(std::sync::Arc::new(engram_domain::Message { role: Role::Approval, ..(*asked).clone() }));
    let text = frames(chunks(true), [asked.clone(), ended(StopReason::RequiresApproval, None)]);
    insta::assert_snapshot!(text, @r#"
    data: {"error":{"message":"CONFLICT: Cannot send a new message: the agent is waiting for approval on a tool call. Approve or deny the pending request first.","type":"invalid_request_error","param":null,"code":"PENDING_APPROVAL"}}

    data: [DONE]
    "#);
    let mut words = Words::new(RunId(uuid(0)));
    words.of(&asked);
    let StreamEvent::Ended(end) = ended(StopReason::RequiresApproval, None) else { panic!("an end") };
    let refusal = words.refusal(&end).expect("it is no answer");
    assert_eq!(refusal.body()["detail"]["pending_request_id"], MessageId(uuid(1)).to_string());
}

#[test]
fn words_of_the_tool_that_speaks_leave_while_they_are_written() {
    let mut events = call(1, "send_message", &[r#"{"inner_thoughts": "Hm.", "mess"#, r#"age": "Hel"#, r#"lo"}"#]);
    events.push(assistant(1, None, None, &[("send_message", r#"{"message": "Hello"}"#)]));
    events.push(returned(2, "send_message"));
    assert_eq!(pieces(events), ["Hel", "lo"]);
}

#[test]
fn tools_are_not_shown_and_two_messages_are_two_paragraphs() {
    let mut events = vec![delta(1, Delta::Text("Let me look.".into()))];
    events.extend(call(1, "search", &[r#"{"query": "x"}"#]));
    events.push(assistant(1, None, Some("Let me look."), &[("search", r#"{"query": "x"}"#)]));
    events.push(returned(2, "search"));
    // Of a message that was not written in pieces, the whole.
    events.push(assistant(3, None, Some("Found."), &[]));
    assert_eq!(pieces(events), ["Let me look.", "\n\nFound."]);
}
