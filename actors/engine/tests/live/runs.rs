//! Runs from acknowledgement to their end, when all is well and when it is not.

use std::{sync::atomic::Ordering, time::Duration};

use engram_domain::{RunStatus, StopReason};
use engram_engine::{Command, CommandOutcome};

use crate::{
    ports::{engine, listen, say},
    world::ONCE,
};

const LONG: Duration = Duration::from_mins(1);

#[tokio::test]
async fn sends_to_one_agent_are_answered_one_after_the_other() {
    let (engine, fake) = engine(LONG).await;
    let mut streams = Vec::new();
    for n in 0..20 {
        streams.push(engine.submit(say(&fake, &format!("word {n}"), false)).await.unwrap());
    }
    for (n, stream) in streams.into_iter().enumerate() {
        let (said, _, end) = listen(stream).await;
        assert_eq!(said, [format!("heard word {n}")]);
        assert_eq!(end.stop_reason, StopReason::EndTurn);
    }
    fake.world.lock().check();
    assert_eq!(fake.loads.load(Ordering::SeqCst), 1, "one life is enough");
}

#[tokio::test]
async fn a_late_reader_gets_everything_and_a_resumed_one_the_rest() {
    let (engine, fake) = engine(LONG).await;
    let run = say(&fake, "a b c", true);
    let id = run.id;
    let (said, pieces, _) = listen(engine.submit(run).await.unwrap()).await;
    assert_eq!(pieces.concat(), said[0]);
    let (_, again, _) = listen(engine.subscribe(id, 0).unwrap()).await;
    assert_eq!(again, pieces);
    // Event 1 is the user's message, 2 and 3 are pieces.
    let (_, rest, _) = listen(engine.subscribe(id, 3).unwrap()).await;
    assert_eq!(rest, pieces[2..]);
    assert!(engine.subscribe(id, 1_000).unwrap().next().await.is_none());
}

#[tokio::test]
async fn cancel_reaches_the_model_and_the_agent_goes_on() {
    let (engine, fake) = engine(LONG).await;
    fake.model_hangs.store(true, Ordering::SeqCst);
    let run = say(&fake, "first", false);
    let (id, conversation) = (run.id, run.conversation_id);
    let first = engine.submit(run).await.unwrap();
    let queued = say(&fake, "queued", false);
    let queued_id = queued.id;
    let second = engine.submit(queued).await.unwrap();
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(engine.cancel(conversation, queued_id).await.unwrap());
    assert!(engine.cancel(conversation, id).await.unwrap());
    assert!(!engine.cancel(conversation, id).await.unwrap(), "a run ends once");
    assert_eq!(listen(first).await.2.status, RunStatus::Cancelled);
    assert_eq!(listen(second).await.2.status, RunStatus::Cancelled);
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert_eq!(fake.cancelled_calls.load(Ordering::SeqCst), 1);
    fake.model_hangs.store(false, Ordering::SeqCst);
    let (said, ..) = listen(engine.submit(say(&fake, "again", false)).await.unwrap()).await;
    assert_eq!(said, ["heard again"]);
    fake.world.lock().check();
}

#[tokio::test]
async fn cancel_ends_a_tool_that_hangs_and_pairs_its_call() {
    let (engine, fake) = engine(LONG).await;
    let run = say(&fake, &format!("call {ONCE}"), false);
    let (id, conversation) = (run.id, run.conversation_id);
    let stream = engine.submit(run).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(engine.cancel(conversation, id).await.unwrap());
    assert_eq!(listen(stream).await.2.stop_reason, StopReason::Cancelled);
    fake.world.lock().check();
}

#[tokio::test]
async fn an_idle_agent_goes_to_sleep_and_wakes_for_the_next_word() {
    let (engine, fake) = engine(Duration::from_millis(60)).await;
    for n in 0..3 {
        listen(engine.submit(say(&fake, "hi", false)).await.unwrap()).await;
        let mut patience = 100;
        while engine.live() > 0 && patience > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            patience -= 1;
        }
        assert_eq!(engine.live(), 0);
        assert_eq!(fake.loads.load(Ordering::SeqCst), n + 1);
    }
    fake.world.lock().check();
}

/// Sends that meet a passivation at any moment are neither lost nor done twice.
#[tokio::test]
async fn sends_race_with_passivation() {
    let (engine, fake) = engine(Duration::from_millis(1)).await;
    for n in 0..60 {
        let text = format!("race {n}");
        let (said, ..) = listen(engine.submit(say(&fake, &text, false)).await.unwrap()).await;
        assert_eq!(said, [format!("heard {text}")]);
        tokio::time::sleep(Duration::from_micros(n * 3_000 % 110_000)).await;
    }
    fake.world.lock().check();
}

