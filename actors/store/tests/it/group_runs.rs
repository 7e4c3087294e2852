//! Runs whose owner is a group: accepted as every run, driven by one node at a time.

use engram_core::ports::{
    AcceptRuns, Accepted, Commits, Leases, LoggedEvent, NewRun, Owner, RunLog, Runs,
    store::{GroupFence, GroupRunEnd, GroupRuns, RunUpdate},
};
use engram_core::step::RunError;
use engram_domain::{
    Agent, AgentId, BusyPolicy, GroupId, ManagerConfig, NodeId, RequestKey, Role, Run, RunErrorKind, RunId, RunStatus,
    StopReason, Usage,
};
use engram_store::{Page, runs::RunFilter, steps::StepFilter};
use serde_json::json;
use uuid::Uuid;

use crate::support::*;

/// A group of these agents.
async fn stored_group(db: &Db, agents: &[&Agent], manager: ManagerConfig) -> GroupId {
    let group = group(manager, &agents.iter().map(|agent| agent.id).collect::<Vec<_>>());
    db.create_group(&group).await.unwrap();
    group.id
}

fn in_turns() -> ManagerConfig {
    ManagerConfig::RoundRobin { max_turns: None }
}

fn said_to(group: GroupId, seconds: i64) -> NewRun {
    let agent = AgentId(Uuid::nil());
    NewRun { agent_id: None, owner: group.into(), ..new_run(agent, agent.default_conversation(), seconds) }
}

/// A turn of a run.
fn turn_of(run: &NewRun, agent: &Agent, seconds: i64) -> NewRun {
    NewRun { parent: Some(run.id), ..new_run(agent.id, agent.id.default_conversation(), seconds) }
}

fn event(seq: i64) -> LoggedEvent {
    LoggedEvent { seq, event: json!({"n": seq}) }
}

fn ends(run: RunId, stop_reason: StopReason) -> GroupRunEnd {
    let error = (stop_reason == StopReason::Error).then(|| RunError::new(RunErrorKind::LlmTimeout, "too slow"));
    GroupRunEnd { run, stop_reason, error, event: json!("end") }
}

async fn claim(db: &Db, group: GroupId, node: NodeId) -> GroupFence {
    db.system.claim_group(group, node).await.unwrap().expect("nobody has it")
}

async fn run(db: &Db, id: RunId) -> Run {
    db.run(id).await.unwrap().expect("a run")
}

#[tokio::test]
async fn a_message_is_accepted_as_a_run_is() {
    let Some(db) = test_db().await else { return };
    let (ada, bob) = (store_agent(&db, vec![]).await, store_agent(&db, vec![]).await);
    let (club, other) = (stored_group(&db, &[&ada, &bob], in_turns()).await, stored_group(&db, &[], in_turns()).await);
    let accept = async |run: &NewRun| db.system.accept_run(run, node()).await.unwrap();
    let keyed = |group, key: &str| NewRun { keys: vec![RequestKey::otid(key)], ..said_to(group, 1) };
    let first = keyed(club, "a");
    assert!(matches!(accept(&first).await, Accepted::Stored { owner: None, policy: BusyPolicy::Queue, .. }));
    assert!(matches!(accept(&keyed(club, "a")).await, Accepted::Known(known) if known.id == first.id));
    assert!(matches!(accept(&keyed(other, "a")).await, Accepted::Stored { .. }), "a key is a group's own");
    let impatient = NewRun { busy_policy: Some(BusyPolicy::Reject), ..said_to(club, 2) };
    assert_eq!(accept(&impatient).await, Accepted::Busy(first.id));
    assert_eq!(accept(&NewRun { max_queue: 1, ..said_to(club, 2) }).await, Accepted::Full);
    assert_eq!(accept(&said_to(GroupId(Uuid::new_v4()), 2)).await, Accepted::NotFound);
    let interrupting = NewRun { busy_policy: Some(BusyPolicy::Interrupt), ..said_to(club, 3) };
    assert!(matches!(accept(&interrupting).await, Accepted::Stored { policy: BusyPolicy::Interrupt, .. }));
    assert_eq!(db.system.open_runs(club.into()).await.unwrap(), [first.id, interrupting.id]);

    let kept = run(&db, first.id).await;
    assert_eq!((kept.owner, kept.agent_id, kept.parent), (club.into(), Some(ada.id), None));
    assert_eq!(kept, Run { agent_id: Some(ada.id), ..first.clone().into_run(false) });
    let listed = async |filter: RunFilter| {
        db.runs(&filter, Page::oldest(9)).await.unwrap().iter().map(|run| run.id).collect::<Vec<_>>()
    };
    let of_group = RunFilter { owner: Some(club.into()), ..RunFilter::default() };
    assert_eq!(listed(of_group).await, [first.id, interrupting.id]);
    let of_agent = RunFilter { agent_ids: vec![ada.id], ..RunFilter::default() };
    assert!(listed(of_agent).await.is_empty(), "it is none of an agent's own conversation");
    // Nothing of it is a conversation's.
    assert!(db.system.orphaned(node(), 9).await.unwrap().is_empty());
    db.drop_database().await;
}

