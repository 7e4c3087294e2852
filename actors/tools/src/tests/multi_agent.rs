//! Messages to other agents, over agents that answer what they were told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use engram_core::ports::{AgentMessage, Agents, AskError, ToolContext, ToolOutcome, Write};
use engram_domain::{AgentId, Json, ToolStatus};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::fakes::{World, builtin_runner, context, run_on};
use crate::{MessageLimits, Runners};

struct Echo;

#[async_trait]
impl Agents for Echo {
    fn patience(&self) -> Duration {
        Duration::from_mins(2)
    }
    async fn ask(&self, m: AgentMessage, _: Duration, _: CancellationToken) -> Result<Vec<String>, AskError> {
        match m.to.0.as_u128() {
            13 => Err(AskError::Failed { to: m.to, why: "out of luck".into() }),
            14 => Ok(vec![]),
            _ => Ok(vec![format!("{} <{}> {:?}", m.text, m.key, m.chain.len())]),
        }
    }
}

fn agent(n: u128) -> AgentId {
    AgentId(Uuid::from_u128(n))
}

async fn call(world: World, name: &str, args: Json) -> ToolOutcome {
    let tools = builtin_runner(&Arc::new(world));
    tools.connect(Arc::new(Echo));
    let context = ToolContext { chain: vec![agent(77)], ..context("m") };
    run_on(&Runners::new(tools), context, name, args).await
}

#[tokio::test]
async fn an_async_message_is_a_run_that_goes_out_with_the_commit() {
    let world = || World { others: vec![agent(12)], ..World::default() };
    let args = json!({"message": "hello", "other_agent_id": agent(12)});
    let outcome = call(world(), "send_message_to_agent_async", args).await;
    assert_eq!(outcome.status, ToolStatus::Success, "{outcome:?}");
    let [Write::Send(run)] = &outcome.writes[..] else { panic!("{outcome:?}") };
    assert_eq!((run.agent_id, run.owner), (Some(agent(12)), agent(12).default_conversation().into()));
    assert!(run.input.chain.is_empty(), "nobody waits");
    let said = engram_domain::message::parts_text(&run.input.messages[0].content);
    assert!(said.starts_with("[Incoming message from agent with ID 'agent-") && said.ends_with("\nhello"), "{said}");
    for (args, problem) in [
        (json!({"message": "hello", "other_agent_id": agent(99)}), "there is no agent agent-"),
        (
            json!({"message": "hello", "other_agent_id": "bob"}),
            "other_agent_id: expected an id of the form 'agent-<uuid>'",
        ),
        (json!({"message": " ", "other_agent_id": agent(12)}), "message is empty"),
    ] {
        let outcome = call(world(), "send_message_to_agent_async", args).await;
        assert!(outcome.status == ToolStatus::Error && outcome.text.contains(problem), "{outcome:?}");
        assert!(outcome.writes.is_empty());
    }
}

#[tokio::test]
async fn an_answer_is_waited_for_under_the_name_of_the_call() {
    let world = || World { others: vec![agent(12), agent(13)], ..World::default() };
    let args = json!({"message": "hello", "other_agent_id": agent(12)});
    let outcome = call(world(), "send_message_to_agent_and_wait_for_reply", args).await;
    let answer: Json = serde_json::from_str(&outcome.text).expect("JSON");
    let said = answer["response"][0].as_str().unwrap_or_default();
    assert!(said.starts_with("hello <call:run-") && said.ends_with("> 2"), "{said}");
    assert!(said.contains(&format!(":call-1:{}", agent(12))), "{said}");
    let args = json!({"message": "hello", "other_agent_id": agent(13)});
    let outcome = call(world(), "send_message_to_agent_and_wait_for_reply", args).await;
    assert!(outcome.status == ToolStatus::Error && outcome.text.contains("failed: out of luck"), "{outcome:?}");
}

#[tokio::test]
async fn a_broadcast_gathers_what_it_can() {
    let world = World { others: vec![agent(12), agent(13), agent(14), context("m").agent.id], ..World::default() };
    let args = json!({"message": "go", "tags": ["worker"]});
    let outcome = call(world, "send_message_to_agents_matching_all_tags", args).await;
    let answers: Vec<Json> = serde_json::from_str(&outcome.text).expect("JSON");
    assert_eq!(answers.len(), 3, "everybody but oneself: {answers:?}");
    assert!(answers[0]["response"][0].as_str().is_some_and(|s| s.starts_with("go")));
    assert!(answers[1]["error"].as_str().is_some_and(|s| s.contains("out of luck")));
    assert_eq!(answers[2]["response"], json!(["<no response>"]));
    let nobody = call(
        World::default(),
        "send_message_to_agents_matching_tags",
        json!({"message": "x", "match_all": ["a"], "match_some": []}),
    );
    assert!(nobody.await.text.contains("no other agent has these tags"));
}

