//! The catalogue of tools.

use std::sync::Arc;

use engram_core::builtin;
use engram_store::{
    Page,
    tools::{ToolFilter, ToolPatch},
};

use crate::support::*;

#[tokio::test]
async fn the_catalogue_is_idempotent_and_keeps_ids_and_users_settings() {
    let Some(db) = test_db().await else { return };
    let first = db.ensure_builtin_tools(at(0), &RandomIds).await.unwrap();
    assert_eq!(first.len(), builtin::all().len());
    let patch = ToolPatch { return_char_limit: Some(7), default_requires_approval: Some(true), ..ToolPatch::default() };
    let changed = db.modify_tool(first[0].id, &patch, at(1)).await.unwrap().unwrap();
    assert_eq!((changed.return_char_limit, changed.default_requires_approval), (7, Some(true)));
    let again = db.ensure_builtin_tools(at(2), &RandomIds).await.unwrap();
    let ids = |tools: &[engram_domain::Tool]| -> Vec<_> {
        let mut ids: Vec<_> = tools.iter().map(|t| t.id).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&again), ids(&first));
    let kept = db.tool(first[0].id).await.unwrap().unwrap();
    assert_eq!((kept.return_char_limit, kept.updated_at), (7, at(1)));
    let schema = builtin::find("memory_replace").unwrap().json_schema();
    let stored = db.tools_by_name(&["memory_replace".to_owned()]).await.unwrap();
    assert_eq!(stored[0].json_schema.to_string(), schema.to_string(), "the order of members too");
    db.drop_database().await;
}

#[tokio::test]
async fn filters_and_deletion() {
    let Some(db) = test_db().await else { return };
    let tools = db.ensure_builtin_tools(at(0), &RandomIds).await.unwrap();
    let all = ToolFilter::default;
    let total = i64::try_from(tools.len()).unwrap();
    let count = async |filter| db.count_tools(&filter).await.unwrap();
    assert_eq!(count(all()).await, total);
    assert_eq!(count(ToolFilter { own: Some(true), ..all() }).await, total);
    assert_eq!(count(ToolFilter { own: Some(false), ..all() }).await, 0);
    assert_eq!(count(ToolFilter { name: Some("send_message".into()), ..all() }).await, 1);
    let memory = ToolFilter { kinds: Some(vec!["letta_memory_core".into()]), ..all() };
    let memory_count = count(memory).await;
    assert!(memory_count > 1);
    let others = ToolFilter { exclude_kinds: vec!["letta_memory_core".into()], ..all() };
    assert_eq!(count(others).await, total - memory_count);
    assert!(count(ToolFilter { search: Some("ARCHIVAL".into()), ..all() }).await >= 2);
    assert_eq!(count(ToolFilter { tags: vec!["letta_memory_core".into()], ..all() }).await, memory_count);
    let page = db.tools(&all(), Page::newest(3)).await.unwrap();
    let next = db.tools(&all(), Page { after: Some(page[2].id.0), ..Page::newest(1000) }).await.unwrap();
    assert_eq!(next.len(), tools.len() - 3);

    let agent = store_agent(&db, vec![]).await;
    db.attach_tool(agent.id, tools[0].id, at(1)).await.unwrap();
    assert_eq!(count(ToolFilter { agent_id: Some(agent.id), ..all() }).await, 1);
    assert!(db.delete_tool(tools[0].id).await.unwrap());
    assert!(!db.delete_tool(tools[0].id).await.unwrap());
    assert_eq!(db.agent(agent.id).await.unwrap().unwrap().rev, 3, "attached, then deleted");
    db.drop_database().await;
}

#[tokio::test]
async fn agents_share_a_tool_until_it_changes() {
    let Some(db) = test_db().await else { return };
    let tools = db.ensure_builtin_tools(at(0), &RandomIds).await.unwrap();
    let tool = &tools[0];
    let (one, two) = (store_agent(&db, vec![]).await, store_agent(&db, vec![]).await);
    for agent in [&one, &two] {
        db.attach_tool(agent.id, tool.id, at(1)).await.unwrap();
    }
    let load = async |id| db.load_snapshot(id).await.unwrap().unwrap().tools;
    let (first, second) = (load(one.id).await, load(two.id).await);
    assert!(Arc::ptr_eq(&first[&tool.name], &second[&tool.name]));
    let patch = ToolPatch { return_char_limit: Some(7), ..ToolPatch::default() };
    // The clock stands still: it is the row that tells.
    db.modify_tool(tool.id, &patch, at(0)).await.unwrap();
    assert_eq!(load(two.id).await[&tool.name].return_char_limit, 7);
    assert_ne!(first[&tool.name].return_char_limit, 7, "who has it loaded keeps what it has");
    db.drop_database().await;
}
