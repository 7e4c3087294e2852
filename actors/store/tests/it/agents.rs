//! Agents: creation, lists, changes, and what hangs on them.

use engram_core::ports::{CommitOutcome, Commits, Leases, store::ContextMark};
use engram_domain::{AgentId, Block, BlockId, EnvVar, EnvVarId, Role, ToolRule, rule::RuleKind};
use engram_store::{
    Page, StoreError,
    agents::{AgentFilter, AgentPatch, AgentSort, Attached, ContextCut, NewAgent, Wanted},
};
use uuid::Uuid;

use crate::support::*;

async fn rev(store: &Db, id: AgentId) -> i64 {
    store.agent(id).await.unwrap().unwrap().rev
}

fn variable(key: &str, value: &str) -> EnvVar {
    EnvVar { id: EnvVarId(Uuid::new_v4()), key: key.into(), value: value.into(), description: None }
}

/// An agent that is one after the other in time.
async fn nth(store: &Db, n: i64, change: impl FnOnce(&mut engram_domain::Agent)) -> AgentId {
    let mut agent = agent();
    agent.created_at = at(n);
    agent.updated_at = at(100 - n);
    change(&mut agent);
    let id = agent.id;
    store.create_agent(&new_agent(agent, vec![])).await.unwrap();
    id
}

#[tokio::test]
async fn an_agent_comes_back_as_it_was_created() {
    let Some(db) = test_db().await else { return };
    let mut agent = agent();
    agent.env = vec![variable("K", "V")];
    agent.tool_rules = vec![ToolRule::new("send_message", RuleKind::Terminal)];
    agent.tags = vec!["a".into(), "b".into()];
    agent.metadata.insert("z".into(), 1.into());
    agent.metadata.insert("a".into(), 2.into());
    let conversation = agent.id.default_conversation();
    let tools = db.ensure_builtin_tools(at(0), &RandomIds).await.unwrap();
    let blocks = vec![block("human", "h"), block("persona", "p")];
    let new = NewAgent {
        block_order: blocks.iter().rev().map(|b| (b.id, b.label.clone())).collect(),
        blocks,
        tool_ids: vec![tools[3].id, tools[0].id],
        messages: vec![
            message(agent.id, conversation, 0, Role::System, "prompt"),
            message(agent.id, conversation, 1, Role::User, "hello"),
        ],
        prompt_meta: prompt_meta(),
        agent: agent.clone(),
    };
    db.create_agent(&new).await.unwrap();

    assert_eq!(db.agent(agent.id).await.unwrap(), Some(agent.clone()));
    let mut relations = db.relations(&[agent.id], Wanted::default()).await.unwrap();
    let relations = relations.remove(&agent.id).unwrap();
    let labels: Vec<&str> = relations.blocks.iter().map(|b| b.label.as_str()).collect();
    assert_eq!(labels, ["persona", "human"]);
    assert_eq!(relations.tools.iter().map(|t| t.id).collect::<Vec<_>>(), new.tool_ids);
    assert_eq!(relations.message_ids, new.messages.iter().map(|m| m.id).collect::<Vec<_>>());
    assert_eq!(relations.approval, None);
    assert_eq!(db.load(conversation).await.unwrap().unwrap().conversation.next_seq, 2);

    assert!(db.delete_agent(agent.id).await.unwrap());
    assert!(!db.delete_agent(agent.id).await.unwrap());
    assert!(db.load(conversation).await.unwrap().is_none());
    assert!(db.block(new.blocks[0].id).await.unwrap().is_some(), "blocks stay");
    db.drop_database().await;
}

#[tokio::test]
async fn a_creation_that_fails_leaves_nothing() {
    let Some(db) = test_db().await else { return };
    let agent = agent();
    let blocks = vec![block("same", "1"), block("same", "2")];
    let new = new_agent(agent.clone(), blocks);
    assert!(matches!(db.create_agent(&new).await, Err(StoreError::Conflict(_))));
    assert!(!db.agent_exists(agent.id).await.unwrap());
    assert_eq!(db.count_blocks(&engram_store::blocks::BlockFilter::default()).await.unwrap(), 0);
    db.drop_database().await;
}

