//! Groups: who is in them, what they share, and what goes with what.

use engram_domain::{
    Agent, AgentId, AgentType, Block, Group, GroupId, ManagerConfig, ManagerType, MessageId, group::SleepTriggers,
};
use engram_store::{
    Page, StoreError,
    agents::Wanted,
    groups::{GroupFilter, GroupPatch},
};
use uuid::Uuid;

use crate::support::*;

fn ids(agents: &[&Agent]) -> Vec<AgentId> {
    agents.iter().map(|a| a.id).collect()
}

fn round_robin(agents: &[&Agent]) -> Group {
    group(ManagerConfig::RoundRobin { max_turns: Some(3) }, &ids(agents))
}

fn sleeptime(manager: &Agent, agents: &[&Agent]) -> Group {
    group(
        ManagerConfig::Sleeptime { manager_agent_id: manager.id, frequency: Some(5), also: SleepTriggers::default() },
        &ids(agents),
    )
}

async fn companion(db: &Db, agent_type: AgentType) -> Agent {
    let agent = Agent { agent_type, ..agent() };
    db.create_agent(&new_agent(agent.clone(), vec![])).await.unwrap();
    agent
}

async fn shared(db: &Db, label: &str) -> Block {
    let b = block(label, "v");
    db.create_block(&b).await.unwrap();
    b
}

#[tokio::test]
async fn every_kind_is_read_as_it_was_stored() {
    let Some(db) = test_db().await else { return };
    let (a, b) = (store_agent(&db, vec![]).await, store_agent(&db, vec![]).await);
    let lead = a.id;
    let kinds = [
        ManagerConfig::RoundRobin { max_turns: None },
        ManagerConfig::Supervisor { manager_agent_id: lead },
        ManagerConfig::Dynamic { manager_agent_id: lead, termination_token: Some("STOP".into()), max_turns: Some(4) },
        ManagerConfig::Sleeptime { manager_agent_id: lead, frequency: None, also: SleepTriggers::default() },
        ManagerConfig::VoiceSleeptime {
            manager_agent_id: lead,
            max_message_buffer_length: Some(30),
            min_message_buffer_length: Some(15),
        },
    ];
    for kind in kinds {
        let whole = Group {
            // Neither the order of ids nor that of creation.
            agent_ids: vec![b.id, a.id],
            last_processed_message_id: Some(MessageId(Uuid::new_v4())),
            turns_counter: Some(-1),
            project_id: Some("p".into()),
            template_id: Some("t".into()),
            base_template_id: Some("bt".into()),
            hidden: Some(false),
            ..group(kind, &[])
        };
        db.create_group(&whole).await.unwrap();
        assert_eq!(db.group(whole.id).await.unwrap(), Some(whole));
    }
    let nobody = Group { agent_ids: vec![AgentId(Uuid::new_v4())], ..round_robin(&[]) };
    let refused = db.create_group(&nobody).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Invalid(text) if text == "the agent does not exist"), "{refused}");
    assert_eq!(db.group(nobody.id).await.unwrap(), None);
    let stranger = nobody.agent_ids[0];
    assert_eq!(db.missing_agent(&[a.id, stranger, b.id]).await.unwrap(), Some(stranger));
    assert_eq!(db.missing_agent(&[b.id, a.id]).await.unwrap(), None);
    db.drop_database().await;
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let Some(db) = test_db().await else { return };
    let (a, b) = (store_agent(&db, vec![]).await, store_agent(&db, vec![]).await);
    let first = Group { project_id: Some("p".into()), ..round_robin(&[&a, &b]) };
    let second = Group { created_at: at(2), ..group(ManagerConfig::Supervisor { manager_agent_id: a.id }, &[b.id]) };
    let third = Group { created_at: at(3), hidden: Some(true), ..round_robin(&[&b]) };
    for g in [&first, &second, &third] {
        db.create_group(g).await.unwrap();
    }
    let ids = async |f: GroupFilter, page| {
        assert_eq!(db.count_groups(&f).await.unwrap(), db.groups(&f, Page::oldest(9)).await.unwrap().len() as i64);
        db.groups(&f, page).await.unwrap().into_iter().map(|g| g.id).collect::<Vec<_>>()
    };
    let all = GroupFilter::default;
    assert_eq!(ids(all(), Page::oldest(9)).await, [first.id, second.id]);
    assert_eq!(ids(all(), Page { after: Some(first.id.0), ..Page::oldest(9) }).await, [second.id]);
    assert_eq!(ids(GroupFilter { show_hidden: true, ..all() }, Page::newest(2)).await, [third.id, second.id]);
    let led = GroupFilter { manager_type: Some(ManagerType::Supervisor), ..all() };
    assert_eq!(ids(led, Page::oldest(9)).await, [second.id]);
    assert_eq!(ids(GroupFilter { project_id: Some("p".into()), ..all() }, Page::oldest(9)).await, [first.id]);
    let of = |agent| GroupFilter { agent_id: Some(agent), ..all() };
    assert_eq!(ids(of(a.id), Page::newest(9)).await, [second.id, first.id], "as manager and as member");
    db.drop_database().await;
}

