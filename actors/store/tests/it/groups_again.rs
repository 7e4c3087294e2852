//! Groups that have something in common, and changes that get in each other's way.

use std::time::Duration;

use engram_core::ports::SleepTime;
use engram_domain::{Agent, AgentId, Block, Group, GroupId, ManagerConfig, group::SleepTriggers};
use engram_store::{
    Page,
    groups::{GroupFilter, GroupPatch},
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::support::*;

fn sharing(manager: ManagerConfig, agents: &[&Agent], blocks: &[&Block]) -> Group {
    let agents: Vec<AgentId> = agents.iter().map(|a| a.id).collect();
    Group { shared_block_ids: blocks.iter().map(|b| b.id).collect(), ..group(manager, &agents) }
}

const TURNS: ManagerConfig = ManagerConfig::RoundRobin { max_turns: None };

#[tokio::test]
async fn a_block_goes_with_the_last_group_that_shares_it() {
    let Some(db) = test_db().await else { return };
    let [lead, both, one] =
        [store_agent(&db, vec![]).await, store_agent(&db, vec![]).await, store_agent(&db, vec![]).await];
    let goal = block("goal", "v");
    db.create_block(&goal).await.unwrap();
    let first = sharing(TURNS, &[&lead, &both, &one], &[&goal]);
    // Neither its agents nor its block concern the agent that is in the first group only.
    let second = sharing(ManagerConfig::Supervisor { manager_agent_id: lead.id }, &[&both], &[&goal]);
    for g in [&first, &second] {
        db.create_group(g).await.unwrap();
    }
    let remove = GroupPatch { remove_block: Some(goal.id), ..GroupPatch::default() };
    db.modify_group(first.id, &remove, at(2)).await.unwrap().unwrap();
    assert_eq!(labels(&db, one.id).await, [""; 0]);
    assert_eq!((labels(&db, both.id).await, labels(&db, lead.id).await), (vec!["goal".into()], vec!["goal".into()]));
    db.modify_group(second.id, &remove, at(3)).await.unwrap().unwrap();
    assert_eq!(labels(&db, both.id).await, [""; 0]);
    assert_eq!(labels(&db, lead.id).await, [""; 0]);
    db.drop_database().await;
}

/// Somebody holds `first` and, when the change waits for that, wants `then`, which the change holds. The change has waited
/// for longer, so it is the one that the database breaks off.
async fn in_the_way<T>(mut raw: PgConnection, [first, then]: [String; 2], change: impl Future<Output = T>) -> T {
    sqlx::raw_sql(AssertSqlSafe(format!("BEGIN; {first}"))).execute(&mut raw).await.unwrap();
    let other = async {
        let waits = "SELECT EXISTS (SELECT FROM pg_locks
                                    WHERE NOT granted AND pg_blocking_pids(pid) @> ARRAY[pg_backend_pid()])";
        while !sqlx::query_scalar::<_, bool>(waits).fetch_one(&mut raw).await.unwrap() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        sqlx::raw_sql(AssertSqlSafe(format!("{then}; COMMIT"))).execute(&mut raw).await.unwrap();
    };
    tokio::join!(change, other).0
}

#[tokio::test]
async fn of_two_that_wait_for_each_other_the_one_that_is_broken_off_comes_again() {
    let Some(db) = test_db().await else { return };
    let row = |table: &str, id: Uuid| format!("SELECT FROM {table} WHERE id = '{id}' FOR UPDATE");
    let world = async || {
        let lead = store_agent(&db, vec![]).await;
        let g = sharing(ManagerConfig::Supervisor { manager_agent_id: lead.id }, &[], &[]);
        db.create_group(&g).await.unwrap();
        (lead.id, g.id)
    };
    let (one, two, three) = (world().await, world().await, world().await);
    let goal = block("goal", "v");
    db.create_block(&goal).await.unwrap();
    let add = GroupPatch { add_block: Some(goal.id), ..GroupPatch::default() };
    let agent_first = |(agent, g): (AgentId, GroupId)| [row("agents", agent.0), row("groups", g.0)];
    let group_first = |(agent, g): (AgentId, GroupId)| [row("groups", g.0), row("agents", agent.0)];
    let (changed, group_gone, agent_gone) = tokio::join!(
        in_the_way(db.raw().await, agent_first(one), db.modify_group(one.1, &add, at(2))),
        in_the_way(db.raw().await, group_first(two), db.delete_group(two.1)),
        in_the_way(db.raw().await, group_first(three), db.delete_agent(three.0)),
    );
    assert_eq!(changed.unwrap().unwrap().shared_block_ids, [goal.id]);
    assert!(group_gone.unwrap() && agent_gone.unwrap());
    assert_eq!(labels(&db, one.0).await, ["goal"]);
    assert_eq!((db.group(two.1).await.unwrap(), db.group(three.1).await.unwrap()), (None, None));
    db.drop_database().await;
}

