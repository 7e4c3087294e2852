//! Companions that work when their agent is idle, and at times.

use engram_core::ports::SleepTime;
use engram_domain::{Time, schedule::When};

use super::*;

async fn group_with(
    db: &Db,
    main: AgentId,
    companion: AgentId,
    frequency: Option<i32>,
    also: SleepTriggers,
) -> GroupId {
    let mut group = new_group(main, &[companion], 1);
    group.manager = ManagerConfig::Sleeptime { manager_agent_id: main, frequency, also };
    group.turns_counter = group.manager.first_turns_counter();
    db.create_group(&group).await.unwrap();
    assert_eq!(db.group(group.id).await.unwrap().unwrap().manager, group.manager, "what is stored is what is read");
    group.id
}

fn idle(seconds: i64) -> SleepTriggers {
    SleepTriggers { idle_ms: Some(seconds * 1_000), when: None }
}

fn every(seconds: i64) -> SleepTriggers {
    SleepTriggers { idle_ms: None, when: Some(When::Interval { every_seconds: seconds }) }
}

async fn begin_at(db: &Db, now: Time) -> usize {
    db.system.begin_sleep_time(now, 100, &RandomIds).await.unwrap().len()
}

#[tokio::test]
async fn an_agent_that_has_been_idle_is_thought_about_once() {
    let Some(db) = test_db().await else { return };
    let (mut main, mate) = (Main::new(&db).await, companion(&db).await);
    let group = group_with(&db, main.id, mate, None, idle(60)).await;
    assert_eq!(begin_at(&db, at(500)).await, 0, "there is nothing to think about");
    // Run n happens at second n.
    main.turns(&db, &["one", "two"]).await;
    assert_eq!(begin_at(&db, at(61)).await, 0, "not idle for long enough");
    assert_eq!(begin_at(&db, at(62)).await, 1);
    assert_eq!(begin_at(&db, at(5_000)).await, 0, "nothing new");
    // While a turn waits or is in its middle the agent is not idle, however long that takes.
    main.turns(&db, &["three"]).await;
    let open = new_run(main.id, main.id.default_conversation(), 4);
    accept(&db, &open).await;
    assert_eq!(begin_at(&db, at(6_000)).await, 0);
    main.answer(&db, &open, "four", StopReason::LlmApiError).await;
    assert_eq!(begin_at(&db, at(6_000)).await, 1);
    main.run(&db, "five", StopReason::LlmApiError).await;
    assert_eq!(begin_at(&db, at(7_000)).await, 0, "a turn that failed is none");
    let parts =
        ["user: one | assistant: re: one | user: two | assistant: re: two", "user: three | assistant: re: three"];
    assert_eq!(told(&db, mate).await, parts);
    let sql = "SELECT key FROM run_keys WHERE key LIKE 'sleep:%' ORDER BY key";
    let keys: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut db.raw().await).await.unwrap();
    assert_eq!(keys, [format!("sleep:{group}:2"), format!("sleep:{group}:3")]);
    db.drop_database().await;
}

#[tokio::test]
async fn idleness_tells_the_rest_of_what_is_counted() {
    let Some(db) = test_db().await else { return };
    let (mut main, mate) = (Main::new(&db).await, companion(&db).await);
    group_with(&db, main.id, mate, Some(2), idle(60)).await;
    main.turns(&db, &["1", "2", "3"]).await;
    assert_eq!(begin_at(&db, at(4)).await, 1, "two turns are two turns");
    assert_eq!(begin_at(&db, at(100)).await, 1);
    main.runs = 200;
    main.turns(&db, &["4"]).await;
    assert_eq!(begin_at(&db, at(202)).await, 0, "the count begins anew");
    main.turns(&db, &["5"]).await;
    assert_eq!(begin_at(&db, at(203)).await, 1);
    let words = |n: &str| format!("user: {n} | assistant: re: {n}");
    let parts = [format!("{} | {}", words("1"), words("2")), words("3"), format!("{} | {}", words("4"), words("5"))];
    assert_eq!(told(&db, mate).await, parts);
    db.drop_database().await;
}

#[tokio::test]
async fn a_time_that_comes_tells_what_is_new_and_moves_on() {
    let Some(db) = test_db().await else { return };
    let (mut main, mate) = (Main::new(&db).await, companion(&db).await);
    let group = group_with(&db, main.id, mate, None, every(100)).await;
    let next = async || {
        let sql = "SELECT next_sleep_at FROM group_sleep WHERE group_id = $1";
        let at: Option<Time> = sqlx::query_scalar(sql).bind(group.0).fetch_one(&mut db.raw().await).await.unwrap();
        at
    };
    assert_eq!(next().await, Some(at(100)));
    assert_eq!(begin_at(&db, at(100)).await, 0, "nothing was said");
    assert_eq!(next().await, Some(at(200)));
    main.turns(&db, &["one", "two", "three"]).await;
    assert_eq!(begin_at(&db, at(199)).await, 0);
    assert_eq!(begin_at(&db, at(450)).await, 1, "what was missed is made up for once");
    assert_eq!(begin_at(&db, at(450)).await, 0);
    assert_eq!(next().await, Some(at(500)), "the beat is kept");
    assert_eq!(told(&db, mate).await.len(), 1);

    let set = async |also| {
        let manager = ManagerConfig::Sleeptime { manager_agent_id: main.id, frequency: None, also };
        let patch = GroupPatch { manager: Some(manager), ..GroupPatch::default() };
        db.modify_group(group, &patch, at(460)).await.unwrap().unwrap().manager
    };
    let both = SleepTriggers { idle_ms: Some(5_000), ..every(100) };
    set(both).await;
    assert_eq!(next().await, Some(at(500)), "a clock that stays keeps its beat");
    set(every(7)).await;
    assert_eq!(next().await, Some(at(467)));
    set(SleepTriggers::default()).await;
    assert_eq!(next().await, None);
    db.drop_database().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_look_one_begins() {
    let Some(db) = test_db().await else { return };
    let mut mains = vec![];
    for n in 0..6 {
        let (mut main, mate) = (Main::new(&db).await, companion(&db).await);
        let also = if n % 2 == 0 { idle(60) } else { every(60) };
        group_with(&db, main.id, mate, None, also).await;
        main.turns(&db, &["one", "two"]).await;
        mains.push(mate);
    }
    let looks = (0..8).map(|_| {
        let store = (*db).clone();
        async move { store.system.begin_sleep_time(at(1_000), 100, &RandomIds).await.unwrap().len() }
    });
    assert_eq!(futures::future::join_all(looks).await.into_iter().sum::<usize>(), 6);
    for mate in mains {
        assert_eq!(told(&db, mate).await, ["user: one | assistant: re: one | user: two | assistant: re: two"]);
    }
    db.drop_database().await;
}
