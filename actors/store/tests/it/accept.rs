//! What becomes of a request: stored once, whatever its sender does, or refused with nothing stored.

use std::time::Duration;

use engram_core::ports::{AcceptRuns, Accepted, Commits, Leases, NewRun, Nodes, Runs};
use engram_domain::{Agent, BusyPolicy, RequestKey, RunId, StopReason};
use engram_store::agents::AgentPatch;
use sqlx::PgConnection;

use crate::support::*;

fn run_for(agent: &Agent, keys: &[&str]) -> NewRun {
    let keys = keys.iter().map(|k| RequestKey::stored(*k)).collect();
    NewRun { keys, ..new_run(agent.id, agent.id.default_conversation(), 0) }
}

fn wishing(agent: &Agent, policy: BusyPolicy) -> NewRun {
    NewRun { busy_policy: Some(policy), ..run_for(agent, &[]) }
}

async fn send(store: &Db, run: &NewRun) -> Accepted {
    store.system.accept_run(run, node()).await.unwrap()
}

fn known(accepted: &Accepted) -> RunId {
    let Accepted::Known(run) = accepted else { panic!("not known: {accepted:?}") };
    run.id
}

async fn count(conn: &mut PgConnection, table: &str) -> i64 {
    let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
    sqlx::query_scalar(sql).fetch_one(conn).await.unwrap()
}

#[tokio::test]
async fn a_key_that_is_known_stands_for_the_run_that_has_it() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let first = run_for(&agent, &["otid:a", "otid:b", "otid:a"]);
    assert_eq!(accept(&db, &first).await, 1);
    assert_eq!(known(&send(&db, &run_for(&agent, &["otid:b"])).await), first.id);
    assert_eq!(known(&send(&db, &run_for(&agent, &["otid:c", "otid:a"])).await), first.id);
    accept(&db, &run_for(&agent, &["otid:c"])).await;
    // Ended, full or busy: it is the same request all the same.
    db.system.end_run(first.id, StopReason::EndTurn, None, at(1)).await.unwrap();
    let again = NewRun { max_queue: 0, busy_policy: Some(BusyPolicy::Reject), ..run_for(&agent, &["otid:a"]) };
    let Accepted::Known(run) = send(&db, &again).await else { panic!() };
    assert!(run.id == first.id && run.status.is_terminal());
    // The header speaks for the whole request, and another conversation's names are its own.
    let by_header = run_for(&agent, &["key:x"]);
    accept(&db, &by_header).await;
    assert_eq!(known(&send(&db, &run_for(&agent, &["otid:a", "key:x"])).await), by_header.id);
    let other = store_agent(&db, vec![]).await;
    accept(&db, &run_for(&other, &["otid:a"])).await;
    // What no index takes as it is: a long name, one with a NUL.
    let (long, nul) = (format!("otid:{}", "x".repeat(100_000)), "otid:a\0b");
    let odd = run_for(&agent, &[&long, nul]);
    accept(&db, &odd).await;
    assert_eq!(known(&send(&db, &run_for(&agent, &[&long])).await), odd.id);
    assert_eq!(known(&send(&db, &run_for(&agent, &[nul])).await), odd.id);
    // A run takes its names with it.
    assert!(db.delete_run(odd.id).await.unwrap());
    accept(&db, &run_for(&agent, &[nul])).await;
    db.drop_database().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixteen_requests_of_one_name_one_is_stored() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let mut raw = db.raw().await;
    for round in 1..=10 {
        let (x, y) = (format!("otid:x{round}"), format!("otid:y{round}"));
        let sends = (0..16).map(|i| {
            // In both orders, which must not make them wait for each other for ever.
            let keys = if i % 2 == 0 { [&*x, &*y] } else { [&*y, &*x] };
            let (store, run) = ((*db).clone(), run_for(&agent, &keys));
            tokio::spawn(async move { (run.id, send(&store, &run).await) })
        });
        let mut stored = vec![];
        let mut others = vec![];
        for sent in futures::future::join_all(sends).await {
            match sent.unwrap() {
                (id, Accepted::Stored { .. }) => stored.push(id),
                (_, accepted) => others.push(known(&accepted)),
            }
        }
        assert_eq!((stored.len(), others.len()), (1, 15));
        assert!(others.iter().all(|id| *id == stored[0]), "all of them are the one that is stored");
        assert_eq!((count(&mut raw, "runs").await, count(&mut raw, "run_keys").await), (round, 2 * round));
    }
    drop(raw);
    db.drop_database().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_whose_run_is_rolled_back_is_free_again() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let mut raw = db.raw().await;
    // Another request of that name, in the middle of its transaction.
    let other = run_for(&agent, &[]);
    sqlx::query("BEGIN").execute(&mut raw).await.unwrap();
    sqlx::query(
        "INSERT INTO runs (id, organization_id, agent_id, conversation_id, status, input, background, run_type, metadata,
                           created_at, updated_at)
         SELECT $1, organization_id, id, id, 'created', '{}', false, '', '{}', now(), now() FROM agents WHERE id = $2",
    )
    .bind(other.id.0)
    .bind(agent.id.0)
    .execute(&mut raw)
    .await
    .unwrap();
    sqlx::query("INSERT INTO run_keys VALUES ($1, 'otid:a', $2)")
        .bind(agent.id.0)
        .bind(other.id.0)
        .execute(&mut raw)
        .await
        .unwrap();
    let (store, run) = ((*db).clone(), run_for(&agent, &["otid:a"]));
    let waiting = tokio::spawn(async move { send(&store, &run).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished(), "nobody knows yet whose name it is");
    sqlx::query("ROLLBACK").execute(&mut raw).await.unwrap();
    assert!(matches!(waiting.await.unwrap(), Accepted::Stored { .. }));
    drop(raw);
    db.drop_database().await;
}