#[tokio::test]
async fn one_node_drives_a_group() {
    let Some(db) = test_db().await else { return };
    let ada = store_agent(&db, vec![]).await;
    let club = stored_group(&db, &[&ada], in_turns()).await;
    let (a, b) = (node(), node());
    for (node, url) in [(a, "a"), (b, "b")] {
        beat(&db, node, url).await;
    }
    let (first, second) = (said_to(club, 1), said_to(club, 2));
    for run in [&first, &second] {
        accept(&db, run).await;
    }
    assert_eq!(db.system.orphaned_groups(b).await.unwrap(), [club]);
    assert_eq!(db.system.owner(club.into(), b).await.unwrap(), Owner::Nobody);
    let fence = claim(&db, club, a).await;
    assert_eq!(db.system.claim_group(club, b).await.unwrap(), None);
    assert!(db.system.orphaned_groups(b).await.unwrap().is_empty());
    assert_eq!(db.system.orphaned_groups(a).await.unwrap(), [club], "its own, for whom no driver is");
    assert!(matches!(db.system.owner(club.into(), b).await.unwrap(), Owner::Peer(peer) if peer.id == a));
    let Accepted::Stored { owner: Some(peer), .. } = db.system.accept_run(&said_to(club, 3), b).await.unwrap() else {
        panic!("it is stored, and its owner is named")
    };
    assert_eq!(peer.id, a);

    let task = db.system.begin_group_run(fence, at(4)).await.unwrap().unwrap();
    assert_eq!(task.run.id, first.id);
    assert!(db.system.advance_group_run(fence, first.id, &[event(1)], at(5)).await.unwrap());
    // The node is gone; what it still writes is refused.
    sqlx::query("UPDATE nodes SET seen_at = now() - interval '1 minute' WHERE id = $1")
        .bind(a.0)
        .execute(&mut db.raw().await)
        .await
        .unwrap();
    let newer = claim(&db, club, b).await;
    assert!(!db.system.advance_group_run(fence, first.id, &[event(2)], at(6)).await.unwrap());
    let end = ends(first.id, StopReason::EndTurn);
    assert_eq!(db.system.end_group_run(club, Some(fence), &end, at(6)).await.unwrap(), None);
    assert!(db.system.begin_group_run(fence, at(6)).await.unwrap().is_none());
    db.system.release_group(fence).await.unwrap();
    assert!(matches!(db.system.owner(club.into(), b).await.unwrap(), Owner::Me));
    // It goes on with what was begun.
    assert_eq!(db.system.begin_group_run(newer, at(7)).await.unwrap().unwrap().run.id, first.id);
    let ended = db.system.end_group_run(club, Some(newer), &end, at(8)).await.unwrap().unwrap();
    assert_eq!(ended.number, 2);
    assert_eq!(db.system.begin_group_run(newer, at(9)).await.unwrap().unwrap().run.id, second.id);
    db.system.release_group(newer).await.unwrap();
    assert_eq!(db.system.owner(club.into(), b).await.unwrap(), Owner::Nobody);
    db.drop_database().await;
}

#[tokio::test]
async fn who_takes_part_is_settled_when_it_begins() {
    let Some(db) = test_db().await else { return };
    let (boss, ada, bob) =
        (store_agent(&db, vec![]).await, store_agent(&db, vec![]).await, store_agent(&db, vec![]).await);
    let manager = ManagerConfig::Dynamic { manager_agent_id: boss.id, termination_token: None, max_turns: None };
    let club = stored_group(&db, &[&bob, &ada], manager).await;
    let said = said_to(club, 1);
    accept(&db, &said).await;
    let fence = claim(&db, club, node()).await;
    let task = db.system.begin_group_run(fence, at(2)).await.unwrap().unwrap();
    let names: Vec<_> = task.members.iter().map(|member| (member.id, member.name.clone())).collect();
    assert_eq!(names, [(bob.id, "Ada".into()), (ada.id, format!("Ada ({})", ada.id))], "all are called Ada");
    assert_eq!(task.manager.as_ref().map(|manager| manager.id), Some(boss.id));
    db.delete_agent(ada.id).await.unwrap();
    let again = db.system.begin_group_run(claim(&db, club, node()).await, at(3)).await;
    assert!(again.unwrap().is_some_and(|again| again.members == task.members));
    assert_eq!(run(&db, said.id).await.agent_id, Some(boss.id));
    db.drop_database().await;
}

