//! Random moves, random crashes, random cancels, stale attempts: a conversation stays well-formed.

use engram_core::step::Event;
use engram_domain::AgentType;
use engram_testkit::{ONCE, READ};
use proptest::prelude::*;

use crate::{
    brain::{Move, moves},
    play::Play,
};

fn any_call() -> impl Strategy<Value = (String, String)> {
    let name = prop_oneof![
        Just(ONCE),
        Just(READ),
        Just("memory_insert"),
        Just("core_memory_append"),
        Just("conversation_search"),
        Just("send_message"),
        Just("nope"),
    ];
    let args = prop_oneof![
        Just("{}".to_owned()),
        Just(r#"{"label":"human","new_string":"x","content":"y"}"#.to_owned()),
        Just(r#"{"message":"m","query":"q","request_heartbeat":true}"#.to_owned()),
        Just("{".to_owned()),
        "[a-z\\[\\]{}\":, ]{0,12}",
    ];
    (name.prop_map(str::to_owned), args)
}

pub fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        2 => "[a-z ]{1,60}".prop_map(Move::Say),
        4 => prop::collection::vec(any_call(), 1..4).prop_map(Move::Call),
        1 => Just(Move::Nothing),
    ]
}

pub fn any_type() -> impl Strategy<Value = AgentType> {
    prop_oneof![
        Just(AgentType::MemgptAgent),
        Just(AgentType::MemgptV2Agent),
        Just(AgentType::LettaV1Agent),
        Just(AgentType::ReactAgent),
        Just(AgentType::WorkflowAgent),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn conversations_stay_well_formed(
        agent_type in any_type(),
        list in prop::collection::vec(any_move(), 0..8),
        turns in 1usize..4,
        fuel in prop::option::of(0usize..40),
        small in any::<bool>(),
        at_once in any::<bool>(),
        backwards in any::<bool>(),
    ) {
        let brain = moves(list);
        let mut w = Play::new(agent_type, if small { 4_000 } else { 32_000 });
        w.backwards = backwards;
        if at_once {
            w.run_at_once();
        }
        w.fuel = fuel;
        for i in 0..turns {
            w.accept(&format!("turn {i}"), 6);
            w.settle(&brain);
        }
        prop_assert!(w.runs.values().all(|r| r.status.is_terminal()));
    }

    /// Cancelled at any point, and stale results after that: one end, pairs intact, and the agent
    /// answers the next message.
    #[test]
    fn a_cancel_ends_a_run_once(
        agent_type in any_type(),
        list in prop::collection::vec(any_move(), 1..6),
        after in 0usize..12,
        at_once in any::<bool>(),
    ) {
        let brain = moves(list);
        let mut w = Play::new(agent_type, 32_000);
        if at_once {
            w.run_at_once();
        }
        let id = w.accept("go", 6);
        let mut state = w.load();
        w.answers = Some(after);
        let run = w.runs[&id].clone();
        w.drive(&mut state, Event::Start(Box::new(run)), &brain);
        w.answers = None;
        w.drive(&mut state, Event::Cancel { run_id: id }, &brain);
        for attempt in 0..20 {
            let late = Event::ToolDone {
                attempt,
                outcome: Box::new(engram_core::ports::ToolOutcome::ok("late")),
            };
            w.drive(&mut state, late, &brain);
        }
        w.accept("next", 6);
        w.settle(&brain);
        prop_assert!(w.runs.values().all(|r| r.status.is_terminal()));
    }
}
