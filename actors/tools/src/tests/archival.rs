use std::sync::Arc;

use engram_core::ports::Write;
use engram_domain::{ArchiveId, Json, ToolStatus};
use serde_json::json;
use uuid::Uuid;

use super::fakes::{World, archive, now, passage, run};

#[tokio::test]
async fn a_memory_goes_to_the_first_archive_in_its_own_embedding() {
    let world = Arc::new(World { archives: vec![archive(50, "own"), archive(51, "other")], ..World::default() });
    let args = json!({"content": "Ada likes tea", "tags": ["tea", " drinks ", "tea", ""]});
    let outcome = run(&world, "archival_memory_insert", args).await;
    insta::assert_snapshot!(outcome.text, @"Memory stored (id passage-00000000-0000-0000-0000-000000000001)");
    let [Write::InsertPassage(passage, agent)] = &outcome.writes[..] else { panic!("{outcome:?}") };
    assert_eq!(passage.archive_id, ArchiveId(Uuid::from_u128(50)));
    assert_eq!(passage.tags, ["drinks", "tea"]);
    assert_eq!((passage.text.as_str(), passage.embedding.as_slice()), ("Ada likes tea", &[1.0, 0.0][..]));
    assert_eq!((passage.created_at, agent.0), (now(), Uuid::from_u128(7)));
    assert_eq!(*world.embedded_with.lock().unwrap(), ["openai/own"]);
}

#[tokio::test]
async fn without_an_archive_the_model_of_the_agent_embeds() {
    let world = Arc::new(World::default());
    let outcome = run(&world, "archival_memory_insert", json!({"content": "x"})).await;
    assert_eq!(outcome.status, ToolStatus::Success);
    assert_eq!(*world.embedded_with.lock().unwrap(), ["openai/agent-model"]);
    let outcome = run(&world, "archival_memory_insert", json!({"content": " \n"})).await;
    assert_eq!(outcome.text, "content is empty, so there is nothing to remember");
    assert!(outcome.writes.is_empty());
    let outcome = run(&world, "archival_memory_insert", json!({"content": "x".repeat(1_048_577)})).await;
    assert!(outcome.text.contains("1048577 bytes") && outcome.writes.is_empty(), "{}", outcome.text);
    let tags: Vec<String> = (0..1_001).map(|n| n.to_string()).collect();
    let outcome = run(&world, "archival_memory_insert", json!({"content": "x", "tags": tags})).await;
    assert!(outcome.text.contains("1001 tags") && outcome.writes.is_empty(), "{}", outcome.text);
}

#[tokio::test]
async fn archives_of_different_models_are_searched_together() {
    let world = Arc::new(World {
        archives: vec![archive(50, "a"), archive(51, "b"), archive(52, "a")],
        passages: vec![(passage(1, 50, "worst"), 0.1), (passage(2, 51, "best"), 0.9), (passage(3, 52, "good"), 0.5)],
        ..World::default()
    });
    let args = json!({"query": "q", "top_k": 2, "tags": ["t"], "tag_match_mode": "all",
                      "start_datetime": "2026-07-01", "end_datetime": "2026-07-31"});
    let outcome = run(&world, "archival_memory_search", args.clone()).await;
    insta::assert_snapshot!(outcome.text, @r#"{"results":[{"id":"passage-00000000-0000-0000-0000-000000000002","timestamp":"2026-11-21T13:00:00+01:00","content":"best","tags":["t"]},{"id":"passage-00000000-0000-0000-0000-000000000003","timestamp":"2026-11-21T13:00:00+01:00","content":"good","tags":["t"]}],"count":2}"#);
    assert_eq!(*world.embedded_with.lock().unwrap(), ["openai/a", "openai/b"]);
    let queries = world.passage_queries.lock().unwrap().clone();
    let (archives, query) = &queries[0];
    assert_eq!(archives.len(), 2);
    assert!(query.match_all && query.tags == ["t"] && query.limit == 2 && query.embedding == Some(vec![1.0, 0.0]));
    // Days begin at midnight in the agent's zone, and the last one counts whole.
    assert_eq!(query.since.unwrap().to_string(), "2026-06-30 22:00:00 UTC");
    assert_eq!(query.until.unwrap().to_string(), "2026-07-31 22:00:00 UTC");

    for (key, value) in [("page", 1), ("start", 2)] {
        let mut old = args.clone();
        old[key] = json!(value);
        let text = run(&world, "archival_memory_search", old).await.text;
        let found: Json = serde_json::from_str(&text).unwrap();
        assert_eq!((&found["count"], &found["results"][0]["content"]), (&json!(1), &json!("worst")), "{key}");
    }
}

#[tokio::test]
async fn nothing_to_find_is_an_empty_list() {
    let outcome = run(&Arc::new(World::default()), "archival_memory_search", json!({"query": "q"})).await;
    assert_eq!(outcome.text, r#"{"results":[],"count":0}"#);
    let outcome = run(&Arc::new(World::default()), "archival_memory_search", json!({"query": ""})).await;
    assert_eq!(outcome.status, ToolStatus::Error);
}
