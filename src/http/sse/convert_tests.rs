//! What callers of both generations get for the same events.

use engram_core::ports::Delta;
use engram_domain::{Content, Role, StepId, StopReason};

use super::*;
use crate::http::sse::test_events::{assistant, call, delta, ended, message, returned, uuid};

const OLD: Caller = Caller { is_v1_sdk: false, is_old_ts: false };
const OLD_TS: Caller = Caller { is_v1_sdk: false, is_old_ts: true };
const NEW: Caller = Caller { is_v1_sdk: true, is_old_ts: false };

fn converter(caller: Caller) -> Converter {
    Converter::new(RunId(uuid(0)), caller, Options::default())
}

/// The frames, without the members that are the same everywhere.
fn text(mut converter: Converter, events: impl IntoIterator<Item = StreamEvent>) -> String {
    let frames = events.into_iter().flat_map(|e| converter.event(e));
    let text: String = frames.map(|f| String::from_utf8(f.to_vec()).expect("UTF-8")).collect();
    assert!(converter.is_done());
    text.replace("\"name\":null,", "")
        .replace("\"sender_id\":null,", "")
        .replace("\"is_err\":null,", "")
        .replace("\"seq_id\":null,", "")
        .replace(&format!("\"id\":\"message-{}", &uuid(1).to_string()[..30]), "\"id\":\"…")
        .replace(&format!("\"otid\":\"{}", &uuid(1).to_string()[..30]), "\"otid\":\"…")
        .replace("\"date\":\"2026-11-21T19:39:41+00:00\",", "")
        .replace(&format!("\"step_id\":\"{}\",", StepId(uuid(0))), "")
        .replace(&format!("\"run_id\":\"{}\",", RunId(uuid(0))), "")
        .replace("\n\n", "\n")
}