/// Groups that were looked at, as the database counts when all its connections are closed.
async fn looked_at(raw: &mut PgConnection) -> i64 {
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
                  AND backend_type = 'client backend'";
    while sqlx::query_scalar::<_, i64>(others).fetch_one(&mut *raw).await.unwrap() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    rows_read(raw).await
}

async fn rows_read(raw: &mut PgConnection) -> i64 {
    let rows = "SELECT sum(seq_tup_read + idx_tup_fetch)::bigint FROM pg_stat_user_tables
                WHERE relname IN ('groups', 'group_sleep')";
    sqlx::query_scalar(rows).fetch_one(raw).await.unwrap()
}

#[tokio::test]
async fn what_is_asked_often_does_not_look_at_every_group() {
    let Some(db) = test_db().await else { return };
    let [lead, mate, crowd] =
        [store_agent(&db, vec![]).await, store_agent(&db, vec![]).await, store_agent(&db, vec![]).await];
    let mut raw = db.raw().await;
    // Each with another reason to be due, and none of them is.
    let fill = "WITH crowd AS (
                    INSERT INTO groups (id, organization_id, manager_type, description, manager_agent_id, created_at,
                                        updated_at)
                    SELECT gen_random_uuid(), a.organization_id, 'sleeptime', '', a.id, $3, $3
                    FROM agents a, generate_series(1, 6000) WHERE a.id = $1 RETURNING id
                )
                INSERT INTO group_sleep (group_id, manager_type, manager_agent_id, sleeptime_agent_frequency,
                                         turns_counter, turns_worked, idle_ms, kind, every_seconds, next_sleep_at,
                                         updated_at)
                SELECT id, 'sleeptime', $1, CASE n % 3 WHEN 0 THEN 5 END, 102,
                       CASE n % 3 WHEN 1 THEN 103 ELSE 99 END, CASE n % 3 WHEN 1 THEN 1000 END,
                       CASE n % 3 WHEN 2 THEN 'interval' END, CASE n % 3 WHEN 2 THEN 60 END,
                       CASE n % 3 WHEN 2 THEN $2 END, $3 FROM (SELECT id, row_number() OVER () AS n FROM crowd) c";
    sqlx::query(fill).bind(crowd.id.0).bind(at(9_000)).bind(at(0)).execute(&mut raw).await.unwrap();
    let also = SleepTriggers::default();
    let manager = ManagerConfig::Sleeptime { manager_agent_id: lead.id, frequency: None, also };
    let g = Group { turns_counter: Some(0), created_at: at(5), ..group(manager, &[mate.id]) };
    db.create_group(&g).await.unwrap();
    sqlx::raw_sql("ANALYZE groups, group_sleep, group_agents").execute(&mut raw).await.unwrap();
    // Filling the tables has read groups too: each row of `group_sleep` refers to one.
    sqlx::raw_sql("SELECT pg_stat_force_next_flush()").execute(&mut raw).await.unwrap();
    let before = rows_read(&mut raw).await;

    let begun = db.system.begin_sleep_time(at(10), 100, &RandomIds).await.unwrap();
    assert_eq!(
        begun.iter().map(|(conversation, _)| *conversation).collect::<Vec<_>>(),
        [mate.id.default_conversation()]
    );
    let filter = GroupFilter { agent_id: Some(mate.id), ..GroupFilter::default() };
    assert_eq!(db.groups(&filter, Page::oldest(9)).await.unwrap().len(), 1);
    assert_eq!(db.active_groups(&[lead.id, mate.id], 9).await.unwrap().len(), 1);
    db.system.close().await;
    let looked_at = looked_at(&mut raw).await - before;
    assert!(looked_at < 500, "{looked_at}");
    raw.close().await.unwrap();
    db.drop_database().await;
}
