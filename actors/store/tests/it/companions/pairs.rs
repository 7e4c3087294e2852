//! An agent and its companion: created, shared with, and deleted together.

use engram_core::ports::SleepTime;
use engram_domain::{Agent, AgentId, AgentType, Block, BlockId};
use engram_store::{
    StoreError,
    agents::{AgentPatch, Attached, CompanionChange, NewAgent, NewCompanion},
    groups::GroupFilter,
};

use uuid::Uuid;

use super::*;

fn agent_sharing(agent: Agent, blocks: Vec<Block>, shared: &[Block]) -> NewAgent {
    NewAgent {
        block_order: shared.iter().chain(&blocks).map(|b| (b.id, b.label.clone())).collect(),
        ..new_agent(agent, blocks)
    }
}

fn for_agent(main: AgentId, shared: &[Block]) -> NewCompanion {
    let agent = agent_sharing(
        Agent { agent_type: AgentType::SleeptimeAgent, ..agent() },
        vec![block("memory_persona", "")],
        shared,
    );
    let group = new_group(main, &[agent.agent.id], 5);
    NewCompanion { agent, group }
}

#[tokio::test]
async fn they_come_together_or_not_at_all() {
    let Some(db) = test_db().await else { return };
    let human = block("human", "Name: Chad");
    let main = agent_sharing(agent(), vec![human.clone()], &[]);
    let id = main.agent.id;
    let nothing = block("nowhere", "");
    let wrong = db.create_agent_with_companion(&main, &for_agent(id, &[nothing])).await.unwrap_err();
    assert!(matches!(&wrong, StoreError::Invalid(text) if text.contains("block")), "{wrong}");
    assert!(!db.agent_exists(id).await.unwrap());

    let companion = for_agent(id, std::slice::from_ref(&human));
    let mate = companion.agent.agent.id;
    db.create_agent_with_companion(&main, &companion).await.unwrap();
    assert_eq!((labels(&db, id).await, labels(&db, mate).await.len()), (vec!["human".into()], 2));
    assert!(db.has_companions(id).await.unwrap() && !db.has_companions(mate).await.unwrap());
    let second = for_agent(id, &[]);
    let add = CompanionChange::Add(Box::new(second.clone()));
    assert!(db.change_agent(id, &AgentPatch::default(), Some(&add), None, at(2)).await.unwrap());
    assert!(!db.agent_exists(second.agent.agent.id).await.unwrap(), "one is enough");

    let goal = block("goal", "Sell hats.");
    db.create_block(&goal).await.unwrap();
    let before = db.agent(mate).await.unwrap().unwrap().rev;
    assert_eq!(db.attach_block(id, goal.id, at(3)).await.unwrap(), Attached::Done);
    assert_eq!(labels(&db, mate).await, ["human", "memory_persona", "goal"]);
    assert_eq!(db.agent(mate).await.unwrap().unwrap().rev, before + 1);
    assert_eq!(db.detach_block(id, goal.id, at(4)).await.unwrap(), Attached::Done);
    assert_eq!(labels(&db, mate).await.len(), 3, "the companion keeps it");
    let other = block("memory_persona", "the agent's own");
    db.create_block(&other).await.unwrap();
    db.attach_block(id, other.id, at(5)).await.unwrap();
    assert_eq!(labels(&db, mate).await.len(), 3, "it has a block of this label");

    db.remove_companions(id).await.unwrap();
    db.remove_companions(id).await.unwrap();
    assert!(!db.agent_exists(mate).await.unwrap() && db.agent_exists(id).await.unwrap());
    assert_eq!(db.count_groups(&GroupFilter::default()).await.unwrap(), 0);
    assert_eq!(db.blocks_by_id(&[human.id, companion.agent.blocks[0].id]).await.unwrap().len(), 2);
    db.drop_database().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_requests_one_gives_the_companion() {
    let Some(db) = test_db().await else { return };
    let mut main = Main::new(&db).await;
    main.turns(&db, &["before"]).await;
    let rivals = (0..4).map(|_| {
        let (store, id, companion) = ((*db).clone(), main.id, for_agent(main.id, &[]));
        let add = CompanionChange::Add(Box::new(companion.clone()));
        async move {
            assert!(store.change_agent(id, &AgentPatch::default(), Some(&add), None, at(2)).await.unwrap());
            companion.agent.agent.id
        }
    });
    let mut given = 0;
    for companion in futures::future::join_all(rivals).await {
        given += usize::from(db.agent_exists(companion).await.unwrap());
    }
    assert_eq!(given, 1);
    main.turns(&db, &["1", "2", "3", "4", "5"]).await;
    let begun = db.system.begin_sleep_time(at(9), 9, &RandomIds).await.unwrap();
    assert_eq!(begun.len(), 1);
    assert!(db.delete_agent(main.id).await.unwrap());
    assert_eq!(db.run(begun[0].1).await.unwrap(), None, "the companion's runs go with it");
    db.drop_database().await;
}

#[tokio::test]
async fn an_agent_and_its_companions_change_together_or_not_at_all() {
    let Some(db) = test_db().await else { return };
    let main = agent_sharing(agent(), vec![], &[]);
    let id = main.agent.id;
    db.create_agent(&main).await.unwrap();
    let renamed = |name: &str| AgentPatch { name: Some(name.into()), ..AgentPatch::default() };
    let name = async || db.agent(id).await.unwrap().unwrap().name;
    let before = name().await;

    let nothing = block("nowhere", "");
    let wrong = CompanionChange::Add(Box::new(for_agent(id, &[nothing])));
    let error = db.change_agent(id, &renamed("Ada"), Some(&wrong), None, at(2)).await.unwrap_err();
    assert!(matches!(&error, StoreError::Invalid(text) if text.contains("block")), "{error}");
    assert_eq!(name().await, before, "the change went with the companion");

    let companion = for_agent(id, &[]);
    let mate = companion.agent.agent.id;
    let add = CompanionChange::Add(Box::new(companion));
    assert!(db.change_agent(id, &renamed("Ada"), Some(&add), None, at(3)).await.unwrap());
    assert!(db.agent_exists(mate).await.unwrap() && name().await == "Ada");

    let missing = AgentPatch { block_ids: Some(vec![BlockId(Uuid::new_v4())]), ..AgentPatch::default() };
    db.change_agent(id, &missing, Some(&CompanionChange::Remove), None, at(4)).await.unwrap_err();
    assert!(db.has_companions(id).await.unwrap() && db.agent_exists(mate).await.unwrap());
    assert!(db.change_agent(id, &renamed("Bob"), Some(&CompanionChange::Remove), None, at(5)).await.unwrap());
    assert!(!db.has_companions(id).await.unwrap() && !db.agent_exists(mate).await.unwrap());
    assert_eq!(name().await, "Bob");
    assert!(!db.change_agent(mate, &renamed("gone"), None, None, at(6)).await.unwrap());
    db.drop_database().await;
}
