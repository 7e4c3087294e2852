//! An agent lives, remembers and answers.

use serde_json::{Value, json};

use crate::server;

fn types(answer: &Value) -> Vec<&str> {
    answer["messages"].as_array().unwrap().iter().map(|m| m["message_type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_an_agent_wrote_down_survives_a_restart() {
    server::with(|mut s| async move {
        let agent = s.agent(json!({})).await;
        let order = r#"[[call core_memory_append {"label": "human", "content": "Likes tea"}]] hello"#;
        let answer = s.say(&agent, order).await;
        assert_eq!(types(&answer), ["tool_call_message", "tool_return_message", "assistant_message"]);
        assert_eq!(answer["messages"][2]["content"], "You said: hello");
        assert_eq!(answer["stop_reason"]["stop_reason"], "end_turn");
        assert_eq!(answer["usage"]["step_count"], 2);
        s.restart().await;
        let block = s.get(&format!("/v1/agents/{agent}/core-memory/blocks/human")).await;
        assert_eq!(block["value"], "Name: Chad\nLikes tea");
        let answer = s.say(&agent, "still there?").await;
        assert_eq!(answer["messages"][0]["content"], "You said: still there?");
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
        let found: Value = serde_json::from_str(answer["messages"][1]["tool_return"].as_str().unwrap()).unwrap();
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
        assert_eq!(answer["messages"][1]["tool_return"], "Plan B\nagreed");
    })
    .await;
}

#[tokio::test]
async fn concurrent_sends_each_get_their_own_answer() {
    server::with(|s| async move {
        let agent = s.agent(json!({})).await;
        let texts: Vec<String> = (0..12).map(|n| format!("word {n}")).collect();
        let answers = futures::future::join_all(texts.iter().map(|t| s.say(&agent, t))).await;
        for (text, answer) in texts.iter().zip(answers) {
            assert_eq!(answer["messages"][0]["content"], format!("You said: {text}"));
        }
        let listed = s.get(&format!("/v1/agents/{agent}/messages?limit=100")).await;
        let users = listed.as_array().unwrap().iter().filter(|m| m["message_type"] == "user_message").count();
        // The event that the agent was born with, and ours.
        assert_eq!(users, 13);
    })
    .await;
}
