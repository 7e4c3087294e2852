use std::sync::Arc;

use chrono::TimeDelta;
use engram_domain::{Content, Role, RunId, ToolCall, message::Reasoning};
use serde_json::json;
use uuid::Uuid;

use super::fakes::{World, message, run};

fn said(text: &str) -> Content {
    Content::Assistant {
        reasoning: vec![Reasoning::Text { text: "secret".into(), native: false, signature: None }],
        text: Some("hm".into()),
        calls: vec![
            ToolCall { id: "1".into(), name: "send_message".into(), arguments: json!({"message": text}).to_string() },
            ToolCall { id: "2".into(), name: "roll".into(), arguments: "{}".into() },
        ],
    }
}

#[tokio::test]
async fn results_show_who_said_what_and_when() {
    let world = Arc::new(World {
        messages: vec![
            message(Role::User, Content::text("My cat is called Ökonom."), TimeDelta::days(3)),
            message(Role::Assistant, said("What a name!"), TimeDelta::hours(1)),
        ],
        ..World::default()
    });
    let outcome = run(&world, "conversation_search", json!({"query": "What is the name of my cat?"})).await;
    insta::assert_snapshot!(outcome.text, @r#"{"message":"Showing 2 results","results":[{"timestamp":"2026-11-18T13:00:00+01:00","time_ago":"3 days ago","role":"user","content":"My cat is called Ökonom."},{"timestamp":"2026-11-21T12:00:00+01:00","time_ago":"1 hour ago","role":"assistant","content":"hm\nWhat a name!\nroll({})"}]}"#);
    let query = world.message_queries.lock().unwrap()[0].clone();
    assert_eq!(query.words, ["name", "cat"]);
    assert_eq!(query.phrase.as_deref(), Some("What is the name of my cat?"));
    assert_eq!(query.roles, [Role::User, Role::Assistant, Role::Tool]);
    assert_eq!(query.not_of_run, Some(RunId(Uuid::from_u128(9))), "the question would find itself");
    assert_eq!((query.limit, query.offset), (5, 0));
}

#[tokio::test]
async fn everything_can_be_left_out_and_the_old_page_is_understood() {
    let world = Arc::new(World::default());
    let outcome = run(&world, "conversation_search", json!({})).await;
    assert_eq!(outcome.text, "No results found.");
    let args = json!({"query": " ", "roles": ["user"], "limit": 999, "page": 2, "start_date": "2026-07-01T10:00",
                      "end_date": "2026-07-01T10:00:00Z"});
    run(&world, "conversation_search", args).await;
    let queries = world.message_queries.lock().unwrap();
    assert!(queries.iter().all(|q| q.phrase.is_none() && q.words.is_empty()));
    assert_eq!((queries[1].limit, queries[1].offset, queries[1].roles.as_slice()), (50, 100, &[Role::User][..]));
    assert_eq!(queries[1].since.unwrap().to_string(), "2026-07-01 08:00:00 UTC");
    assert_eq!(queries[1].until.unwrap().to_string(), "2026-07-01 10:00:00.000001 UTC");
}

#[tokio::test]
async fn a_date_that_is_none_is_an_error_that_names_it() {
    let outcome = run(&Arc::new(World::default()), "conversation_search", json!({"start_date": "yesterday"})).await;
    insta::assert_snapshot!(outcome.text, @r#"argument 'start_date' must be a date such as 2026-03-01 or an ISO 8601 time, got "yesterday""#);
    insta::assert_snapshot!(outcome.stderr[0], @r#"Error executing function conversation_search: ValueError: argument 'start_date' must be a date such as 2026-03-01 or an ISO 8601 time, got "yesterday""#);
}