#[tokio::test]
async fn a_run_costs_what_its_turns_cost_and_shows_what_members_say() {
    let Some(db) = test_db().await else { return };
    let (boss, ada, bob) =
        (store_agent(&db, vec![]).await, store_agent(&db, vec![]).await, store_agent(&db, vec![]).await);
    let manager = ManagerConfig::Dynamic { manager_agent_id: boss.id, termination_token: None, max_turns: None };
    let club = stored_group(&db, &[&ada, &bob], manager).await;
    let said = said_to(club, 1);
    accept(&db, &said).await;
    let fence = claim(&db, club, node()).await;
    db.system.begin_group_run(fence, at(2)).await.unwrap().unwrap();
    for (seconds, agent) in [(3, &boss), (4, &ada), (5, &bob)] {
        let turn = turn_of(&said, agent, seconds);
        accept(&db, &turn).await;
        let open = db.system.turns(said.id).await.unwrap();
        assert_eq!(open.last().map(|turn| (turn.id, turn.open)), Some((turn.id, true)));
        let conversation = agent.id.default_conversation();
        let fence = db.system.claim(conversation, node()).await.unwrap().unwrap();
        let mut commit = appending(agent.id, conversation, 1, &["told", "answered"]);
        for (n, role) in [Role::User, Role::Assistant].into_iter().enumerate() {
            let message = std::sync::Arc::make_mut(&mut commit.append[n]);
            (message.role, message.run_id) = (role, Some(turn.id));
        }
        commit.step = Some(Box::new(step(&turn, seconds)));
        commit.run = Some(RunUpdate {
            id: turn.id,
            status: RunStatus::Completed,
            stop_reason: Some(StopReason::EndTurn),
            error: None,
            error_kind: None,
            attempts: 0,
            step_count: 1,
            usage: Usage { prompt_tokens: 10, completion_tokens: 5, ..Usage::default() },
            ttft_ns: None,
        });
        db.system.commit(fence, &commit).await.unwrap();
    }
    assert!(db.system.turns(said.id).await.unwrap().iter().all(|turn| !turn.open));
    assert!(db.system.advance_group_run(fence, said.id, &[event(1)], at(6)).await.unwrap());
    let so_far = run(&db, said.id).await;
    assert_eq!((so_far.step_count, so_far.usage.prompt_tokens, so_far.usage.completion_tokens), (3, 30, 15));
    let steps = StepFilter { run_id: Some(said.id), ..StepFilter::default() };
    assert_eq!(db.steps(&steps, Page::oldest(9)).await.unwrap().len(), 3);
    let speakers = async |page| {
        let page = db.run_messages(said.id, page).await.unwrap().unwrap();
        page.iter().map(|message| message.agent_id).collect::<Vec<_>>()
    };
    assert_eq!(speakers(Page::oldest(9)).await, [ada.id, bob.id], "not the manager, and not what they are told");
    assert_eq!(speakers(Page::newest(1)).await, [bob.id]);
    let all = db.system.messages_of(said.id).await.unwrap();
    assert_eq!(all[1].name.as_deref(), Some(&*format!("Ada ({})", bob.id)));
    assert_eq!(speakers(Page { after: Some(all[0].id.0), ..Page::oldest(9) }).await, [bob.id]);
    assert_eq!(speakers(Page { before: Some(all[1].id.0), ..Page::oldest(9) }).await, [ada.id]);
    assert!(db.run_messages(said.id, Page { after: Some(Uuid::new_v4()), ..Page::oldest(9) }).await.is_err());

    // Whoever cancels it needs no fence, and is the last to write.
    let failed = ends(said.id, StopReason::Error);
    let ended = db.system.end_group_run(club, None, &failed, at(7)).await.unwrap().unwrap();
    assert_eq!((ended.number, ended.manager), (2, Some(boss.id)));
    assert_eq!(db.system.end_group_run(club, None, &failed, at(8)).await.unwrap(), None);
    assert!(!db.system.advance_group_run(fence, said.id, &[event(3)], at(8)).await.unwrap());
    let over = run(&db, said.id).await;
    assert_eq!((over.status, over.completed_at, over.usage), (RunStatus::Failed, Some(at(7)), so_far.usage));
    assert_eq!((over.error.as_deref(), over.error_kind), (Some("too slow"), Some(RunErrorKind::LlmTimeout)));
    assert_eq!(db.system.events(said.id, 0, 9).await.unwrap().len(), 2);
    db.forget_group_runs(club).await.unwrap();
    assert!(db.run(said.id).await.unwrap().is_none());
    assert_eq!(db.system.turns(said.id).await.unwrap().len(), 3, "what its agents did is theirs");
    db.drop_database().await;
}
