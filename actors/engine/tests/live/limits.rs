//! How long calls may take: the engine says, and nobody else.

use std::{collections::BTreeMap, sync::atomic::Ordering, time::Duration};

use engram_core::ports::{Agents, tools::ToolContext};
use engram_domain::{JsonMap, Message, Role, ToolStatus};

use engram_engine::{Command, CommandOutcome};
use engram_testkit::ONCE;

use crate::house::{House, Node, listen, send};

const LIMIT: Duration = Duration::from_secs(90);

async fn node(house: &House) -> Node {
    house.node_with("a", 0, |settings| (settings.tool_timeout, settings.llm_timeout) = (LIMIT, LIMIT)).await
}

fn results(house: &House) -> Vec<String> {
    let is_result = |m: &&std::sync::Arc<Message>| m.role == Role::Tool;
    house.db.with(|t| t.main.world.messages.values().filter(is_result).map(|m| format!("{:?}", m.content)).collect())
}

#[tokio::test(start_paused = true)]
async fn a_tool_has_the_time_that_is_set_and_no_more() {
    for (takes, in_time) in [(89, true), (91, false)] {
        let house = House::new();
        *house.brain.rings_for.lock() = Some(Duration::from_secs(takes));
        let node = node(&house).await;
        let (said, ..) = listen(send(&node, house.say(&format!("call {ONCE}"))).await).await;
        assert_eq!(said.last().map(String::as_str), Some("heard after the tool"));
        let results = results(&house);
        assert_eq!(results.len(), 1);
        assert_eq!(results[0].contains("gave no result within 90 s"), !in_time, "{results:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_the_api_runs_has_the_same_time() {
    let house = House::new();
    let node = node(&house).await;
    let snapshot = house.db.with(|t| t.main.world.snapshot.clone());
    let context = || ToolContext {
        agent: snapshot.agent.clone(),
        conversation_id: house.conversation(),
        run_id: None,
        call_id: "c".into(),
        chain: vec![],
        hops: 0,
        env: BTreeMap::new(),
        blocks: snapshot.blocks.clone(),
    };
    *house.brain.rings_for.lock() = Some(Duration::from_secs(89));
    let outcome = node.engine.run_tool(context(), snapshot.tools[ONCE].clone(), JsonMap::new()).await;
    assert_eq!(outcome.status, ToolStatus::Success);
    *house.brain.rings_for.lock() = None;
    let outcome = node.engine.run_tool(context(), snapshot.tools[ONCE].clone(), JsonMap::new()).await;
    assert_eq!((outcome.status, &*outcome.text), (ToolStatus::Error, "ring_bell gave no result within 90 s."));
}

#[tokio::test(start_paused = true)]
async fn a_model_has_the_time_that_is_set_and_no_more() {
    let house = House::new();
    house.brain.hangs.store(true, Ordering::SeqCst);
    let node = node(&house).await;
    let started = tokio::time::Instant::now();
    let (.., end) = listen(send(&node, house.say("hello")).await).await;
    assert_eq!(end.error.map(|e| e.kind), Some(engram_domain::RunErrorKind::LlmTimeout));
    let took = started.elapsed();
    assert!(took >= LIMIT && took < LIMIT + Duration::from_secs(1), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn who_asks_other_agents_has_time_left_to_say_who_is_late() {
    let house = House::new();
    assert_eq!(node(&house).await.engine.patience(), Duration::from_mins(1));
}

/// The summary may take as long as any model call, also when the node that was asked must wait for another one.
#[tokio::test(start_paused = true)]
async fn a_compaction_on_another_node_has_the_time_of_a_model_call() {
    let house = House::new();
    let (a, b) = (house.node("a").await, house.node("b").await);
    for _ in 0..4 {
        listen(send(&a, house.say("hello")).await).await;
    }
    house.brain.hangs.store(true, Ordering::SeqCst);
    let asked = house.brain.asked.load(Ordering::SeqCst);
    let brain = house.brain.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_mins(4)).await;
        brain.hangs.store(false, Ordering::SeqCst);
    });
    let compact = Command::Compact { settings: None, keep_last: Some(1) };
    let outcome = b.engine.command(house.conversation(), compact).await;
    assert!(matches!(&outcome, Ok(CommandOutcome::Compacted { summary: Some(_), .. })), "{outcome:?}");
    assert_eq!(house.brain.asked.load(Ordering::SeqCst), asked + 1, "it was asked for once");
}

#[tokio::test(start_paused = true)]
async fn agents_that_hold_too_much_leave_when_their_work_is_done() {
    for (held, live) in [(0, 0), (usize::MAX, 1)] {
        let house = House::new();
        let node = house.node_with("a", 0, |settings| settings.held_bytes = held).await;
        for n in 0..3 {
            // One that comes while the actor leaves is answered too.
            let both = (send(&node, house.say("first")).await, send(&node, house.say("second")).await);
            assert_eq!(
                (listen(both.0).await.0, listen(both.1).await.0),
                (vec!["heard first".into()], vec!["heard second".into()]),
                "{n}"
            );
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(node.engine.live(), live);
    }
}
