//! Agents that work passages into a block and are gone when they have.

use engram_core::ports::EphemeralAgents;
use engram_domain::{BlockId, Time};
use engram_store::agents::{NewAgent, NewEphemeral, Wanted};

use super::*;

/// An agent that is to write to a block `manual`, and is told so many things.
fn reader(main: AgentId, block: &engram_domain::Block, fresh: bool, told: i64) -> NewEphemeral {
    let (agent, own) = (agent(), self::block("instructions", "read"));
    let runs = (0..told).map(|n| new_run(agent.id, agent.id.default_conversation(), n)).collect();
    let block_order = [block, &own].map(|b| (b.id, b.label.clone())).to_vec();
    let agent = NewAgent { block_order, ..new_agent(agent, vec![own]) };
    NewEphemeral { main, block: block.clone(), fresh, agent, runs }
}

async fn has(db: &Db, agent: AgentId, label: &str) -> Option<BlockId> {
    let blocks = db.relations(&[agent], Wanted::default()).await.unwrap().remove(&agent).unwrap_or_default().blocks;
    blocks.into_iter().find(|b| b.label == label).map(|b| b.id)
}

/// Every run of an agent ends so.
async fn end(db: &Db, agent: AgentId, end: StopReason) {
    let fence = claim(db, agent.default_conversation()).await;
    for run in runs(db, agent).await {
        for update in [run_start(run.id), run_end(run.id, end)] {
            let commit = Commit { now: at(100), expect_seq: 1, run: Some(update), ..Commit::default() };
            assert!(matches!(db.system.commit(fence, &commit).await.unwrap(), CommitOutcome::Done { .. }));
        }
    }
}

async fn sweep(db: &Db, now: Time) -> u64 {
    db.system.sweep_ephemeral(now, 100).await.unwrap()
}

#[tokio::test]
async fn it_comes_with_its_block_and_its_runs_and_goes_when_they_are_over() {
    let Some(db) = test_db().await else { return };
    let (main, mate) = (store_agent(&db, vec![]).await.id, companion(&db).await);
    group_of(&db, main, &[mate], 5).await;
    let manual = block("manual", "");
    let new = reader(main, &manual, true, 2);
    let (id, own) = (new.agent.agent.id, new.agent.blocks[0].id);
    assert!(db.create_ephemeral(&new, at(1)).await.unwrap());
    assert_eq!((has(&db, main, "manual").await, has(&db, id, "manual").await), (Some(manual.id), Some(manual.id)));
    assert_eq!(has(&db, main, "instructions").await, None);
    assert_eq!(runs(&db, id).await.len(), 2);
    assert_eq!(sweep(&db, at(50)).await, 0, "it has not even begun");
    end(&db, id, StopReason::EndTurn).await;
    assert_eq!((sweep(&db, at(101)).await, sweep(&db, at(101)).await), (1, 0));
    assert!(!db.agent_exists(id).await.unwrap() && db.agent_exists(mate).await.unwrap());
    assert_eq!(has(&db, main, "manual").await, Some(manual.id), "what it has written stays");
    assert_eq!(db.blocks_by_id(&[own]).await.unwrap(), [], "what was its own goes");
    db.drop_database().await;
}

#[tokio::test]
async fn of_two_that_make_the_same_block_one_looks_again() {
    let Some(db) = test_db().await else { return };
    let main = store_agent(&db, vec![]).await.id;
    let (mine, other) = (block("manual", ""), block("manual", ""));
    assert!(db.create_ephemeral(&reader(main, &mine, true, 1), at(1)).await.unwrap());
    assert!(!db.create_ephemeral(&reader(main, &other, true, 1), at(2)).await.unwrap());
    assert!(!db.create_ephemeral(&reader(main, &other, false, 1), at(2)).await.unwrap());
    assert!(db.create_ephemeral(&reader(main, &mine, false, 1), at(2)).await.unwrap(), "two may write to one block");
    assert_eq!(db.blocks_by_id(&[mine.id, other.id]).await.unwrap().len(), 1);
    assert!(!db.create_ephemeral(&reader(AgentId(Uuid::new_v4()), &other, true, 1), at(2)).await.unwrap());
    db.drop_database().await;
}

#[tokio::test]
async fn one_that_failed_stays_for_an_hour_and_one_of_nobody_goes_at_once() {
    let Some(db) = test_db().await else { return };
    let main = store_agent(&db, vec![]).await.id;
    let failed = reader(main, &block("manual", ""), true, 1);
    db.create_ephemeral(&failed, at(1)).await.unwrap();
    end(&db, failed.agent.agent.id, StopReason::LlmApiError).await;
    assert_eq!((sweep(&db, at(3_699)).await, sweep(&db, at(3_701)).await), (0, 1));
    let busy = reader(main, &block("other", ""), true, 1);
    db.create_ephemeral(&busy, at(1)).await.unwrap();
    db.delete_agent(main).await.unwrap();
    assert_eq!(sweep(&db, at(2)).await, 1);
    assert!(!db.agent_exists(busy.agent.agent.id).await.unwrap());
    db.drop_database().await;
}