#[test]
fn by_step() {
    let events = vec![
        message(0, Role::User, Content::text("hi")),
        assistant(1, Some("Thinking."), None, &[("core_memory_append", "{}")]),
        returned(2, "core_memory_append"),
        message(3, Role::User, Content::text("{\"type\": \"heartbeat\"}")),
        assistant(4, None, None, &[("send_message", "{\"message\": \"Hello!\"}")]),
        returned(5, "send_message"),
        ended(StopReason::EndTurn, None),
    ];
    insta::assert_snapshot!(text(converter(OLD), events), @r#"
    data: {"id":"…000100","otid":"…000100","message_type":"reasoning_message","source":"non_reasoner_model","reasoning":"Thinking.","signature":null}
    data: {"id":"…000100","otid":"…000101","message_type":"tool_call_message","tool_call":{"name":"core_memory_append","arguments":"{}","tool_call_id":"call_1"},"tool_calls":[{"name":"core_memory_append","arguments":"{}","tool_call_id":"call_1"}]}
    data: {"id":"…000200","name":"core_memory_append","otid":"…000200","message_type":"tool_return_message","tool_return":"None","status":"success","tool_call_id":"call_1","stdout":null,"stderr":null,"tool_returns":[{"type":"tool","tool_return":"None","status":"success","tool_call_id":"call_1","stdout":null,"stderr":null}]}
    data: {"id":"…000400","otid":"…000400","message_type":"assistant_message","content":"Hello!"}
    data: {"message_type":"stop_reason","stop_reason":"end_turn"}
    data: {"message_type":"usage_statistics","completion_tokens":20,"prompt_tokens":100,"total_tokens":120,"step_count":1,"steps_messages":null,"run_ids":null,"cached_input_tokens":0,"cache_write_tokens":0,"reasoning_tokens":0,"context_tokens":120}
    data: [DONE]
    "#);
}

#[test]
fn by_token_speech_through_a_tool_becomes_words_and_is_not_told_twice() {
    let mut events = call(
        1,
        "send_message",
        &["{\"thinking\": \"Hm\", \"mess", "age\": \"Hel", "lo \\u00", "e9!\", \"request_heartbeat\": tr", "ue}"],
    );
    events.push(assistant(1, Some("Hm"), None, &[("send_message", "{\"message\": \"Hello é!\"}")]));
    events.extend([returned(2, "send_message"), ended(StopReason::EndTurn, None)]);
    insta::assert_snapshot!(text(converter(OLD), events), @r#"
    data: {"id":"…000100","otid":"…000100","message_type":"reasoning_message","source":"non_reasoner_model","reasoning":"Hm","signature":null}
    data: {"id":"…000100","otid":"…000101","message_type":"assistant_message","content":"Hel"}
    data: {"id":"…000100","otid":"…000101","message_type":"assistant_message","content":"lo "}
    data: {"id":"…000100","otid":"…000101","message_type":"assistant_message","content":"é!"}
    data: {"message_type":"stop_reason","stop_reason":"end_turn"}
    data: {"message_type":"usage_statistics","completion_tokens":20,"prompt_tokens":100,"total_tokens":120,"step_count":1,"steps_messages":null,"run_ids":null,"cached_input_tokens":0,"cache_write_tokens":0,"reasoning_tokens":0,"context_tokens":120}
    data: [DONE]
    "#);
}

#[test]
fn by_token_calls_come_in_pieces_with_their_id_and_without_thoughts() {
    let mut events =
        call(1, "core_memory_append", &["{\"inner_thoughts\":\"Hm\",", "\"label\":\"hu", "man\",\"n\":", "[1,2]", "}"]);
    events.push(assistant(1, Some("Hm"), None, &[("core_memory_append", "{\"label\":\"human\",\"n\":[1,2]}")]));
    events.extend([returned(2, "core_memory_append"), ended(StopReason::EndTurn, None)]);
    insta::assert_snapshot!(text(converter(NEW), events), @r#"
    data: {"id":"…000100","otid":"…000100","message_type":"reasoning_message","source":"non_reasoner_model","reasoning":"Hm","signature":null}
    data: {"id":"…000100","otid":"…000101","message_type":"tool_call_message","tool_call":{"name":"core_memory_append","tool_call_id":"call_1"},"tool_calls":{"name":"core_memory_append","tool_call_id":"call_1"}}
    data: {"id":"…000100","otid":"…000101","message_type":"tool_call_message","tool_call":{"arguments":"{\"label\": \"hu","tool_call_id":"call_1"},"tool_calls":{"arguments":"{\"label\": \"hu","tool_call_id":"call_1"}}
    data: {"id":"…000100","otid":"…000101","message_type":"tool_call_message","tool_call":{"arguments":"man\"","tool_call_id":"call_1"},"tool_calls":{"arguments":"man\"","tool_call_id":"call_1"}}
    data: {"id":"…000100","otid":"…000101","message_type":"tool_call_message","tool_call":{"arguments":", \"n\": [1,2]","tool_call_id":"call_1"},"tool_calls":{"arguments":", \"n\": [1,2]","tool_call_id":"call_1"}}
    data: {"id":"…000100","otid":"…000101","message_type":"tool_call_message","tool_call":{"arguments":"}","tool_call_id":"call_1"},"tool_calls":{"arguments":"}","tool_call_id":"call_1"}}
    data: {"id":"…000200","name":"core_memory_append","otid":"…000200","message_type":"tool_return_message","tool_return":"None","status":"success","tool_call_id":"call_1","stdout":null,"stderr":null,"tool_returns":[{"type":"tool","tool_return":"None","status":"success","tool_call_id":"call_1","stdout":null,"stderr":null}]}
    data: {"message_type":"stop_reason","stop_reason":"end_turn"}
    data: {"message_type":"usage_statistics","completion_tokens":20,"prompt_tokens":100,"total_tokens":120,"step_count":1,"steps_messages":null,"run_ids":null,"cached_input_tokens":0,"cache_write_tokens":0,"reasoning_tokens":0,"context_tokens":120}
    data: [DONE]
    "#);
}

#[test]
fn by_token_plain_words_and_native_thoughts() {
    let events = vec![
        delta(1, Delta::Reasoning("Hm".into())),
        delta(1, Delta::Text("Hel".into())),
        delta(1, Delta::Text("lo [DONE]".into())),
        assistant(1, Some("Hm"), Some("Hello [DONE]"), &[]),
        ended(StopReason::EndTurn, None),
    ];
    insta::assert_snapshot!(text(converter(NEW), events), @r#"
    data: {"id":"…000100","otid":"…000100","message_type":"reasoning_message","source":"reasoner_model","reasoning":"Hm","signature":null}
    data: {"id":"…000100","otid":"…000101","message_type":"assistant_message","content":"Hel"}
    data: {"id":"…000100","otid":"…000101","message_type":"assistant_message","content":"lo \u005bDONE]"}
    data: {"message_type":"stop_reason","stop_reason":"end_turn"}
    data: {"message_type":"usage_statistics","completion_tokens":20,"prompt_tokens":100,"total_tokens":120,"step_count":1,"steps_messages":null,"run_ids":null,"cached_input_tokens":0,"cache_write_tokens":0,"reasoning_tokens":0,"context_tokens":120}
    data: [DONE]
    "#);
}

#[test]
fn what_no_piece_told_is_told_by_the_committed_message() {
    // A call whose arguments never came in pieces, after words that did.
    let events = vec![
        delta(1, Delta::Text("Wait.".into())),
        delta(1, Delta::CallStart { index: 0, id: "call_1".into(), name: "roll".into() }),
        assistant(1, None, Some("Wait."), &[("roll", "")]),
        ended(StopReason::EndTurn, None),
    ];
    let text = text(converter(NEW), events);
    assert_eq!(text.matches("assistant_message").count(), 1);
    assert_eq!(text.matches("tool_call_message").count(), 1);
}

#[test]
fn errors_by_generation() {
    let events = || [ended(StopReason::LlmApiError, Some(("llm_timeout", "too slow")))];
    insta::assert_snapshot!(text(converter(NEW), events()), @r#"
    data: {"message_type":"stop_reason","stop_reason":"llm_api_error"}
    event: error
    data: {"message_type":"error_message","error_type":"llm_timeout","message":"The LLM request timed out.","detail":"too slow","seq_id":null}
    data: [DONE]
    "#);
    insta::assert_snapshot!(text(converter(OLD_TS), events()), @r#"
    data: {"message_type":"stop_reason","stop_reason":"error"}
    data: {"message_type":"usage_statistics","completion_tokens":20,"prompt_tokens":100,"total_tokens":120,"step_count":1,"steps_messages":null,"run_ids":null,"cached_input_tokens":0,"cache_write_tokens":0,"reasoning_tokens":0,"context_tokens":120}
    event: error
    data: {"error":{"message":"too slow"}}
    data: [DONE]
    "#);
}

#[test]
fn the_old_typescript_client_gets_nothing_outside_its_union() {
    let call = engram_testkit::call("a", "pay", "{}");
    let request = message(1, Role::Approval, engram_testkit::calls([call]));
    let events = || [request.clone(), ended(StopReason::RequiresApproval, None)];
    let old = text(converter(OLD_TS), events());
    assert!(old.contains("tool_call_message") && !old.contains("approval") && old.contains("\"end_turn\""));
    let new = text(converter(NEW), events());
    assert!(new.contains("approval_request_message") && new.contains("\"requires_approval\""));
}

#[test]
fn a_background_stream_goes_on_behind_any_frame() {
    let events = || {
        let mut events = call(1, "send_message", &["{\"message\": \"a", "b", "c\"}"]);
        events.push(assistant(1, None, None, &[("send_message", "{\"message\": \"abc\"}")]));
        events.push(assistant(2, None, Some("more"), &[]));
        events.push(ended(StopReason::EndTurn, None));
        events
    };
    let seq_ids = |text: &str| -> Vec<i64> {
        text.lines()
            .filter_map(|l| {
                serde_json::from_str::<serde_json::Value>(l.strip_prefix("data: ")?).ok()?["seq_id"].as_i64()
            })
            .collect()
    };
    let whole = text(converter(NEW).numbered(0), events());
    assert_eq!(seq_ids(&whole), [1, 2, 3, 4]);
    for after in 0..=4 {
        let rest = text(converter(NEW).numbered(after), events());
        assert_eq!(seq_ids(&rest), (after + 1..=4).collect::<Vec<_>>());
        assert!(whole.ends_with(&rest), "the rest after {after} is the end of the whole");
    }
}

#[test]
fn only_the_wanted_types_are_sent() {
    let options =
        Options { include_return_message_types: Some(vec!["tool_call_message".into()]), ..Options::default() };
    let converter = Converter::new(RunId(uuid(0)), NEW, options);
    let events = [assistant(1, Some("Hm"), Some("Hi"), &[("roll", "{}")]), ended(StopReason::EndTurn, None)];
    let text = text(converter, events);
    assert!(
        text.contains("tool_call_message") && !text.contains("reasoning_message") && text.contains("usage_statistics")
    );
}
