//! Messages to groups that were stored while nobody saw to them.

use engram_core::ports::{GroupRun, GroupRuns, store::GroupAccepted};
use engram_domain::{Part, Role, RunId, RunInput, run::InputMessage};
use serde_json::json;

use crate::server;

#[tokio::test]
async fn a_message_without_a_driver_is_found() {
    server::with(|s| async move {
        let (ada, bob) = (s.agent(json!({"name": "Ada"})).await, s.agent(json!({"name": "Bob"})).await);
        let body =
            json!({"agent_ids": [ada, bob], "description": "", "manager_config": {"manager_type": "round_robin"}});
        let group = s.post("/v1/groups/", body).await["id"].as_str().unwrap().to_owned();
        // As when the answer of the database is lost: the row is there, and belongs to this very node.
        let words = InputMessage {
            role: Role::User,
            content: vec![Part::text("hello")],
            name: None,
            otid: None,
            sender_id: None,
            group_id: Some(group.clone()),
        };
        let run = GroupRun {
            id: RunId(uuid::Uuid::new_v4()),
            group_id: group.parse().unwrap(),
            input: RunInput { messages: vec![words], ..RunInput::default() },
            key: None,
            created_at: s.state().clock.now(),
        };
        let node = s.state().engine.node().id;
        assert_eq!(s.state().store.insert_group_run(&run, 1, node).await.unwrap(), GroupAccepted::Stored);
        let again = GroupRun { id: RunId(uuid::Uuid::new_v4()), ..run.clone() };
        assert_eq!(s.state().store.insert_group_run(&again, 1, node).await.unwrap(), GroupAccepted::Full);
        for _ in 0..200 {
            if !s.state().store.group_run_is_open(run.id).await.unwrap() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let said = s.get(&format!("/v1/groups/{group}/messages?limit=50")).await;
        assert!(said.to_string().contains("You said: You said: hello"), "{said}");
    })
    .await;
}
