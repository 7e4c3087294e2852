//! The database inside the process.

use std::path::PathBuf;

use engram_core::ports::{CommitOutcome, EngineStore};
use engram_domain::StopReason;
use engram_store::{
    StoreError,
    embedded::{Embedded, EmbeddedError},
};
use uuid::Uuid;

use crate::support::*;

fn data_dir() -> PathBuf {
    std::env::temp_dir().join(format!("engram-embedded-{}", Uuid::new_v4().simple()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_what_was_committed_and_has_one_owner() {
    let dir = data_dir();
    let (store, embedded) = Embedded::start(&dir).await.unwrap();
    let agent = store_agent(&store, vec![block("human", "h")]).await;
    let conversation = agent.id.default_conversation();
    let run = new_run(agent.id, conversation, 0);
    assert_eq!(store.insert_run(&run).await.unwrap(), Some(1));
    let fence = claim(&store, conversation).await;
    let mut commit = appending(agent.id, conversation, 1, &["hello"]);
    commit.run = Some(run_end(run.id, StopReason::EndTurn));
    commit.step = Some(Box::new(step(&run, 1)));
    assert_eq!(store.commit(fence, &commit).await.unwrap(), CommitOutcome::Done { agent_rev: 1 });
    let second = Embedded::start(&dir).await;
    assert!(matches!(second, Err(EmbeddedError::InUse(_))), "{second:?}");
    embedded.stop(&store).await;
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));

    let (store, embedded) = Embedded::start(&dir).await.unwrap();
    let loaded = store.load(conversation).await.unwrap().unwrap();
    assert_eq!(texts(loaded.context.iter().map(|m| &**m)), ["the prompt", "hello"]);
    assert!(store.run(run.id).await.unwrap().unwrap().status.is_terminal());
    embedded.stop(&store).await;
    let _ = std::fs::remove_dir_all(dir);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_share_its_one_connection_and_abandoned_calls_do_no_harm() {
    let dir = data_dir();
    let (store, embedded) = Embedded::start(&dir).await.unwrap();
    let agent = store_agent(&store, vec![]).await;
    let calls = (0..64).map(|i| {
        let store = store.clone();
        async move {
            let run = new_run(agent.id, agent.id.default_conversation(), i);
            let call = store.insert_run(&run);
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
    assert!(store.open_runs(agent.id.default_conversation()).await.unwrap().len() >= 48);
    embedded.stop(&store).await;
    let _ = std::fs::remove_dir_all(dir);
}
