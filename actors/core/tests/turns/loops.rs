//! The loops of the agent types, one example each.

use engram_core::compact;
use engram_domain::{
    AgentType, Part, Role, RunInput, RunStatus, StopReason, ToolRule,
    message::ImageSource,
    rule::RuleKind,
    run::{Decision, InputMessage},
};
use engram_testkit::ONCE;

use crate::{
    brain::{Move, moves},
    play::Play,
};

fn call(name: &str, args: &str) -> Move {
    Move::Call(vec![(name.into(), args.into())])
}

#[test]
fn plain_text_ends_the_turn_of_a_v1_agent() {
    let mut w = Play::new(AgentType::LettaV1Agent, 32_000);
    let run = w.accept("hi", 50);
    w.settle(&moves(vec![call("memory_insert", r#"{"label":"human","new_string":"likes tea"}"#)]));
    assert_eq!(w.runs[&run].stop_reason, Some(StopReason::EndTurn));
    assert_eq!(w.snapshot.blocks[0].value, "Name: Chad\nlikes tea");
    insta::assert_snapshot!(w.story().join("\n"), @r#"
    user: hi
    assistant:  ["memory_insert"]
    memory_insert: ok Name: Chad
    likes tea
    assistant: done []
    "#);
    // The second request shows the memory as it is now.
    assert!(format!("{:?}", w.prompts[1].messages[0]).contains("likes tea"));
}

#[test]
fn heartbeats_carry_a_memgpt_agent_from_call_to_call() {
    let mut w = Play::new(AgentType::MemgptAgent, 32_000);
    let run = w.accept("hi", 50);
    let args = r#"{"label":"human","content":"likes tea","request_heartbeat":true,"thinking":"hm"}"#;
    w.settle(&moves(vec![call("core_memory_append", args)]));
    assert_eq!(w.runs[&run].stop_reason, Some(StopReason::EndTurn));
    insta::assert_snapshot!(w.story()[3..].join("\n"), @r#"
    user: hi
    assistant:  ["core_memory_append"]
    core_memory_append: ok Name: Chad
    likes tea
    user: (event)
    assistant:  ["send_message"]
    send_message: ok Sent message successfully.
    "#);
}

#[test]
fn a_bad_call_is_answered_with_an_error_and_the_turn_goes_on() {
    for agent_type in [AgentType::MemgptAgent, AgentType::LettaV1Agent] {
        let mut w = Play::new(agent_type, 32_000);
        let run = w.accept("hi", 50);
        let list =
            vec![call("no_such_tool", "{}"), call("conversation_search", "not json"), call("memory_insert", "{}")];
        w.settle(&moves(list));
        assert_eq!(w.runs[&run].status, RunStatus::Completed);
        let errors: Vec<String> = w.story().into_iter().filter(|l| l.contains(": error")).collect();
        assert_eq!(errors.len(), 3, "{errors:#?}");
        assert!(errors[0].contains("[ToolConstraintError] Cannot call no_such_tool"), "{}", errors[0]);
        assert!(errors[1].contains("not a JSON object"), "{}", errors[1]);
    }
}

#[test]
fn the_same_call_over_and_over_is_broken() {
    let mut w = Play::new(AgentType::LettaV1Agent, 32_000);
    w.accept("hi", 20);
    w.settle(&moves((0..30).map(|_| call(ONCE, "{}")).collect()));
    assert_eq!(w.outside.len(), 5);
    // Told three times to do something else, it does not.
    assert_eq!(w.ends[0].stop_reason, StopReason::MaxSteps);
    assert_eq!(w.ends[0].step_count, 8);
}

#[test]
fn a_turn_of_nothing_but_the_same_mistakes_ends() {
    let failing = |list: &dyn Fn(usize) -> Move| {
        let mut w = Play::new(AgentType::LettaV1Agent, 32_000);
        w.accept("hi", 50);
        w.settle(&moves((0..40).map(list).collect()));
        (w.ends[0].stop_reason, w.ends[0].step_count)
    };
    let ended = (StopReason::MaxSteps, 8);
    // Arguments that are refused, in one form or in several.
    assert_eq!(failing(&|_| call("conversation_search", r#"{"limit":[]}"#)), ended);
    assert_eq!(failing(&|n| call(ONCE, &format!("{}{{}}", " ".repeat(n)))), ended);
    // A tool that is not there, with other arguments each time.
    assert_eq!(failing(&|n| call("no_such_tool", &format!("{{\"n\":{n}}}"))), ended);
    // Two calls in turn are repeated as well.
    let two = |n: usize| call(ONCE, if n.is_multiple_of(2) { r#"{"a":1,"b":2}"# } else { r#"{"b":2,"a":1}"# });
    assert_eq!(failing(&two), ended);
    // Other arguments each time, with success: that is work.
    let works = |n: usize| call(ONCE, &format!("{{\"n\":{n}}}"));
    assert_eq!(failing(&works), (StopReason::EndTurn, 41));
}

#[test]
fn a_context_far_over_its_window_recovers_by_itself() {
    let mut w = Play::new(AgentType::LettaV1Agent, 32_000);
    for i in 0..40 {
        w.accept(&format!("{i} {}", "many words of little meaning ".repeat(60)), 50);
        w.settle(&moves(vec![]));
    }
    let mut agent = (*w.snapshot.agent).clone();
    agent.llm.context_window = 4_000;
    agent.rev += 1;
    w.snapshot.agent = std::sync::Arc::new(agent);
    w.prompts.clear();
    let run = w.accept("and now?", 50);
    w.settle(&moves(vec![]));
    assert_eq!(w.runs[&run].status, RunStatus::Completed);
    let shown = format!("{:?}", w.prompts[0].messages);
    assert!(engram_core::tokens::count(&shown) < 4_000);
    assert!(shown.contains("They talked.") && shown.contains("and now?"));
}

#[test]
fn a_single_message_larger_than_the_window_is_shown_cut() {
    let mut w = Play::new(AgentType::LettaV1Agent, 4_000);
    let run = w.accept(&"word ".repeat(20_000), 50);
    w.settle(&moves(vec![]));
    assert_eq!(w.runs[&run].status, RunStatus::Completed);
    let shown = format!("{:?}", w.prompts[0].messages);
    assert!(engram_core::tokens::count(&shown) < 4_000);
    assert!(shown.contains("characters left out"));
    assert_eq!(w.messages.values().map(|m| m.content.plain_text().len()).max(), Some(100_000), "stored whole");
}

#[test]
fn pictures_leave_the_context_by_their_bytes() {
    let mut w = Play::new(AgentType::LettaV1Agent, 128_000);
    let picture = || {
        let data = "A".repeat(compact::MOST_BYTES / 3);
        let source = ImageSource::Base64 { media_type: "image/png".into(), data, detail: None };
        let content = vec![Part::Image { source }];
        InputMessage { role: Role::User, content, name: None, otid: None, sender_id: None, group_id: None }
    };
    for _ in 0..5 {
        w.accept_input(RunInput { messages: vec![picture()], ..RunInput::default() });
        w.settle(&moves(vec![]));
        w.prompts.clear();
    }
    assert!(w.runs.values().all(|run| run.status == RunStatus::Completed));
    assert!(w.load().bytes() <= compact::MOST_BYTES + 1024 * 1024, "{}", w.load().bytes());
    let shown = w.messages.values().filter(|m| m.content.bytes() > 1_000_000).count();
    assert_eq!(shown, 5, "stored are all of them");
}

#[test]
fn the_prompt_is_the_same_to_the_byte_while_memory_is() {
    let mut w = Play::new(AgentType::MemgptAgent, 32_000);
    for _ in 0..3 {
        w.accept("hi", 50);
        w.settle(&moves(vec![]));
    }
    let systems: Vec<String> = w.prompts.iter().map(|p| format!("{:?}", p.messages[0])).collect();
    assert_eq!(systems.len(), 3);
    assert!(systems.windows(2).all(|s| s[0] == s[1]));
}

#[test]
fn the_model_is_told_when_somebody_spoke_and_what_it_was_told_stays() {
    for agent_type in [AgentType::MemgptAgent, AgentType::LettaV1Agent] {
        let mut w = Play::new(agent_type, 32_000);
        for text in ["hello", "what time is it?"] {
            w.accept(text, 50);
            w.settle(&moves(vec![]));
        }
        let [first, second] = [&w.prompts[0], &w.prompts[1]].map(|p| format!("{:?}", p.messages));
        assert!(second.starts_with(first.trim_end_matches(']')), "the prefix is the same for the provider's cache");
        let told = w.prompts[1].messages.iter().last().map(|m| format!("{m:?}")).expect("a message");
        assert!(told.contains("what time is it?") && told.contains("1970-01-01 12:0"), "{told}");
        let form = if agent_type.has_heartbeats() { "user_message" } else { "[Sent at 1970" };
        assert!(told.contains(form), "{told}");
    }
}

#[test]
fn a_workflow_agent_forgets_after_every_run() {
    let mut w = Play::new(AgentType::WorkflowAgent, 32_000);
    for text in ["first", "second"] {
        w.accept(text, 50);
        w.settle(&moves(vec![]));
    }
    let shown = format!("{:?}", w.prompts[1].messages);
    assert!(shown.contains("second") && !shown.contains("first"));
}

#[test]
fn an_approval_is_asked_for_once_and_survives_a_restart() {
    for approve in [true, false] {
        let mut w = Play::new(AgentType::LettaV1Agent, 32_000);
        let mut agent = (*w.snapshot.agent).clone();
        agent.tool_rules.push(ToolRule::new(ONCE, RuleKind::RequiresApproval));
        w.snapshot.agent = std::sync::Arc::new(agent);
        let brain = moves(vec![call(ONCE, "{}")]);
        w.accept("hi", 50);
        w.settle(&brain);
        assert_eq!(w.ends[0].stop_reason, StopReason::RequiresApproval);
        assert!(w.outside.is_empty());

        // Somebody else's message does not get in between.
        w.accept("hello?", 50);
        w.settle(&brain);
        assert_eq!(w.ends[1].error.as_ref().map(|e| e.kind.as_str()), Some("pending_approval"));

        let decision = Decision::Approval { tool_call_id: None, approve, reason: Some("because".into()) };
        w.accept_input(RunInput { decisions: vec![decision], ..RunInput::default() });
        w.settle(&brain);
        assert_eq!(w.ends[2].stop_reason, StopReason::EndTurn);
        assert_eq!(w.outside.len(), usize::from(approve));
        assert!(w.load().pending_approval().is_none());
    }
}