#[tokio::test]
async fn lists_are_filtered_and_paged_in_any_order() {
    let Some(db) = test_db().await else { return };
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.push(nth(&db, n, |a| a.tags = vec!["all".into(), format!("t{n}")]).await);
    }
    nth(&db, 9, |a| a.hidden = Some(true)).await;
    let list = async |filter: AgentFilter, sort, page| -> Vec<AgentId> {
        db.agents(&filter, sort, page).await.unwrap().into_iter().map(|a| a.id).collect()
    };
    let all = AgentFilter::default;
    let newest = Page::newest(10);
    assert_eq!(list(all(), AgentSort::Created, newest).await, [ids[3], ids[2], ids[1], ids[0]]);
    assert_eq!(list(all(), AgentSort::Updated, newest).await, ids);
    let after = Page { after: Some(ids[2].0), limit: 1, ..newest };
    assert_eq!(list(all(), AgentSort::Created, after).await, [ids[1]]);
    let before = Page { before: Some(ids[0].0), limit: 2, ..newest };
    assert_eq!(list(all(), AgentSort::Created, before).await, [ids[3], ids[2]], "the first of what precedes");
    let unknown = Page { after: Some(Uuid::new_v4()), ..newest };
    assert_eq!(list(all(), AgentSort::Created, unknown).await.len(), 4);
    assert_eq!(list(all(), AgentSort::LastRun, Page::oldest(10)).await.len(), 4);

    let tags = |tags: &[&str], match_all_tags| AgentFilter {
        tags: tags.iter().map(|t| (*t).to_owned()).collect(),
        match_all_tags,
        ..all()
    };
    assert_eq!(list(tags(&["t1", "t2"], false), AgentSort::Created, newest).await, [ids[2], ids[1]]);
    assert_eq!(list(tags(&["all", "t1"], true), AgentSort::Created, newest).await, [ids[1]]);
    let words = AgentFilter { query_text: Some("aD".into()), ..all() };
    assert_eq!(db.count_agents(&words).await.unwrap(), 4);
    let name = AgentFilter { name: Some("ad".into()), ..all() };
    assert_eq!(db.count_agents(&name).await.unwrap(), 0);

    let tags = engram_store::tags::TagFilter { limit: 2, after: Some("all".into()), ..Default::default() };
    assert_eq!(db.tags(&tags).await.unwrap(), ["t0", "t1"]);
    db.drop_database().await;
}

#[tokio::test]
async fn every_filter_is_valid_sql() {
    let Some(db) = test_db().await else { return };
    let filter = AgentFilter {
        name: Some("x".into()),
        tags: vec!["x".into()],
        match_all_tags: true,
        query_text: Some("%".into()),
        identity_id: Some(engram_domain::IdentityId(Uuid::new_v4())),
        project_id: Some("x".into()),
        template_id: Some("x".into()),
        base_template_id: Some("x".into()),
        last_stop_reason: Some(engram_domain::StopReason::EndTurn),
        block_id: Some(BlockId(Uuid::new_v4())),
        archive_id: Some(engram_domain::ArchiveId(Uuid::new_v4())),
    };
    assert_eq!(db.count_agents(&filter).await.unwrap(), 0);
    assert!(db.agents(&filter, AgentSort::LastRun, Page::newest(1)).await.unwrap().is_empty());
    db.drop_database().await;
}

