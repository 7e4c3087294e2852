//! What an agent has in context when its caller says so.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    model::{Model, PATIENT},
    server::{self, Server, texts},
};

/// The agent's name, and the ids of what it has in context.
async fn state(s: &Server, agent: &str) -> (String, Vec<String>) {
    let seen = s.get(&format!("/v1/agents/{agent}")).await;
    let ids = seen["message_ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect();
    (seen["name"].as_str().unwrap().to_owned(), ids)
}

async fn patch(s: &Server, agent: &str, body: &Value) -> (StatusCode, Value) {
    s.send(Method::PATCH, &format!("/v1/agents/{agent}"), Some(body)).await
}

#[tokio::test]
async fn an_agent_has_in_context_what_its_caller_names_and_goes_on_from_there() {
    server::with(|s| async move {
        let agent = s.agent(json!({"name": "Ada", "agent_type": "letta_v1_agent"})).await;
        for text in ["one", "two", "three"] {
            s.say(&agent, text).await;
        }
        let (_, ids) = state(&s, &agent).await;
        let latest = [&ids[..1], &ids[ids.len() - 2..]].concat();
        let (status, answer) = patch(&s, &agent, &json!({"name": "Bob", "message_ids": latest})).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert_eq!(answer["message_ids"], json!(latest), "exactly these");
        assert_eq!(state(&s, &agent).await, ("Bob".to_owned(), latest.clone()));
        let answer = s.say(&agent, "four").await;
        assert_eq!(texts(&answer, "assistant_message"), ["You said: four"]);
        let (_, ids) = state(&s, &agent).await;
        assert_eq!((&ids[..3], ids.len()), (&latest[..], 5));
        let listed = s.get(&format!("/v1/agents/{agent}/messages?limit=100")).await;
        let heard = listed.as_array().unwrap().iter().filter(|m| m["message_type"] == "user_message").count();
        assert!(heard >= 4, "what left the context is remembered: {listed}");
    })
    .await;
}

#[tokio::test]
async fn a_refused_change_of_the_context_changes_nothing_else() {
    server::with(|s| async move {
        let agent = s.agent(json!({"name": "Ada"})).await;
        s.say(&agent, "one").await;
        let before = state(&s, &agent).await;
        let ids = &before.1;
        let wrong = json!({"name": "Bob", "message_ids": [ids[1]]});
        let (status, answer) = patch(&s, &agent, &wrong).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
        assert_eq!(answer["detail"][0]["loc"], json!(["body", "message_ids"]));
        assert_eq!(state(&s, &agent).await, before);
        let latest = [ids.first(), ids.last()];
        let wrong = json!({"message_ids": latest, "block_ids": ["block-123e4567-e89b-42d3-8456-426614174000"]});
        let (status, answer) = patch(&s, &agent, &wrong).await;
        assert!(status.is_client_error(), "{status} {answer}");
        assert_eq!(state(&s, &agent).await, before, "nor does another refusal change the context");
    })
    .await;
}

#[tokio::test]
async fn the_context_of_a_busy_agent_stays_and_so_does_everything_else() {
    let model = Model::start().await;
    let url = model.url.clone();
    server::with_settings(&[("OPENAI_BASE_URL", &url)], |s| async move {
        let agent = s.agent(json!({"name": "Ada", "model": PATIENT})).await;
        let path = format!("/v1/agents/{agent}/messages/async");
        s.post(&path, json!({"messages": [{"role": "user", "content": "hello"}]})).await;
        model.asked(1).await;
        let before = state(&s, &agent).await;
        let wanted = json!({"name": "Bob", "message_ids": before.1[..1]});
        let (status, answer) = patch(&s, &agent, &wanted).await;
        assert_eq!(status, StatusCode::CONFLICT, "{answer}");
        assert_eq!(state(&s, &agent).await, before);
        model.answers(9);
    })
    .await;
}
