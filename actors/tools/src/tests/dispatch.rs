use std::{collections::BTreeSet, sync::Arc, time::Duration};

use engram_core::{
    builtin::{self, RunBy},
    ports::ToolRunner,
};
use engram_domain::{JsonMap, ToolKind, ToolStatus};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::fakes::{World, builtin_tool, context, run, runners, tool};
use crate::builtin::TOOLS;

#[test]
fn the_table_has_exactly_the_tools_that_the_catalogue_gives_to_this_runner() {
    let catalogue = builtin::all().iter().chain([builtin::supervisor_tool()]);
    let wanted: BTreeSet<&str> = catalogue.filter(|t| matches!(t.run, RunBy::Runner)).map(|t| t.name).collect();
    assert_eq!(TOOLS.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>(), wanted);
}

#[tokio::test]
async fn what_cannot_be_executed_says_so() {
    let world = Arc::new(World::default());
    let mut texts = vec![];
    for tool in [
        tool("roll", ToolKind::Custom),
        tool("github", ToolKind::Mcp),
        builtin_tool("run_code"),
        builtin_tool("open_files"),
        builtin_tool("core_memory_append"),
    ] {
        let args = [("label", "a"), ("content", "b")].map(|(k, v)| (k.to_owned(), json!(v)));
        let outcome = runners(&world).run(context("m"), tool, JsonMap::from_iter(args), CancellationToken::new()).await;
        assert_eq!(outcome.status, ToolStatus::Error);
        texts.push(outcome.text);
    }
    insta::assert_snapshot!(texts.join("\n"), @r#"
    'roll' is a custom tool; this server does not execute custom tools yet
    'github' is a tool of another service, which this server does not call yet
    'run_code' is not available on this server yet
    'open_files' is not available on this server yet
    'core_memory_append' edits memory blocks and can only be called by an agent in its turn
    "#);
}

#[tokio::test]
async fn a_call_ends_when_it_is_cancelled() {
    let insert = [("content".to_owned(), json!("x"))].into_iter().collect::<JsonMap>();
    let tool = builtin_tool("archival_memory_insert");
    let cancel = CancellationToken::new();
    cancel.cancel();
    let outcome = runners(&Arc::new(World::default())).run(context("hangs"), tool, insert, cancel).await;
    assert_eq!(outcome.text, "the call was cancelled");
}

#[tokio::test(start_paused = true)]
async fn how_long_a_call_may_take_is_its_callers_to_say() {
    let insert = [("content".to_owned(), json!("x"))].into_iter().collect::<JsonMap>();
    let tool = builtin_tool("archival_memory_insert");
    let tools = runners(&Arc::new(World::default()));
    let call = tools.run(context("hangs"), tool, insert, CancellationToken::new());
    assert!(tokio::time::timeout(Duration::from_secs(90), call).await.is_err(), "it ended by itself");
}

#[tokio::test]
async fn failures_of_others_are_errors_without_their_inner_life() {
    let world = Arc::new(World { broken: true, ..World::default() });
    let outcome = run(&world, "archival_memory_search", json!({"query": "q"})).await;
    assert_eq!(outcome.text, "the memory store cannot be read at the moment");
    let args = [("content".to_owned(), json!("x"))].into_iter().collect();
    let tool = builtin_tool("archival_memory_insert");
    let outcome = runners(&Arc::new(World::default())).run(context(""), tool, args, CancellationToken::new()).await;
    assert_eq!(outcome.text, "no embedding model 'openai/' is configured");
}