#[tokio::test]
async fn a_change_replaces_what_it_names_and_bumps_the_revision() {
    let Some(db) = test_db().await else { return };
    let human = block("human", "h");
    let before = store_agent(&db, vec![human.clone()]).await;
    let other: Block = block("other", "o");
    db.create_block(&other).await.unwrap();
    let tools = db.ensure_builtin_tools(at(0), &RandomIds).await.unwrap();
    let patch = AgentPatch {
        name: Some("Eve".into()),
        description: Some(Some("d".into())),
        env: Some(vec![variable("K", "1")]),
        tool_ids: Some(vec![tools[1].id]),
        block_ids: Some(vec![other.id, human.id]),
        last_run_duration_ms: Some(7),
        ..AgentPatch::default()
    };
    assert!(db.modify_agent(before.id, &patch, at(9)).await.unwrap());
    let after = db.agent(before.id).await.unwrap().unwrap();
    assert_eq!((after.name.as_str(), after.description.as_deref()), ("Eve", Some("d")));
    assert_eq!((after.rev, after.updated_at, after.last_run_duration_ms), (2, at(9), Some(7)));
    assert_eq!(after.system, before.system);
    let relations = db.relations(&[before.id], Wanted::default()).await.unwrap().remove(&before.id).unwrap();
    assert_eq!(relations.blocks.iter().map(|b| b.id).collect::<Vec<_>>(), [other.id, human.id]);
    assert_eq!(relations.tools.len(), 1);

    let env_id = after.env[0].id;
    let env = AgentPatch { env: Some(vec![variable("K", "2"), variable("L", "3")]), ..AgentPatch::default() };
    db.modify_agent(before.id, &env, at(10)).await.unwrap();
    let env = db.agent(before.id).await.unwrap().unwrap().env;
    assert_eq!((env[0].id, env[0].value.as_str(), env.len()), (env_id, "2", 2));

    let missing =
        AgentPatch { name: Some("X".into()), block_ids: Some(vec![BlockId(Uuid::new_v4())]), ..AgentPatch::default() };
    assert!(matches!(db.modify_agent(before.id, &missing, at(11)).await, Err(StoreError::Invalid(_))));
    assert_eq!(db.agent(before.id).await.unwrap().unwrap().name, "Eve");
    assert!(!db.modify_agent(AgentId(Uuid::new_v4()), &AgentPatch::default(), at(12)).await.unwrap());
    db.drop_database().await;
}

#[tokio::test]
async fn message_ids_are_those_of_the_context_that_is_loaded() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let conversation = agent.id.default_conversation();
    let fence = claim(&db, conversation).await;
    db.system.commit(fence, &appending(agent.id, conversation, 1, &["a", "b", "c"])).await.unwrap();
    let mut compaction = appending(agent.id, conversation, 4, &["the summary"]);
    compaction.context = Some(ContextMark { summary_message_id: Some(compaction.append[0].id), context_from: 3 });
    db.system.commit(fence, &compaction).await.unwrap();
    let loaded = db.load(conversation).await.unwrap().unwrap();
    let relations = db.relations(&[agent.id], Wanted::default()).await.unwrap().remove(&agent.id).unwrap();
    assert_eq!(relations.message_ids, loaded.context.iter().map(|m| m.id).collect::<Vec<_>>());
    assert_eq!(relations.message_ids.len(), 3);
    db.drop_database().await;
}