#[tokio::test]
async fn shared_blocks_go_to_every_agent_and_are_taken_from_every_agent() {
    let Some(db) = test_db().await else { return };
    let [lead, one, two] = [
        store_agent(&db, vec![block("human", "h")]).await,
        store_agent(&db, vec![block("human", "h")]).await,
        store_agent(&db, vec![]).await,
    ];
    let (goal, rules) = (shared(&db, "goal").await, shared(&db, "rules").await);
    let kind = ManagerConfig::Supervisor { manager_agent_id: lead.id };
    let g = Group { shared_block_ids: vec![rules.id], ..group(kind, &[one.id]) };
    db.create_group(&g).await.unwrap();
    assert_eq!(labels(&db, lead.id).await, ["human", "rules"]);
    let rev = db.agent(one.id).await.unwrap().unwrap().rev;
    let add = GroupPatch { add_block: Some(goal.id), ..GroupPatch::default() };
    let after = db.modify_group(g.id, &add, at(5)).await.unwrap().unwrap();
    assert_eq!(after.shared_block_ids, [rules.id, goal.id]);
    assert_eq!(labels(&db, one.id).await, ["human", "rules", "goal"]);
    assert!(db.agent(one.id).await.unwrap().unwrap().rev > rev, "a live agent must notice");

    // Who comes gets them, who goes keeps them.
    let swap = GroupPatch { agent_ids: Some(vec![two.id]), ..GroupPatch::default() };
    db.modify_group(g.id, &swap, at(6)).await.unwrap();
    assert_eq!(labels(&db, two.id).await, ["rules", "goal"]);
    assert_eq!(labels(&db, one.id).await, ["human", "rules", "goal"]);
    let remove = GroupPatch { remove_block: Some(rules.id), ..GroupPatch::default() };
    db.modify_group(g.id, &remove, at(7)).await.unwrap();
    assert_eq!(labels(&db, two.id).await, ["goal"]);
    assert_eq!(labels(&db, lead.id).await, ["human", "goal"]);
    assert_eq!(labels(&db, one.id).await, ["human", "rules", "goal"]);

    let clash = shared(&db, "human").await;
    let set = GroupPatch { shared_block_ids: Some(vec![goal.id, clash.id]), ..GroupPatch::default() };
    let refused = db.modify_group(g.id, &set, at(8)).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Conflict(t) if t.contains(&lead.id.to_string())), "{refused}");
    assert_eq!(db.group(g.id).await.unwrap().unwrap().shared_block_ids, [goal.id], "all or nothing");
    db.delete_block(goal.id).await.unwrap();
    assert!(db.group(g.id).await.unwrap().unwrap().shared_block_ids.is_empty());
    db.drop_database().await;
}

