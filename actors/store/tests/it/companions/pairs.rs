//! An agent and its companion: created, shared with, and deleted together.

use engram_core::ports::{Runs, SleepTime};
use engram_domain::{Agent, AgentId, AgentType, Block, Role};
use engram_store::{
    Store, StoreError,
    agents::{Attached, NewAgent, NewCompanion, Wanted},
    groups::GroupFilter,
};

use super::*;

fn newborn(agent: Agent, blocks: Vec<Block>, shared: &[Block]) -> NewAgent {
    let prompt = message(agent.id, agent.id.default_conversation(), 0, Role::System, "the prompt");
    NewAgent {
        block_order: shared.iter().chain(&blocks).map(|b| (b.id, b.label.clone())).collect(),
        agent,
        blocks,
        tool_ids: vec![],
        messages: vec![prompt],
        prompt_meta: prompt_meta(),
    }
}

fn for_agent(main: AgentId, shared: &[Block]) -> NewCompanion {
    let agent =
        newborn(Agent { agent_type: AgentType::SleeptimeAgent, ..agent() }, vec![block("memory_persona", "")], shared);
    let group = new_group(main, &[agent.agent.id], 5);
    NewCompanion { agent, group }
}

async fn labels(db: &Store, agent: AgentId) -> Vec<String> {
    let mut found = db.relations(&[agent], Wanted::default()).await.unwrap();
    found.remove(&agent).unwrap().blocks.into_iter().map(|b| b.label).collect()
}

#[tokio::test]
async fn they_come_together_or_not_at_all() {
    let Some(db) = test_db().await else { return };
    let human = block("human", "Name: Chad");
    let main = newborn(agent(), vec![human.clone()], &[]);
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
    assert!(!db.add_companion(id, &for_agent(id, &[]), at(2)).await.unwrap(), "one is enough");

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
        let (store, id) = ((*db).clone(), main.id);
        async move { store.add_companion(id, &for_agent(id, &[]), at(2)).await.unwrap() }
    });
    let given = futures::future::join_all(rivals).await;
    assert_eq!(given.iter().filter(|given| **given).count(), 1);
    main.turns(&db, &["1", "2", "3", "4", "5"]).await;
    let begun = db.begin_sleep_time(at(9), 9, &RandomIds).await.unwrap();
    assert_eq!(begun.len(), 1);
    assert!(db.delete_agent(main.id).await.unwrap());
    assert_eq!(db.run(begun[0].1).await.unwrap(), None, "the companion's runs go with it");
    db.drop_database().await;
}
