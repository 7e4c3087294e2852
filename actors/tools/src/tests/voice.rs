use std::sync::Arc;

use chrono::TimeDelta;
use engram_core::{
    ports::{ToolOutcome, Write, tools::Told},
    transcript,
};
use engram_domain::{AgentId, Content, Role, RunId, ToolStatus};
use serde_json::{Value, json};
use uuid::Uuid;

use super::fakes::{World, archive, message, model, now, passage, run};

fn told(world: World) -> Arc<World> {
    let lines = ["user: I like tea\nvery much", "assistant: Noted", "user: Bye"].map(str::to_owned);
    let main = AgentId(Uuid::from_u128(70));
    let told = Told { main, embedding: model("main-model"), text: transcript::for_voice(&lines) };
    Arc::new(World { told: Some(told), ..world })
}

async fn store(world: &Arc<World>, chunks: Value) -> ToolOutcome {
    run(world, "store_memories", json!({ "chunks": chunks })).await
}

fn stored(outcome: &ToolOutcome) -> Vec<(AgentId, &str)> {
    outcome
        .writes
        .iter()
        .filter_map(|write| match write {
            Write::InsertPassage(passage, agent) => Some((*agent, passage.text.as_str())),
            Write::Send(_) => None,
        })
        .collect()
}

#[tokio::test]
async fn ranges_of_the_transcript_become_passages_of_the_main_agent() {
    let world = told(World::default());
    let chunks = json!([
        {"start_index": 0, "end_index": 1, "context": " Ada likes tea. "},
        {"start_index": 2, "end_index": 2, "context": ""},
        {"start_index": 0, "end_index": 1, "context": "again"},
    ]);
    let outcome = store(&world, chunks).await;
    assert_eq!(outcome.text, "2 memories stored.");
    let main = AgentId(Uuid::from_u128(70));
    assert_eq!(
        stored(&outcome),
        [(main, "Ada likes tea.\nuser: I like tea very much\nassistant: Noted"), (main, "user: Bye")]
    );
    assert_eq!(*world.embedded_with.lock().unwrap(), [model("main-model").handle()], "as the agent embeds");

    let world = told(World { archives: vec![archive(5, "archive-model")], ..World::default() });
    let outcome = store(&world, json!([{"start_index": 2, "end_index": 2, "context": "x"}])).await;
    assert_eq!(outcome.text, "1 memory stored.");
    assert_eq!(*world.embedded_with.lock().unwrap(), [model("archive-model").handle()], "as the archive was");
}

#[tokio::test]
async fn all_ranges_are_right_or_nothing_is_stored() {
    let world = told(World::default());
    for (chunks, said) in [
        (json!([{"start_index": 0, "end_index": 3, "context": "x"}]), "both from 0 to 2"),
        (
            json!([{"start_index": 0, "end_index": 0, "context": "x"}, {"start_index": 2, "end_index": 1, "context": "x"}]),
            "chunks[1] has the lines 2 to 1",
        ),
        (json!([{"start_index": -1, "end_index": 1, "context": "x"}]), "chunks[0].start_index"),
        (json!([{"start_index": i64::MAX, "end_index": i64::MAX, "context": "x"}]), "both from 0 to 2"),
    ] {
        let outcome = store(&world, chunks).await;
        assert!(outcome.status == ToolStatus::Error && outcome.writes.is_empty(), "{outcome:?}");
        assert!(outcome.text.contains(said), "{}", outcome.text);
    }
    assert_eq!(store(&world, json!([])).await.text, "No memories stored.");
    let nobody = store(&Arc::new(World::default()), json!([])).await;
    assert!(nobody.text.contains("no transcript"), "{}", nobody.text);
}

#[tokio::test]
async fn what_was_said_and_what_is_kept_are_found_by_their_words() {
    let mut both = passage(2, 5, "Ada drinks green tea");
    both.created_at = now() - TimeDelta::days(2);
    let world = Arc::new(World {
        archives: vec![archive(5, "m")],
        passages: vec![(passage(1, 5, "tea"), 0.0), (both, 0.0)],
        messages: vec![message(Role::User, Content::text("Tea, please."), TimeDelta::hours(3))],
        ..World::default()
    });
    let args = json!({"convo_keyword_queries": ["green Tea", " "], "start_minutes_ago": 10, "end_minutes_ago": 60});
    let outcome = run(&world, "search_memory", args).await;
    insta::assert_snapshot!(outcome.text, @r#"{"memories":[{"timestamp":"2026-11-21T13:00:00+01:00","time_ago":"just now","content":"tea"},{"timestamp":"2026-11-19T13:00:00+01:00","time_ago":"2 days ago","content":"Ada drinks green tea"}],"messages":[{"timestamp":"2026-11-21T10:00:00+01:00","time_ago":"3 hours ago","role":"user","content":"Tea, please."}]}"#);
    let query = world.message_queries.lock().unwrap()[0].clone();
    assert_eq!(query.words, ["green", "tea"]);
    assert_eq!(query.roles, [Role::User, Role::Assistant]);
    assert_eq!(query.not_of_run, Some(RunId(Uuid::from_u128(9))));
    assert_eq!((query.since, query.until), (Some(now() - TimeDelta::hours(1)), Some(now() - TimeDelta::minutes(10))));
    let passages = world.passage_queries.lock().unwrap();
    let texts: Vec<_> = passages.iter().map(|(_, q)| (q.text.as_deref(), q.since, q.until)).collect();
    assert_eq!(texts, [(Some("green"), query.since, query.until), (Some("tea"), query.since, query.until)]);
    assert!(world.embedded_with.lock().unwrap().is_empty(), "nobody waits for a model");
}

#[tokio::test]
async fn a_window_alone_will_do_and_nothing_at_all_will_not() {
    let world = Arc::new(World { archives: vec![archive(5, "m")], ..World::default() });
    assert_eq!(run(&world, "search_memory", json!({"start_minutes_ago": 5})).await.text, "No results found.");
    let queries = world.passage_queries.lock().unwrap().clone();
    assert_eq!((queries[0].1.text.as_ref(), queries[0].1.since), (None, Some(now() - TimeDelta::minutes(5))));
    for (args, said) in [
        (json!({}), "at least one keyword"),
        (json!({"convo_keyword_queries": [" "]}), "at least one keyword"),
        (json!({"start_minutes_ago": -5}), "'start_minutes_ago' must be a number of minutes"),
    ] {
        let outcome = run(&world, "search_memory", args).await;
        assert!(outcome.status == ToolStatus::Error && outcome.text.contains(said), "{}", outcome.text);
    }
    let far = run(&world, "search_memory", json!({"start_minutes_ago": i64::MAX, "end_minutes_ago": 0})).await;
    assert_eq!(far.status, ToolStatus::Success, "that is all time: {}", far.text);
}
