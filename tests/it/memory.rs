//! An agent lives, remembers and answers.

use serde_json::{Value, json};

use crate::server::{self, texts};

fn types(answer: &Value) -> Vec<&str> {
    answer["messages"].as_array().unwrap().iter().map(|m| m["message_type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_an_agent_wrote_down_survives_a_restart() {
    server::with(|mut s| async move {
        let agent = s.agent(json!({})).await;
        let order = r#"[[call core_memory_append {"label": "human", "content": "Likes tea"}]] hello"#;
        let answer = s.say(&agent, order).await;
        let said =
            ["reasoning_message", "tool_call_message", "tool_return_message", "reasoning_message", "assistant_message"];
        assert_eq!(types(&answer), said);
        assert_eq!(texts(&answer, "assistant_message"), ["You said: hello"]);
        assert_eq!(answer["stop_reason"]["stop_reason"], "end_turn");
        assert_eq!(answer["usage"]["step_count"], 2);
        s.restart().await;
        let block = s.get(&format!("/v1/agents/{agent}/core-memory/blocks/human")).await;
        assert_eq!(block["value"], "Name: Chad\nLikes tea");
        let answer = s.say(&agent, "still there?").await;
        assert_eq!(texts(&answer, "assistant_message"), ["You said: still there?"]);
    })
    .await;
}

#[tokio::test]
async fn archival_memory_is_found_by_its_own_words() {
    server::with(|s| async move {
        let agent = s.agent(json!({})).await;
        let path = format!("/v1/agents/{agent}/archival-memory");
        for text in ["the sky is blue", "grass is green", "coal is black"] {
            s.post(&path, json!({"text": text})).await;
        }
        let order = r#"[[call archival_memory_search {"query": "what is green"}]] ok"#;
        let answer = s.say(&agent, order).await;
        let found: Value = serde_json::from_str(&texts(&answer, "tool_return_message")[0]).unwrap();
        assert_eq!(found["results"][0]["content"], "grass is green");
        let listed = s.get(&path).await;
        assert_eq!(listed.as_array().unwrap().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_shared_block_written_by_one_agent_is_seen_by_the_other() {
    server::with(|s| async move {
        let block = s.post("/v1/blocks/", json!({"label": "team", "value": "Plan A"})).await;
        let more = json!({"block_ids": [block["id"]]});
        let (one, two) = (s.agent(more.clone()).await, s.agent(more).await);
        // Both are live, with the old value.
        s.say(&one, "hi").await;
        s.say(&two, "hi").await;
        s.say(&one, r#"[[call core_memory_replace {"label":"team","old_content":"Plan A","new_content":"Plan B"}]]"#)
            .await;
        let order = r#"[[call core_memory_append {"label": "team", "content": "agreed"}]]"#;
        let answer = s.say(&two, order).await;
        assert_eq!(texts(&answer, "tool_return_message"), ["Plan B\nagreed"]);
    })
    .await;
}

#[tokio::test]
async fn concurrent_sends_each_get_their_own_answer() {
    server::with(|s| async move {
        let agent = s.agent(json!({})).await;
        let words: Vec<String> = (0..12).map(|n| format!("word {n}")).collect();
        let answers = futures::future::join_all(words.iter().map(|t| s.say(&agent, t))).await;
        for (text, answer) in words.iter().zip(answers) {
            assert_eq!(texts(&answer, "assistant_message"), [format!("You said: {text}")]);
        }
        let listed = s.get(&format!("/v1/agents/{agent}/messages?limit=100")).await;
        let users = listed.as_array().unwrap().iter().filter(|m| m["message_type"] == "user_message").count();
        // The event that the agent was born with, and ours.
        assert_eq!(users, 13);
    })
    .await;
}

#[tokio::test]
async fn an_approval_is_asked_for_answered_and_over() {
    server::with(|s| async move {
        let rule = json!([{"type": "requires_approval", "tool_name": "memory_insert"}]);
        let agent = s.agent(json!({"agent_type": "letta_v1_agent", "tool_rules": rule})).await;
        let order = r#"[[call memory_insert {"label": "human", "new_string": "Likes tea"}]] done"#;
        let path = format!("/v1/agents/{agent}/messages");
        for approve in [false, true] {
            let asked = s.say(&agent, order).await;
            assert_eq!(asked["stop_reason"]["stop_reason"], "requires_approval");
            let request = &asked["messages"][0];
            assert_eq!(request["message_type"], "approval_request_message");
            let body = json!({"messages": [{"role": "user", "content": "hello?"}]});
            let (status, refused) = s.send(reqwest::Method::POST, &path, Some(&body)).await;
            assert_eq!(status.as_u16(), 409, "{refused}");
            assert_eq!(refused["detail"]["pending_request_id"], request["id"]);
            let word = json!({"type": "approval", "approve": approve, "tool_call_id": request["tool_call"]["tool_call_id"]});
            let answer = s.post(&path, json!({"messages": [{"type": "approval", "approvals": [word]}]})).await;
            assert_eq!(texts(&answer, "assistant_message"), ["You said: done"]);
            let block = s.get(&format!("/v1/agents/{agent}/core-memory/blocks/human")).await;
            assert_eq!(block["value"].as_str().unwrap().contains("Likes tea"), approve);
        }
        let nothing = json!({"messages": [{"type": "approval", "approvals": [{"type": "approval", "approve": true, "tool_call_id": "x"}]}]});
        let (status, refused) = s.send(reqwest::Method::POST, &path, Some(&nothing)).await;
        assert_eq!(status.as_u16(), 400, "{refused}");
    })
    .await;
}

#[tokio::test]
async fn a_tool_may_create_a_block_and_edit_it_in_one_turn() {
    server::with(|s| async move {
        let agent = s.agent(json!({"tools": ["memory"]})).await;
        let order = r#"[[call memory {"command": "create", "path": "/memories/notes", "description": "Notes", "file_text": "one"}]]
            [[call memory {"command": "str_replace", "path": "/memories/notes", "old_string": "one", "new_string": "two"}]] ok"#;
        s.say(&agent, order).await;
        let block = s.get(&format!("/v1/agents/{agent}/core-memory/blocks/notes")).await;
        assert_eq!(block["value"], "two");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_agents_write_to_one_block_and_no_word_is_lost() {
    server::with(|s| async move {
        let block = s.post("/v1/blocks/", json!({"label": "team", "value": "Plan", "limit": 20000})).await;
        let mut agents = Vec::new();
        for _ in 0..64 {
            agents.push(s.agent(json!({"block_ids": [block["id"]]})).await);
        }
        let turns = agents.iter().enumerate().map(async |(n, agent)| {
            let order = format!(r#"[[call core_memory_append {{"label": "team", "content": "word {n}."}}]] ok"#);
            s.say(agent, &order).await
        });
        for answer in futures::future::join_all(turns).await {
            assert_eq!(answer["stop_reason"]["stop_reason"], "end_turn", "{answer}");
            assert_eq!(answer["usage"]["step_count"], 2, "the model was asked once for each step");
        }
        let value = s.get(&format!("/v1/blocks/{}", block["id"].as_str().unwrap())).await["value"].clone();
        let value = value.as_str().unwrap();
        for n in 0..64 {
            assert_eq!(value.matches(&format!("word {n}.")).count(), 1, "{value}");
        }
    })
    .await;
}