#[tokio::test]
async fn attaching_and_detaching_say_what_is_missing() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![block("human", "h")]).await;
    let other = block("other", "o");
    let clash = block("human", "another");
    for block in [&other, &clash] {
        db.create_block(block).await.unwrap();
    }
    let nobody = AgentId(Uuid::new_v4());
    assert_eq!(db.attach_block(nobody, other.id, at(1)).await.unwrap(), Attached::NoAgent);
    assert_eq!(db.attach_block(agent.id, BlockId(Uuid::new_v4()), at(1)).await.unwrap(), Attached::NoItem);
    assert_eq!(rev(&db, agent.id).await, 1, "nothing happened yet");
    assert_eq!(db.attach_block(agent.id, other.id, at(1)).await.unwrap(), Attached::Done);
    assert_eq!(rev(&db, agent.id).await, 2);
    assert_eq!(db.attach_block(agent.id, other.id, at(1)).await.unwrap(), Attached::Done, "idempotent");
    assert!(matches!(db.attach_block(agent.id, clash.id, at(1)).await, Err(StoreError::Conflict(_))));
    assert_eq!(db.block_of_agent(agent.id, "other").await.unwrap().unwrap().id, other.id);
    assert_eq!(db.detach_block(agent.id, other.id, at(1)).await.unwrap(), Attached::Done);
    assert_eq!(db.detach_block(agent.id, other.id, at(1)).await.unwrap(), Attached::NoItem);

    let tools = db.ensure_builtin_tools(at(0), &RandomIds).await.unwrap();
    assert_eq!(db.attach_tool(agent.id, tools[0].id, at(1)).await.unwrap(), Attached::Done);
    assert_eq!(db.detach_tool(agent.id, tools[0].id, at(1)).await.unwrap(), Attached::Done);
    let rule = ToolRule::new("x", RuleKind::RequiresApproval);
    db.modify_rules(agent.id, at(1), |rules| rules.push(rule)).await.unwrap().unwrap();
    assert_eq!(db.agent(agent.id).await.unwrap().unwrap().tool_rules.len(), 1);
    assert!(db.modify_rules(nobody, at(1), |_| ()).await.unwrap().is_none());
    db.drop_database().await;
}

#[tokio::test]
async fn messages_leave_the_context_with_the_other_changes_or_nothing_happens() {
    let Some(db) = test_db().await else { return };
    let id = store_agent(&db, vec![]).await.id;
    let conversation = id.default_conversation();
    let fence = claim(&db, conversation).await;
    let said = appending(id, conversation, 1, &["one", "two", "three"]);
    assert!(matches!(db.system.commit(fence, &said).await.unwrap(), CommitOutcome::Done { .. }));
    let renamed = AgentPatch { name: Some("Bob".into()), ..AgentPatch::default() };
    let name = async || db.agent(id).await.unwrap().unwrap().name;
    let context = db.context(id).await.unwrap().unwrap();
    assert_eq!(texts(context.messages.iter().map(|m| &**m)).len(), 4);
    let mark = ContextMark { summary_message_id: None, context_from: 3 };
    let cut = ContextCut { version: context.version, mark };

    let run = new_run(id, conversation, 5);
    accept(&db, &run).await;
    let busy = db.change_agent(id, &renamed, None, Some(&cut), at(6)).await.unwrap_err();
    assert!(matches!(&busy, StoreError::Conflict(text) if text.contains("busy")), "{busy}");
    assert_eq!(name().await, "Ada");
    assert!(db.delete_run(run.id).await.unwrap());

    let stale = ContextCut { version: cut.version - 1, ..cut };
    let changed = db.change_agent(id, &renamed, None, Some(&stale), at(6)).await.unwrap_err();
    assert!(matches!(&changed, StoreError::Conflict(text) if text.contains("changed")), "{changed}");
    assert_eq!(name().await, "Ada");
    let nothing = AgentPatch { block_ids: Some(vec![BlockId(Uuid::new_v4())]), ..renamed.clone() };
    db.change_agent(id, &nothing, None, Some(&cut), at(6)).await.unwrap_err();
    assert!(db.system.holds(fence).await.unwrap(), "a change that fails takes the conversation from nobody");

    assert!(db.change_agent(id, &renamed, None, Some(&cut), at(7)).await.unwrap());
    assert_eq!(name().await, "Bob");
    let left = db.context(id).await.unwrap().unwrap();
    assert_eq!(texts(left.messages.iter().skip(1).map(|m| &**m)), ["three"]);
    let late = appending(id, conversation, 4, &["four"]);
    assert_eq!(db.system.commit(fence, &late).await.unwrap(), CommitOutcome::Fenced, "it knew the old context");
    assert!(db.context(AgentId(Uuid::new_v4())).await.unwrap().is_none());
    db.drop_database().await;
}
