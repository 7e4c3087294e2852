//! Messages to groups: runs that any node accepts, drives, shows and ends.

use engram_core::ports::{AcceptRuns, Accepted, NewRun, Runs};
use engram_domain::{AgentId, GroupId, RunId};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    model::{Model, PATIENT},
    node::{Events, Node, said},
    server::{self, Server, texts},
};

/// A group whose agents speak one after the other.
async fn round_robin(s: &Server, agents: &[&String]) -> String {
    let config = json!({"manager_type": "round_robin"});
    let body = json!({"agent_ids": agents, "description": "", "manager_config": config});
    s.post("/v1/groups/", body).await["id"].as_str().unwrap().to_owned()
}

/// Two of them, and their group.
async fn ada_and_bob(s: &Server, model: &str) -> (String, String, String) {
    let ada = s.agent(json!({"name": "Ada", "model": model})).await;
    let bob = s.agent(json!({"name": "Bob", "model": model})).await;
    let group = round_robin(s, &[&ada, &bob]).await;
    (ada, bob, group)
}

fn hello(more: &Value) -> Value {
    let mut body = json!({"messages": [{"role": "user", "content": "hello"}], "include_pings": true});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// The run that a stream's first ping names.
async fn run_of(events: &mut Events) -> String {
    events.event().await.unwrap()["run_id"].as_str().unwrap().to_owned()
}

/// Who says something in a list of messages.
fn speakers(messages: &Value) -> Vec<&str> {
    let said = messages.as_array().unwrap().iter().filter(|m| m["message_type"] == "assistant_message");
    said.map(|m| m["name"].as_str().unwrap()).collect()
}

/// The runs of a list, each with how it is.
async fn statuses(s: &Server, query: &str) -> Vec<String> {
    let runs = s.get(&format!("/v1/runs?{query}")).await;
    runs.as_array().unwrap().iter().map(|run| run["status"].as_str().unwrap().to_owned()).collect()
}

/// Waits until a run is over, and returns it.
async fn over(s: &Server, run: &str) -> Value {
    for _ in 0..400 {
        let run = s.get(&format!("/v1/runs/{run}")).await;
        if !run["completed_at"].is_null() {
            return run;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{run} does not end");
}

#[tokio::test]
async fn a_message_without_a_driver_is_found() {
    server::with(|s| async move {
        let (_, _, group) = ada_and_bob(&s, "engram/scripted").await;
        // As when the answer of the database is lost: the row is there, and nobody was told.
        let id: GroupId = group.parse().unwrap();
        let run = NewRun {
            id: RunId(uuid::Uuid::new_v4()),
            agent_id: None,
            owner: id.into(),
            metadata: json!({}),
            max_queue: 1,
            created_at: s.state().clock.now(),
            ..engram_testkit::new_run(AgentId(uuid::Uuid::nil()), engram_testkit::input("hello"))
        };
        let (store, node) = (&s.state().store, s.state().engine.node().id);
        assert!(matches!(store.accept_run(&run, node).await.unwrap(), Accepted::Stored { .. }));
        let again = NewRun { id: RunId(uuid::Uuid::new_v4()), ..run.clone() };
        assert_eq!(store.accept_run(&again, node).await.unwrap(), Accepted::Full);
        over(&s, &run.id.to_string()).await;
        assert!(store.open_runs(id.into()).await.unwrap().is_empty());
        let listed = s.get(&format!("/v1/groups/{group}/messages?limit=50")).await;
        assert!(listed.to_string().contains("You said: You said: hello"), "{listed}");
    })
    .await;
}

#[tokio::test]
async fn a_message_is_a_run_whose_turns_are_its_costs() {
    server::with(|s| async move {
        let (ada, bob, group) = ada_and_bob(&s, "engram/scripted").await;
        let mut events = Events::of(&s.base, &format!("/v1/groups/{group}/messages/stream"), hello(&json!({}))).await;
        let run = run_of(&mut events).await;
        let shown = events.rest().await;
        let said: Vec<_> = said(&shown).into_iter().map(|(_, name, text)| (name, text)).collect();
        let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        assert_eq!(said, [pair("Ada", "You said: hello"), pair("Bob", "You said: You said: hello")]);

        let whole = s.get(&format!("/v1/runs/{run}")).await;
        assert_eq!((&whole["status"], &whole["stop_reason"]), (&json!("completed"), &json!("end_turn")), "{whole}");
        assert_eq!(whole["agent_id"], json!(ada), "the group has no manager: its first member");
        assert_eq!(whole["metadata"]["group_id"], json!(group));
        assert_eq!(texts(&whole["metadata"]["result"], "assistant_message").len(), 2);
        let of = async |path: &str| s.get(&format!("/v1/runs/{run}/{path}")).await;
        let (usage, steps) = (of("usage").await, of("steps").await);
        assert_eq!(steps.as_array().unwrap().len(), 2, "{steps}");
        let sum = |member: &str| steps.as_array().unwrap().iter().map(|s| s[member].as_i64().unwrap()).sum::<i64>();
        assert_eq!(usage["prompt_tokens"], json!(sum("prompt_tokens")));
        assert_eq!(usage["completion_tokens"], json!(sum("completion_tokens")));
        let messages = of("messages?order=asc").await;
        assert_eq!(speakers(&messages), ["Ada", "Bob"], "{messages}");
        let first = messages[0]["id"].as_str().unwrap();
        assert_eq!(speakers(&of(&format!("messages?order=asc&after={first}")).await), ["Bob"]);
        assert_eq!(shown.iter().find(|e| e["message_type"] == "usage_statistics").unwrap()["step_count"], json!(2));

        // It is listed, but is none of an agent's own.
        assert_eq!(statuses(&s, &format!("group_id={group}")).await, ["completed"]);
        assert_eq!(statuses(&s, "").await, ["completed"; 3]);
        for agent in [ada, bob] {
            assert_eq!(statuses(&s, &format!("agent_id={agent}")).await, ["completed"]);
        }
        // Each says two things: what it thinks, and its answer.
        let again = Events::of(&s.base, &format!("/v1/runs/{run}/stream"), json!({"starting_after": 2})).await;
        assert_eq!(self::said(&again.rest().await), [(4, "Bob".into(), "You said: You said: hello".into())]);
        // It goes like every run, and its turns stay.
        let (status, _) = s.send(Method::DELETE, &format!("/v1/runs/{run}"), None).await;
        assert!(status.is_success());
        assert_eq!(statuses(&s, "").await, ["completed"; 2]);
    })
    .await;
}

#[tokio::test]
async fn what_a_manager_chooses_is_not_part_of_the_answer() {
    server::with(|s| async move {
        let boss = s.agent(json!({"name": "Boss"})).await;
        let (ada, bob, _) = ada_and_bob(&s, "engram/scripted").await;
        let config = json!({"manager_type": "dynamic", "manager_agent_id": boss, "max_turns": 1});
        let body = json!({"agent_ids": [ada, bob], "description": "", "manager_config": config});
        let group = s.post("/v1/groups/", body).await["id"].as_str().unwrap().to_owned();
        let answer = s.post(&format!("/v1/groups/{group}/messages"), hello(&json!({}))).await;
        assert_eq!(texts(&answer, "assistant_message").len(), 1, "{answer}");
        let run = s.get(&format!("/v1/runs?group_id={group}")).await[0].clone();
        assert_eq!(run["agent_id"], json!(boss));
        let messages = s.get(&format!("/v1/runs/{}/messages", run["id"].as_str().unwrap())).await;
        assert_eq!(speakers(&messages), ["Ada"], "{messages}");
    })
    .await;
}

#[tokio::test]
async fn a_stream_survives_the_node_that_drives_the_group() {
    let model = Model::start().await;
    let url = model.url.clone();
    server::with_settings(&[("OPENAI_BASE_URL", &url)], |s| async move {
        let (ada, bob, group) = ada_and_bob(&s, PATIENT).await;
        let mut node = Node::start(&s).await;
        let path = format!("/v1/groups/{group}/messages/stream");
        let mut there = Events::of(node.base(), &path, hello(&json!({"background": true}))).await;
        let run = run_of(&mut there).await;
        assert_eq!(s.get(&format!("/v1/runs/{run}")).await["background"], json!(true));
        // Followed here while it is driven there.
        let here = Events::of(&s.base, &format!("/v1/runs/{run}/stream"), json!({"starting_after": 0})).await;
        let here = tokio::spawn(here.rest());
        model.answers(1);
        let first = there.next().await.unwrap();
        assert_eq!(said(std::slice::from_ref(&first)), [(1, "Ada".into(), "You said: hello".into())]);
        model.asked(2).await;
        node.kill();
        model.answers(9);
        let seen = here.await.unwrap();
        let bob_said = (2, "Bob".to_owned(), "You said: You said: hello".to_owned());
        assert_eq!(said(&seen), [(1, "Ada".into(), "You said: hello".into()), bob_said.clone()], "{seen:?}");
        assert_eq!(over(&s, &run).await["status"], json!("completed"));
        for agent in [ada, bob] {
            assert_eq!(statuses(&s, &format!("agent_id={agent}")).await, ["completed"], "one turn each");
        }
        // Whoever lost its connection goes on by number.
        let rest = Events::of(&s.base, &format!("/v1/runs/{run}/stream"), json!({"starting_after": 1})).await;
        assert_eq!(said(&rest.rest().await), [bob_said]);
    })
    .await;
}

#[tokio::test]
async fn a_cancel_on_any_node_stops_the_member_that_speaks() {
    let model = Model::start().await;
    let url = model.url.clone();
    server::with_settings(&[("OPENAI_BASE_URL", &url)], |s| async move {
        let (ada, bob, group) = ada_and_bob(&s, PATIENT).await;
        let node = Node::start(&s).await;
        let path = format!("/v1/groups/{group}/messages/stream");
        let mut first = Events::of(node.base(), &path, hello(&json!({}))).await;
        let run = run_of(&mut first).await;
        let mut second = Events::of(&s.base, &path, hello(&json!({}))).await;
        let waiting = run_of(&mut second).await;
        model.asked(1).await;
        for run in [&waiting, &run] {
            let cancel = json!({"run_ids": [run]});
            let done = s.post(&format!("/v1/agents/{ada}/messages/cancel"), cancel).await;
            assert_eq!(done[run], json!("cancelled"), "{done}");
        }
        for events in [first, second] {
            let events = events.rest().await;
            let stop = events.iter().find(|event| event["message_type"] == "stop_reason").expect("an end");
            assert_eq!(stop["stop_reason"], json!("cancelled"), "{events:?}");
        }
        assert_eq!(statuses(&s, &format!("group_id={group}")).await, ["cancelled"; 2]);
        assert_eq!(statuses(&s, &format!("agent_id={ada}")).await, ["cancelled"], "her current run");
        assert!(statuses(&s, &format!("agent_id={bob}")).await.is_empty());
        assert_eq!(model.times_asked(), 1);
        // The group answers the next message.
        model.answers(9);
        let answer = s.post(&format!("/v1/groups/{group}/messages"), hello(&json!({}))).await;
        assert_eq!(texts(&answer, "assistant_message").len(), 2, "{answer}");
    })
    .await;
}

#[tokio::test]
async fn the_same_otid_is_the_same_run_on_every_node() {
    let model = Model::start().await;
    let url = model.url.clone();
    server::with_settings(&[("OPENAI_BASE_URL", &url)], |s| async move {
        let (ada, bob, group) = ada_and_bob(&s, PATIENT).await;
        let node = Node::start(&s).await;
        let body = json!({"messages": [{"role": "user", "content": "hello", "otid": "o-1"}], "include_pings": true});
        let path = format!("/v1/groups/{group}/messages/stream");
        let mut there = Events::of(node.base(), &path, body.clone()).await;
        let run = run_of(&mut there).await;
        model.asked(1).await;
        let mut here = Events::of(&s.base, &path, body.clone()).await;
        assert_eq!(run_of(&mut here).await, run);
        model.answers(9);
        let (here, there) = (here.rest().await, there.rest().await);
        assert_eq!(said(&here), said(&there));
        assert_eq!(said(&here).len(), 2, "{here:?}");
        // Also when it is over.
        let late = s.post(&format!("/v1/groups/{group}/messages"), body).await;
        assert_eq!(texts(&late, "assistant_message").len(), 2, "{late}");
        for agent in [ada, bob] {
            assert_eq!(statuses(&s, &format!("agent_id={agent}")).await, ["completed"]);
        }
        assert_eq!(statuses(&s, &format!("group_id={group}")).await, ["completed"]);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_group_ends_its_runs_and_their_turns() {
    let model = Model::start().await;
    let url = model.url.clone();
    server::with_settings(&[("OPENAI_BASE_URL", &url)], |s| async move {
        let (ada, _, group) = ada_and_bob(&s, PATIENT).await;
        let path = format!("/v1/groups/{group}/messages/stream");
        let mut events = Events::of(&s.base, &path, hello(&json!({"background": true}))).await;
        let run = run_of(&mut events).await;
        model.asked(1).await;
        let (status, _) = s.send(Method::DELETE, &format!("/v1/groups/{group}"), None).await;
        assert!(status.is_success());
        let events = events.rest().await;
        assert!(format!("{events:?}").contains("deleted"), "{events:?}");
        let (status, _) = s.send(Method::GET, &format!("/v1/runs/{run}"), None).await;
        assert_eq!(status.as_u16(), 404, "a group's runs go with it");
        assert_eq!(statuses(&s, &format!("agent_id={ada}")).await, ["cancelled"]);
    })
    .await;
}
