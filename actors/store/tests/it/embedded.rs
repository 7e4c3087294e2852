//! The database inside the process.

use std::path::PathBuf;

use engram_core::ports::{AcceptRuns, CommitOutcome, Commits, Notifications, Runs, Snapshots};
use engram_domain::StopReason;
use engram_store::{
    StoreError,
    embedded::{Embedded, EmbeddedError},
};
use tokio::io::AsyncBufReadExt;
use uuid::Uuid;

use crate::support::*;

fn data_dir() -> PathBuf {
    std::env::temp_dir().join(format!("engram-embedded-{}", Uuid::new_v4().simple()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_what_was_committed_and_has_one_owner() {
    let dir = data_dir();
    let (store, embedded) = Embedded::start(&dir).await.unwrap();
    let store = Db::new(store);
    let agent = store_agent(&store, vec![block("human", "h")]).await;
    let conversation = agent.id.default_conversation();
    let run = new_run(agent.id, conversation, 0);
    assert_eq!(accept(&store, &run).await, 1);
    let fence = claim(&store, conversation).await;
    let mut commit = appending(agent.id, conversation, 1, &["hello"]);
    commit.run = Some(run_end(run.id, StopReason::EndTurn));
    commit.step = Some(Box::new(step(&run, 1)));
    assert_eq!(store.system.commit(fence, &commit).await.unwrap(), CommitOutcome::Done { agent_rev: 1 });
    // Its one connection cannot be spared for listening, and there is nobody to tell.
    assert!(store.system.wakeups(node()).await.unwrap().is_none());
    store.system.notify(None, conversation.into()).await.unwrap();
    let second = Embedded::start(&dir).await;
    assert!(matches!(second, Err(EmbeddedError::InUse(_))), "{second:?}");
    embedded.stop(&store.system).await;
    assert!(matches!(store.system.ping().await, Err(StoreError::Unavailable(_))));

    let (store, embedded) = Embedded::start(&dir).await.unwrap();
    let store = Db::new(store);
    let loaded = store.system.load(conversation).await.unwrap().unwrap();
    assert_eq!(texts(loaded.context.iter().map(|m| &**m)), ["the prompt", "hello"]);
    assert!(store.system.run(run.id).await.unwrap().unwrap().status.is_terminal());
    embedded.stop(&store.system).await;
    let _ = std::fs::remove_dir_all(dir);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_share_its_one_connection_and_abandoned_calls_do_no_harm() {
    let dir = data_dir();
    let (store, embedded) = Embedded::start(&dir).await.unwrap();
    let store = Db::new(store);
    let agent = store_agent(&store, vec![]).await;
    let calls = (0..64).map(|i| {
        let store = store.clone();
        async move {
            let run = new_run(agent.id, agent.id.default_conversation(), i);
            let call = store.system.accept_run(&run, node());
            // Every fourth caller goes away at once, wherever its call is by then.
            if i % 4 == 0 {
                let _ = tokio::time::timeout(std::time::Duration::from_micros(300), call).await;
                return 0;
            }
            call.await.unwrap();
            1
        }
    });
    let stored: i32 = futures::future::join_all(calls).await.into_iter().sum();
    assert_eq!(stored, 48);
    assert!(store.system.open_runs(agent.id.default_conversation().into()).await.unwrap().len() >= 48);
    embedded.stop(&store.system).await;
    let _ = std::fs::remove_dir_all(dir);
}

/// Names the data directory for the process that is to be killed; without it the test below is the
/// one that kills.
const VICTIM: &str = "ENGRAM_TEST_VICTIM_DIR";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_nothing_that_was_acknowledged() {
    if let Ok(dir) = std::env::var(VICTIM) {
        return write_until_killed(PathBuf::from(dir)).await;
    }
    let dir = data_dir();
    let mut acknowledged = Vec::new();
    for _ in 0..2 {
        let mut victim = tokio::process::Command::new(std::env::current_exe().unwrap())
            .args(["embedded::a_killed_process_loses_nothing_that_was_acknowledged", "--exact", "--nocapture"])
            .env(VICTIM, &dir)
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = tokio::io::BufReader::new(victim.stdout.take().unwrap()).lines();
        let mut seen = 0;
        while let Some(line) = lines.next_line().await.unwrap() {
            let Some(run) = line.strip_prefix("stored ") else { continue };
            acknowledged.push(run.parse().unwrap());
            seen += 1;
            if seen == 200 {
                // SIGKILL, in the middle of a write.
                victim.start_kill().unwrap();
            }
        }
        victim.wait().await.unwrap();
        assert!(seen >= 200, "it wrote {seen}");
    }
    let (store, embedded) = Embedded::start(&dir).await.unwrap();
    let store = Db::new(store);
    for run in acknowledged {
        assert!(store.system.run(run).await.unwrap().is_some(), "{run}");
    }
    embedded.stop(&store.system).await;
    let _ = std::fs::remove_dir_all(dir);
}

/// The same, for a process that is killed while it starts for the first time.
const BEGINNER: &str = "ENGRAM_TEST_BEGINNER_DIR";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_the_very_first_start_leaves_nothing_that_cannot_start() {
    if let Ok(dir) = std::env::var(BEGINNER) {
        let (_store, _embedded) = Embedded::start(dir).await.unwrap();
        println!("started");
        return std::future::pending().await;
    }
    let dir = data_dir();
    // Over the whole of a start, and beyond it where the machine is fast.
    for kill_after in [20, 60, 120, 200, 300, 400, 550, 700, 900, 1_200, 1_600, 2_200] {
        let mut beginner = tokio::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "embedded::a_kill_in_the_very_first_start_leaves_nothing_that_cannot_start",
                "--exact",
                "--nocapture",
            ])
            .env(BEGINNER, &dir)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(kill_after)).await;
        assert_eq!(beginner.try_wait().unwrap(), None, "it failed to start after a kill");
        beginner.start_kill().unwrap();
        beginner.wait().await.unwrap();
    }
    let (store, embedded) = Embedded::start(&dir).await.unwrap();
    let store = Db::new(store);
    store_agent(&store, vec![]).await;
    embedded.stop(&store.system).await;
    let _ = std::fs::remove_dir_all(dir);
}

async fn write_until_killed(dir: PathBuf) {
    let (store, _embedded) = Embedded::start(dir).await.unwrap();
    let store = Db::new(store);
    let agent = store_agent(&store, vec![]).await;
    for seconds in 0.. {
        let run = new_run(agent.id, agent.id.default_conversation(), seconds);
        accept(&store, &run).await;
        println!("stored {}", run.id);
    }
}