#[tokio::test]
async fn the_database_goes_away_in_the_middle_and_work_goes_on_when_it_is_back() {
    let (engine, fake) = engine(LONG).await;
    fake.model_hangs.store(true, Ordering::SeqCst);
    let stream = engine.submit(say(&fake, "through", false)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(30)).await;
    fake.down.store(true, Ordering::SeqCst);
    fake.model_hangs.store(false, Ordering::SeqCst);
    assert!(engine.submit(say(&fake, "refused", false)).await.is_err());
    // Longer than a commit is tried again: the actor has died meanwhile.
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    fake.down.store(false, Ordering::SeqCst);
    let (said, _, end) = listen(stream).await;
    assert_eq!((said.as_slice(), end.status), (&["heard through".to_owned()][..], RunStatus::Completed));
    fake.world.lock().check();
}

#[tokio::test]
async fn a_stale_owner_is_fenced_and_its_run_taken_up_again() {
    let (engine, fake) = engine(LONG).await;
    fake.model_hangs.store(true, Ordering::SeqCst);
    let stream = engine.submit(say(&fake, "mine", false)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(30)).await;
    // Another node claims it while the model thinks.
    fake.epoch.fetch_add(1, Ordering::SeqCst);
    fake.model_hangs.store(false, Ordering::SeqCst);
    let (said, ..) = listen(stream).await;
    assert_eq!(said, ["heard mine"]);
    fake.world.lock().check();
}

#[tokio::test]
async fn a_panic_in_an_adapter_fails_the_run_and_not_the_server() {
    let (engine, fake) = engine(LONG).await;
    fake.model_panics.store(true, Ordering::SeqCst);
    let (_, _, end) = listen(engine.submit(say(&fake, "boom", false)).await.unwrap()).await;
    assert_eq!(end.status, RunStatus::Failed);
    let (said, ..) = listen(engine.submit(say(&fake, "well?", false)).await.unwrap()).await;
    assert_eq!(said, ["heard well?"]);
}

#[tokio::test]
async fn a_command_waits_for_the_run_before_it() {
    let (engine, fake) = engine(LONG).await;
    let run = say(&fake, "one", false);
    let conversation = run.conversation_id;
    let stream = engine.submit(run).await.unwrap();
    let reset = engine.command(conversation, Command::Reset { add_default_initial_messages: false }).await.unwrap();
    assert!(matches!(reset, CommandOutcome::Done));
    listen(stream).await;
    assert_eq!(fake.world.lock().messages.len(), 1, "the system message is left");
    let (said, ..) = listen(engine.submit(say(&fake, "two", false)).await.unwrap()).await;
    assert_eq!(said, ["heard two"]);
    fake.world.lock().check();
}

#[tokio::test]
async fn shutdown_lets_the_run_that_is_on_come_to_its_end() {
    let (engine, fake) = engine(LONG).await;
    fake.model_hangs.store(true, Ordering::SeqCst);
    let stream = engine.submit(say(&fake, "last", false)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(30)).await;
    let closing = tokio::spawn({
        let engine = engine.clone();
        async move { engine.shutdown().await }
    });
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(engine.submit(say(&fake, "too late", false)).await.is_err());
    fake.model_hangs.store(false, Ordering::SeqCst);
    assert_eq!(listen(stream).await.2.status, RunStatus::Completed);
    closing.await.unwrap();
    assert_eq!(engine.live(), 0);
}

/// What the database refuses once it refuses always: the run ends with a reason, and the agent goes on.
#[tokio::test]
async fn a_refused_commit_ends_the_run_and_not_the_agent() {
    let (engine, fake) = engine(LONG).await;
    fake.refuses.store(true, Ordering::SeqCst);
    let (_, _, end) = listen(engine.submit(say(&fake, "poison", false)).await.unwrap()).await;
    assert_eq!(end.status, RunStatus::Failed);
    assert!(end.error.is_some_and(|e| e.message.contains("refused")));
    fake.refuses.store(false, Ordering::SeqCst);
    let (said, ..) = listen(engine.submit(say(&fake, "well?", false)).await.unwrap()).await;
    assert_eq!(said, ["heard well?"]);
    fake.world.lock().check();
}
