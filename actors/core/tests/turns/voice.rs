//! Voice agents: the context is kept short between turns; companions work in their order.

use engram_core::ports::store::MessageBuffer;
use engram_domain::{AgentType, Role, StopReason};

use crate::{
    brain::{Move, moves},
    play::Play,
};

fn call(name: &str, args: &str) -> Move {
    Move::Call(vec![(name.into(), args.into())])
}

fn voice(most: usize, least: usize) -> Play {
    let mut play = Play::new(AgentType::VoiceConvoAgent, 32_000);
    play.snapshot.buffer = Some(MessageBuffer { most, least });
    play
}

/// Messages in context without the system message, as one that is woken finds them.
fn in_context(play: &Play) -> Vec<Role> {
    play.loaded().context.iter().skip(1).map(|m| m.role).collect()
}

#[test]
fn a_context_that_is_too_long_is_cut_when_the_turn_ends() {
    let mut w = voice(10, 5);
    for n in 0..12 {
        w.accept(&format!("turn {n}"), 50);
        // Compares what the actor shows its model with what one would that was just loaded.
        w.settle(&moves(vec![]));
        let context = in_context(&w);
        assert!((5..=10).contains(&context.len()), "{context:?}");
        assert!(n < 3 || context[0] == Role::User, "{context:?}");
    }
    assert_eq!(w.prompts.len(), 12, "no summary was asked for");
    let shown = format!("{:?}", w.prompts[11].messages);
    assert!(shown.contains("turn 10") && !shown.contains("turn 5"), "{shown}");
    // The prompt says how much is out of context: it is another one after a cut, and the same in between.
    let prompts: Vec<String> = w.prompts.iter().map(|p| format!("{:?}", p.messages[0])).collect();
    let changes = prompts.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!((1..6).contains(&changes), "{changes}");
}

#[test]
fn nothing_leaves_while_a_turn_is_on_or_after_one_that_failed() {
    let mut w = voice(10, 5);
    let search = |n: usize| call("search_memory", &format!(r#"{{"convo_keyword_queries":["{n}"]}}"#));
    w.accept("look everywhere", 50);
    w.settle(&moves((0..10).map(search).collect()));
    let longest = w.prompts.iter().map(|p| p.messages.len()).max();
    assert!(longest > Some(20), "{longest:?}");
    assert!(in_context(&w).len() <= 10);
    let before = w.conversation.context_from;
    for n in 0..10 {
        w.accept(&format!("turn {n}"), 50);
        w.settle(&|_| Err(engram_core::ports::LlmError::new(engram_core::ports::LlmErrorKind::Timeout, "late")));
    }
    assert_eq!(w.conversation.context_from, before);
    assert!(w.ends.iter().skip(1).all(|end| end.stop_reason == StopReason::LlmApiError));
}

#[test]
fn an_agent_without_companions_keeps_its_context() {
    let mut w = Play::new(AgentType::VoiceConvoAgent, 32_000);
    for n in 0..20 {
        w.accept(&format!("turn {n}"), 50);
        w.settle(&moves(vec![]));
    }
    assert_eq!(w.conversation.context_from, 1);
}

#[test]
fn a_crash_around_a_cut_changes_nothing() {
    for fuel in 0..40 {
        let mut w = voice(8, 4);
        for n in 0..5 {
            w.accept(&format!("turn {n}"), 50);
            if n == 2 {
                w.fuel = Some(fuel);
            }
            w.settle(&moves(vec![]));
        }
        assert!(w.ends.len() >= 4);
        assert!((4..=8).contains(&in_context(&w).len()), "{fuel}");
    }
}

#[test]
fn a_voice_agent_that_used_a_tool_speaks_although_it_did_not_ask_for_another_step() {
    let mut w = voice(30, 15);
    let run = w.accept("what did I say?", 50);
    w.settle(&moves(vec![call("search_memory", r#"{"convo_keyword_queries":["tea"]}"#)]));
    assert_eq!(w.runs[&run].stop_reason, Some(StopReason::EndTurn));
    assert!(w.story().iter().any(|line| line == r#"assistant:  ["send_message"]"#), "{:#?}", w.story());
}

#[test]
fn a_companion_archives_first_then_rewrites_the_block_and_finishes() {
    let mut w = Play::new(AgentType::VoiceSleeptimeAgent, 32_000);
    assert_eq!(w.snapshot.agent.tool_rules, vec![], "the rules are its loop's, not its own");
    let run = w.accept("0. user: I like tea", 50);
    let rethink = || call("rethink_user_memory", r#"{"new_memory":"Name: Chad\nLikes tea"}"#);
    w.settle(&moves(vec![
        rethink(),
        call("store_memories", r#"{"chunks":[]}"#),
        call("finish_rethinking_memory", "{}"),
        rethink(),
        call("finish_rethinking_memory", "{}"),
    ]));
    assert_eq!(w.runs[&run].stop_reason, Some(StopReason::EndTurn));
    assert_eq!(w.snapshot.blocks[0].value, "Name: Chad\nLikes tea");
    let offered: Vec<Vec<&str>> = w.prompts.iter().map(|p| p.tools.iter().map(|t| t.name.as_str()).collect()).collect();
    assert_eq!(offered[0], ["store_memories"]);
    // What breaks the order is refused.
    let story = w.story().join("\n");
    assert!(story.contains("rethink_user_memory: error [ToolConstraintError]"), "{story}");
    assert!(story.contains("finish_rethinking_memory: error [ToolConstraintError]"), "{story}");
}