#[tokio::test]
async fn what_becomes_of_it_while_the_agent_is_busy() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let policy = |accepted: Accepted| match accepted {
        Accepted::Stored { policy, .. } => policy,
        other => panic!("not stored: {other:?}"),
    };
    // The agent's own wish is to queue; nobody is busy yet, so even who does not want to wait is served.
    let first = wishing(&agent, BusyPolicy::Reject);
    assert_eq!(policy(send(&db, &first).await), BusyPolicy::Queue);
    assert_eq!(send(&db, &wishing(&agent, BusyPolicy::Reject)).await, Accepted::Busy(first.id));
    let second = NewRun { created_at: at(1), ..run_for(&agent, &[]) };
    assert_eq!(policy(send(&db, &second).await), BusyPolicy::Queue);
    let third = wishing(&agent, BusyPolicy::Interrupt);
    assert_eq!(policy(send(&db, &third).await), BusyPolicy::Interrupt);
    assert!(db.run(third.id).await.unwrap().unwrap().interrupts);
    assert!(!db.run(second.id).await.unwrap().unwrap().interrupts);
    // The one that is on, and not the oldest, is what it is busy with.
    let fence = claim(&db, agent.id.default_conversation()).await;
    let mut begin = appending(agent.id, agent.id.default_conversation(), 1, &["on"]);
    begin.run = Some(run_start(second.id));
    db.system.commit(fence, &begin).await.unwrap();
    assert_eq!(send(&db, &wishing(&agent, BusyPolicy::Reject)).await, Accepted::Busy(second.id));

    // The agent's wish counts where the request has none.
    for wish in [BusyPolicy::Reject, BusyPolicy::Interrupt] {
        let patch = AgentPatch { busy_policy: Some(wish), ..AgentPatch::default() };
        assert!(db.modify_agent(agent.id, &patch, at(2)).await.unwrap());
        assert_eq!(db.agent(agent.id).await.unwrap().unwrap().busy_policy, wish);
    }
    assert_eq!(policy(send(&db, &run_for(&agent, &[])).await), BusyPolicy::Interrupt);
    let patch = AgentPatch { busy_policy: Some(BusyPolicy::Reject), ..AgentPatch::default() };
    db.modify_agent(agent.id, &patch, at(2)).await.unwrap();
    assert_eq!(send(&db, &run_for(&agent, &[])).await, Accepted::Busy(second.id));
    assert_eq!(policy(send(&db, &wishing(&agent, BusyPolicy::Queue)).await), BusyPolicy::Queue);
    for run in db.system.open_runs(agent.id.default_conversation().into()).await.unwrap() {
        db.system.end_run(run, StopReason::Cancelled, None, at(3)).await.unwrap();
    }
    assert_eq!(policy(send(&db, &run_for(&agent, &["otid:a"])).await), BusyPolicy::Queue);
    db.drop_database().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_do_not_want_to_wait_one_is_served() {
    let Some(db) = test_db().await else { return };
    let by_wish = store_agent(&db, vec![]).await;
    let by_agent = store_agent(&db, vec![]).await;
    let patch = AgentPatch { busy_policy: Some(BusyPolicy::Reject), ..AgentPatch::default() };
    db.modify_agent(by_agent.id, &patch, at(0)).await.unwrap();
    for _ in 0..10 {
        for (agent, wish) in [(&by_wish, Some(BusyPolicy::Reject)), (&by_agent, None)] {
            let sends = (0..8).map(|_| {
                let run = NewRun { busy_policy: wish, ..run_for(agent, &[]) };
                let store = (*db).clone();
                tokio::spawn(async move { (run.id, send(&store, &run).await) })
            });
            let (mut stored, mut busy) = (vec![], vec![]);
            for sent in futures::future::join_all(sends).await {
                match sent.unwrap() {
                    (id, Accepted::Stored { .. }) => stored.push(id),
                    (_, Accepted::Busy(with)) => busy.push(with),
                    (_, other) => panic!("{other:?}"),
                }
            }
            assert_eq!((stored.len(), busy), (1, vec![stored[0]; 7]));
            db.system.end_run(stored[0], StopReason::EndTurn, None, at(1)).await.unwrap();
        }
    }
    db.drop_database().await;
}