#[tokio::test]
async fn a_change_keeps_what_it_does_not_name() {
    let Some(db) = test_db().await else { return };
    let (a, b) = (store_agent(&db, vec![]).await, store_agent(&db, vec![]).await);
    let g = group(
        ManagerConfig::Sleeptime { manager_agent_id: a.id, frequency: None, also: SleepTriggers::default() },
        &[b.id],
    );
    db.create_group(&g).await.unwrap();
    assert_eq!(g.turns_counter, None);
    let often = ManagerConfig::Sleeptime { manager_agent_id: a.id, frequency: Some(2), also: SleepTriggers::default() };
    let patch = GroupPatch { manager: Some(often.clone()), hidden: Some(true), ..GroupPatch::default() };
    let changed = db.modify_group(g.id, &patch, at(9)).await.unwrap().unwrap();
    let expected =
        Group { manager: often, hidden: Some(true), turns_counter: Some(-1), updated_at: at(9), ..g.clone() };
    assert_eq!(changed, expected, "counting begins");
    assert_eq!(db.group(g.id).await.unwrap(), Some(expected.clone()));
    assert_eq!(db.modify_group(g.id, &patch, at(10)).await.unwrap(), Some(expected), "nothing changed");
    let words = GroupPatch { description: Some("d".into()), project_id: Some("p".into()), ..GroupPatch::default() };
    let changed = db.modify_group(g.id, &words, at(11)).await.unwrap().unwrap();
    assert_eq!((changed.description.as_str(), changed.project_id.as_deref()), ("d", Some("p")));
    assert_eq!(db.modify_group(GroupId(Uuid::new_v4()), &words, at(11)).await.unwrap(), None);
    assert!(db.delete_group(g.id).await.unwrap());
    assert!(!db.delete_group(g.id).await.unwrap());
    db.drop_database().await;
}

#[tokio::test]
async fn an_agent_shows_the_group_that_it_manages() {
    let Some(db) = test_db().await else { return };
    let (a, b) = (store_agent(&db, vec![]).await, store_agent(&db, vec![]).await);
    let managed = async || {
        let mut found = db.relations(&[a.id, b.id], Wanted::default()).await.unwrap();
        (found.remove(&a.id).unwrap().group.map(|g| g.id), found.remove(&b.id).unwrap().group.map(|g| g.id))
    };
    assert_eq!(managed().await, (None, None));
    let supervisor = |seconds| Group {
        created_at: at(seconds),
        ..group(ManagerConfig::Supervisor { manager_agent_id: a.id }, &[b.id])
    };
    let (old, new) = (supervisor(1), supervisor(2));
    db.create_group(&old).await.unwrap();
    db.create_group(&new).await.unwrap();
    assert_eq!(managed().await, (Some(new.id), None), "a member manages nothing");
    let background = sleeptime(&a, &[&b]);
    db.create_group(&background).await.unwrap();
    assert_eq!(managed().await, (Some(background.id), None));
    db.drop_database().await;
}

#[tokio::test]
async fn what_goes_with_an_agent() {
    let Some(db) = test_db().await else { return };
    let (main, plain) = (store_agent(&db, vec![]).await, store_agent(&db, vec![]).await);
    let own = companion(&db, AgentType::SleeptimeAgent).await;
    let busy = companion(&db, AgentType::VoiceSleeptimeAgent).await;
    let background = sleeptime(&main, &[&own, &busy, &plain]);
    let other = round_robin(&[&busy, &main]);
    db.create_group(&background).await.unwrap();
    db.create_group(&other).await.unwrap();
    assert!(db.delete_agent(main.id).await.unwrap());
    assert_eq!(db.group(background.id).await.unwrap(), None, "a group goes with its manager");
    assert_eq!(db.group(other.id).await.unwrap().unwrap().agent_ids, [busy.id], "a member leaves");
    assert!(!db.agent_exists(own.id).await.unwrap(), "a companion of nobody else goes too");
    assert!(db.agent_exists(busy.id).await.unwrap(), "one that works elsewhere stays");
    assert!(db.agent_exists(plain.id).await.unwrap(), "one that is no companion stays");
    assert!(!db.delete_agent(main.id).await.unwrap());
    db.drop_database().await;
}
