//! A crash after any effect, then a new life: the story ends the same.

use engram_domain::{AgentType, RunInput, RunStatus, StopReason, ToolRule, rule::RuleKind, run::Decision};
use engram_testkit::{ONCE, READ};

use crate::{
    brain::{Move, moves},
    play::Play,
};

fn script() -> Vec<Move> {
    vec![
        Move::Call(vec![("memory_insert".into(), r#"{"label":"human","new_string":"a"}"#.into())]),
        Move::Call(vec![(READ.into(), "{}".into()), (READ.into(), r#"{"n":1}"#.into())]),
        Move::Call(vec![("core_memory_append".into(), r#"{"label":"human","content":"b"}"#.into())]),
        Move::Say("there".into()),
    ]
}

/// Without effects outside our database a crash leaves no trace at all.
#[test]
fn crashes_leave_no_trace() {
    for agent_type in [AgentType::MemgptAgent, AgentType::LettaV1Agent, AgentType::WorkflowAgent] {
        let brain = moves(script());
        let mut calm = Play::new(agent_type, 32_000);
        calm.accept("go", 50);
        calm.settle(&brain);
        let mut crashes = 0;
        for fuel in 0.. {
            let mut w = Play::new(agent_type, 32_000);
            let run = w.accept("go", 50);
            w.fuel = Some(fuel);
            w.settle(&brain);
            if w.fuel.is_some() {
                break;
            }
            crashes += 1;
            assert_eq!(w.story(), calm.story(), "{agent_type:?} crashed after {fuel} effects");
            assert_eq!(w.snapshot.blocks[0].value, calm.snapshot.blocks[0].value);
            assert_eq!(w.runs[&run].status, RunStatus::Completed);
        }
        assert!(crashes > 5);
    }
}

/// With one, the call runs at most once, has a result in any case, and the run comes to its end.
#[test]
fn effects_outside_happen_at_most_once() {
    let brain = moves(vec![
        Move::Call(vec![(ONCE.into(), "{}".into()), (READ.into(), "{}".into()), (ONCE.into(), "{}".into())]),
        Move::Say("rang".into()),
    ]);
    for fuel in 0.. {
        let mut w = Play::new(AgentType::LettaV1Agent, 32_000);
        let run = w.accept("go", 50);
        w.fuel = Some(fuel);
        w.settle(&brain);
        assert_eq!(w.runs[&run].status, RunStatus::Completed, "crashed after {fuel} effects");
        assert!(w.story().last().is_some_and(|l| l.contains("rang")));
        if w.fuel.is_some() {
            break;
        }
    }
}

#[test]
fn a_run_that_never_survives_is_given_up_with_a_reason() {
    let mut w = Play::new(AgentType::LettaV1Agent, 32_000);
    let id = w.accept("poison", 50);
    let brain = moves(vec![Move::Call(vec![(ONCE.into(), "{}".into())])]);
    for _ in 0..10 {
        if w.runs[&id].status.is_terminal() {
            break;
        }
        let mut state = w.load();
        w.fuel = Some(2);
        let run = w.runs[&id].clone();
        w.drive(&mut state, engram_core::step::Event::Start(Box::new(run)), &brain);
        w.fuel = None;
    }
    assert_eq!(w.runs[&id].status, RunStatus::Failed);
    assert!(w.runs[&id].error.as_ref().is_some_and(|e| e.contains("interrupted 3 times")));
    w.check();
}

/// The call was asked for by one run and allowed in another: a crash at any point of the second one
/// runs it at most once, and pairs it.
#[test]
fn an_allowed_call_survives_crashes() {
    let brain = moves(vec![Move::Call(vec![(ONCE.into(), "{}".into()), (READ.into(), "{}".into())])]);
    for fuel in 0.. {
        let mut w = Play::new(AgentType::LettaV1Agent, 32_000);
        let mut agent = (*w.snapshot.agent).clone();
        agent.tool_rules.push(ToolRule::new(ONCE, RuleKind::RequiresApproval));
        w.snapshot.agent = std::sync::Arc::new(agent);
        w.accept("go", 50);
        w.settle(&brain);
        let decision = Decision::Approval { tool_call_id: None, approve: true, reason: None };
        let run = w.accept_input(RunInput { decisions: vec![decision], ..RunInput::default() });
        w.fuel = Some(fuel);
        w.settle(&brain);
        assert_eq!(w.runs[&run].status, RunStatus::Completed, "crashed after {fuel} effects");
        assert!(w.load().pending_approval().is_none());
        if w.fuel.is_some() {
            break;
        }
    }
}

/// A run that was ended while no actor drove it left a call open: the next run closes it before the
/// model sees it.
#[test]
fn a_call_left_open_is_closed_by_the_next_run() {
    let brain = moves(vec![Move::Call(vec![(ONCE.into(), "{}".into())])]);
    let mut w = Play::new(AgentType::LettaV1Agent, 32_000);
    let id = w.accept("go", 50);
    let mut state = w.load();
    // The beginning, the model, the commit with the call; then the process is gone.
    w.fuel = Some(5);
    let run = w.runs[&id].clone();
    w.drive(&mut state, engram_core::step::Event::Start(Box::new(run)), &brain);
    w.fuel = None;
    assert!(w.messages.values().last().is_some_and(|m| !m.content.calls().is_empty()));
    let ended = w.runs.get_mut(&id).unwrap();
    (ended.status, ended.stop_reason) = (RunStatus::Cancelled, Some(StopReason::Cancelled));
    w.accept("next", 50);
    w.settle(&moves(vec![]));
    assert!(w.story().iter().any(|l| l.contains("interrupted")));
}
