//! Edits of blocks by a tool that runs outside the step.

use engram_core::ports::BlockEdit;
use engram_domain::AgentType;
use engram_testkit::READ;

use crate::{
    brain::{Move, moves},
    play::Play,
};

fn told(play: &mut Play) -> String {
    play.accept("hi", 50);
    play.settle(&moves(vec![Move::Call(vec![(READ.into(), "{}".into())])]));
    play.story().into_iter().find(|line| line.starts_with(READ)).expect("a result")
}

#[test]
fn a_tool_sees_the_blocks_and_edits_them_with_its_result() {
    let mut play = Play::new(AgentType::LettaV1Agent, 32_000);
    play.edits = Some(|blocks| {
        let human = blocks.iter().find(|b| b.label == "human").expect("the block");
        vec![BlockEdit { id: human.id, version: human.version, value: format!("{}\nlikes tea", human.value) }]
    });
    assert_eq!(told(&mut play), format!("{READ}: ok read"));
    assert_eq!(play.snapshot.blocks[0].value, "Name: Chad\nlikes tea");
    // The second request shows the memory as it is now.
    assert!(format!("{:?}", play.prompts[1].messages[0]).contains("likes tea"));
}

#[test]
fn edits_of_a_block_that_was_changed_meanwhile_are_refused_together() {
    let mut play = Play::new(AgentType::LettaV1Agent, 32_000);
    play.edits = Some(|blocks| {
        let edit = |version| BlockEdit { id: blocks[0].id, version, value: "new".into() };
        vec![edit(blocks[0].version), edit(blocks[0].version - 1)]
    });
    let before = play.snapshot.blocks.clone();
    let told = told(&mut play);
    assert!(told.starts_with(&format!("{READ}: error")) && told.contains("changed by somebody else"), "{told}");
    assert!(told.ends_with("It returned: read"), "{told}");
    assert_eq!(play.snapshot.blocks, before);
}

#[test]
fn edits_keep_to_the_limit_of_the_block() {
    let mut play = Play::new(AgentType::LettaV1Agent, 32_000);
    play.edits = Some(|blocks| {
        let value = "x".repeat(usize::try_from(blocks[0].limit).expect("a limit") + 1);
        vec![BlockEdit { id: blocks[0].id, version: blocks[0].version, value }]
    });
    let told = told(&mut play);
    assert!(told.contains("not stored") && told.contains("character limit"), "{told}");
    assert_eq!(play.snapshot.blocks[0].value, "Name: Chad");
}