#[tokio::test]
async fn a_full_queue_takes_nothing_more_until_something_ends() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let short = |keys: &[&str]| NewRun { max_queue: 2, ..run_for(&agent, keys) };
    let first = short(&[]);
    accept(&db, &first).await;
    accept(&db, &short(&[])).await;
    assert_eq!(send(&db, &short(&[])).await, Accepted::Full);
    assert_eq!(send(&db, &short(&["otid:a"])).await, Accepted::Full);
    assert_eq!(db.system.open_runs(agent.id.default_conversation().into()).await.unwrap().len(), 2);
    db.system.end_run(first.id, StopReason::EndTurn, None, at(1)).await.unwrap();
    accept(&db, &short(&["otid:a"])).await;
    db.drop_database().await;
}

#[tokio::test]
async fn the_answer_names_the_other_node_that_has_the_conversation() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let conversation = agent.id.default_conversation();
    let (mine, theirs) = (node(), node());
    let owner = |accepted: Accepted| match accepted {
        Accepted::Stored { owner, .. } => owner.map(|peer| (peer.id, peer.url, peer.secret)),
        other => panic!("not stored: {other:?}"),
    };
    let insert = || async { owner(db.system.accept_run(&run_for(&agent, &[]), mine).await.unwrap()) };
    assert_eq!(insert().await, None);
    beat(&db, theirs, "http://b").await;
    db.system.claim(conversation, theirs).await.unwrap().unwrap();
    assert_eq!(insert().await, Some((theirs, "http://b".into(), "secret of http://b".into())));
    db.system.retire(theirs).await.unwrap();
    assert_eq!(insert().await, None);
    beat(&db, mine, "http://a").await;
    db.system.claim(conversation, mine).await.unwrap().unwrap();
    assert_eq!(insert().await, None, "its own is no other node");
    db.drop_database().await;
}

/// The second one comes by a node whose clock is behind: it is the second all the same.
#[tokio::test]
async fn runs_come_in_the_order_of_their_acceptance_whatever_clocks_say() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let conversation = agent.id.default_conversation();
    let runs = [100, 5, 50, 0].map(|seconds| new_run(agent.id, conversation, seconds));
    for run in &runs {
        accept(&db, run).await;
    }
    assert_eq!(db.system.open_runs(conversation.into()).await.unwrap(), runs.each_ref().map(|run| run.id));
    let mut refusing = new_run(agent.id, conversation, -9);
    refusing.busy_policy = Some(engram_domain::BusyPolicy::Reject);
    assert_eq!(db.system.accept_run(&refusing, node()).await.unwrap(), Accepted::Busy(runs[0].id));
    db.drop_database().await;
}