/// Nobody answers; who was asked is counted.
#[derive(Default)]
struct Silent(AtomicUsize);

#[async_trait]
impl Agents for Silent {
    fn patience(&self) -> Duration {
        Duration::from_mins(2)
    }
    async fn ask(&self, m: AgentMessage, patience: Duration, _: CancellationToken) -> Result<Vec<String>, AskError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(patience).await;
        Err(AskError::Late { to: m.to, seconds: patience.as_secs() })
    }
}

#[tokio::test(start_paused = true)]
async fn whose_turn_does_not_come_in_time_is_not_asked() {
    let world = Arc::new(World { others: (100..140).map(agent).collect(), ..World::default() });
    let (tools, silent) = (builtin_runner(&world), Arc::new(Silent::default()));
    tools.connect(silent.clone());
    let name = "send_message_to_all_agents_in_group";
    let outcome = run_on(&Runners::new(tools), context("m"), name, json!({"message": "go"})).await;
    let answers: Vec<Json> = serde_json::from_str(&outcome.text).expect("JSON");
    let late = |a: &&Json| a["error"].as_str().is_some_and(|e| e.contains("did not answer within 120 seconds"));
    let not_asked = |a: &&Json| a["error"].as_str().is_some_and(|e| e.starts_with("it was not asked"));
    assert_eq!((answers.iter().filter(late).count(), answers.iter().filter(not_asked).count()), (32, 8), "{answers:?}");
    assert_eq!(silent.0.load(Ordering::SeqCst), 32);
}

#[tokio::test]
async fn a_supervisor_asks_its_group() {
    let name = "send_message_to_all_agents_in_group";
    let world = World { others: vec![agent(12), agent(13)], ..World::default() };
    let outcome = call(world, name, json!({"message": "go"})).await;
    let answers: Vec<Json> = serde_json::from_str(&outcome.text).expect("JSON");
    assert_eq!((answers.len(), &answers[0]["agent_id"]), (2, &json!(agent(12))));
    assert!(answers[1]["error"].as_str().is_some_and(|s| s.contains("out of luck")));
    let alone = call(World::default(), name, json!({"message": "go"})).await;
    assert!(alone.status == ToolStatus::Error && alone.text.contains("no group"), "{alone:?}");
}

#[tokio::test]
async fn a_message_that_too_many_have_led_to_is_not_sent() {
    let limits = MessageLimits { hops: 3, per_minute: 1_000 };
    for name in [
        "send_message_to_agent_async",
        "send_message_to_agent_and_wait_for_reply",
        "send_message_to_all_agents_in_group",
    ] {
        for (hops, goes_out) in [(0, true), (2, true), (3, false), (u32::MAX, false)] {
            let world = Arc::new(World { others: vec![agent(12)], ..World::default() });
            let tools = builtin_runner(&world).with_message_limits(limits);
            tools.connect(Arc::new(Echo));
            let context = ToolContext { hops, ..context("m") };
            let args = if name.ends_with("group") {
                json!({"message": "hello"})
            } else {
                json!({"message": "hello", "other_agent_id": agent(12)})
            };
            let outcome = run_on(&Runners::new(tools), context, name, args).await;
            assert_eq!(outcome.status == ToolStatus::Success, goes_out, "{name} {hops}: {outcome:?}");
            match &outcome.writes[..] {
                [Write::Send(run)] => assert_eq!(run.input.hops, hops + 1, "the receiver's run knows"),
                _ => assert!(goes_out || outcome.text.contains("3 messages between agents"), "{outcome:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_pair_may_exchange_so_many_messages_in_a_minute() {
    let world = Arc::new(World { others: vec![agent(12), agent(13)], ..World::default() });
    let tools = builtin_runner(&world).with_message_limits(MessageLimits { hops: 16, per_minute: 2 });
    tools.connect(Arc::new(Echo));
    let runners = Runners::new(tools);
    for (to, goes_out) in [(12, true), (12, true), (12, false), (13, true)] {
        let args = json!({"message": "hello", "other_agent_id": agent(to)});
        let outcome = run_on(&runners, context("m"), "send_message_to_agent_async", args).await;
        assert_eq!(outcome.status == ToolStatus::Success, goes_out, "{outcome:?}");
        assert_eq!(outcome.writes.len(), usize::from(goes_out));
    }
}
