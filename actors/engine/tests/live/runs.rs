//! Runs from acknowledgement to their end on one node, when all is well and when it is not.

use std::{sync::atomic::Ordering, time::Duration};

use engram_domain::{RunStatus, StopReason};
use engram_engine::{Command, CommandOutcome, SubmitError};
use engram_testkit::ONCE;

use crate::house::{House, all, listen, refused, send};

#[tokio::test(start_paused = true)]
async fn sends_to_one_agent_are_answered_one_after_the_other() {
    let house = House::new();
    let a = house.node("a").await;
    let mut streams = Vec::new();
    for n in 0..20 {
        streams.push(send(&a, house.say(&format!("word {n}"))).await);
    }
    for (n, stream) in streams.into_iter().enumerate() {
        let (said, _, end) = listen(stream).await;
        assert_eq!(said, [format!("heard word {n}")]);
        assert_eq!(end.stop_reason, StopReason::EndTurn);
    }
    house.check();
    assert_eq!(a.switch.count("load"), 1, "one life is enough");
}

#[tokio::test(start_paused = true)]
async fn a_late_reader_gets_everything() {
    let house = House::new();
    let a = house.node("a").await;
    let run = house.stream("a b c");
    let id = run.id;
    let (said, pieces, _) = listen(send(&a, run).await).await;
    assert_eq!(pieces.concat(), said[0]);
    let (_, again, _) = listen(a.engine.follow(&house.run(id), 0)).await;
    assert_eq!(again, pieces);
    // The hub has forgotten; what was said is in the database.
    tokio::time::sleep(Duration::from_mins(2)).await;
    let (kept, pieces, end) = listen(a.engine.follow(&house.run(id), 0)).await;
    assert_eq!((kept, pieces.len(), end.status), (said, 0, RunStatus::Completed));
}

#[tokio::test(start_paused = true)]
async fn cancel_reaches_the_model_and_the_agent_goes_on() {
    let house = House::new();
    let a = house.node("a").await;
    house.brain.hangs.store(true, Ordering::SeqCst);
    let run = house.say("first");
    let (id, conversation) = (run.id, house.conversation());
    let first = send(&a, run).await;
    let queued = house.say("queued");
    let queued_id = queued.id;
    let second = send(&a, queued).await;
    house.asked(1).await;
    assert!(a.engine.cancel(conversation.into(), queued_id).await.unwrap());
    assert!(a.engine.cancel(conversation.into(), id).await.unwrap());
    assert!(!a.engine.cancel(conversation.into(), id).await.unwrap(), "a run ends once");
    assert_eq!(listen(first).await.2.status, RunStatus::Cancelled);
    assert_eq!(listen(second).await.2.status, RunStatus::Cancelled);
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert_eq!(house.brain.cancelled.load(Ordering::SeqCst), 1);
    house.brain.hangs.store(false, Ordering::SeqCst);
    assert_eq!(listen(send(&a, house.say("again")).await).await.0, ["heard again"]);
    house.check();
}

#[tokio::test(start_paused = true)]
async fn cancel_ends_a_tool_that_hangs_and_pairs_its_call() {
    let house = House::new();
    let a = house.node("a").await;
    let run = house.say(&format!("call {ONCE}"));
    let (id, conversation) = (run.id, house.conversation());
    let stream = send(&a, run).await;
    house.until("the tool runs", || house.brain.rang.load(Ordering::SeqCst) == 1).await;
    assert!(a.engine.cancel(conversation.into(), id).await.unwrap());
    assert_eq!(listen(stream).await.2.stop_reason, StopReason::Cancelled);
    house.check();
}

#[tokio::test]
async fn an_idle_agent_goes_to_sleep_and_wakes_for_the_next_word() {
    let house = House::new();
    let a = house.node_that_sleeps("a", Duration::from_millis(60)).await;
    for n in 0..3 {
        listen(send(&a, house.say("hi")).await).await;
        house.until("it sleeps", || a.engine.live() == 0).await;
        assert_eq!(a.switch.count("load"), n + 1);
    }
    house.check();
}

/// Sends that meet a passivation at any moment are neither lost nor done twice.
#[tokio::test]
async fn sends_race_with_passivation() {
    let house = House::new();
    let a = house.node_that_sleeps("a", Duration::from_millis(1)).await;
    for n in 0..60 {
        let text = format!("race {n}");
        let (said, ..) = listen(send(&a, house.say(&text)).await).await;
        assert_eq!(said, [format!("heard {text}")]);
        tokio::time::sleep(Duration::from_micros(n * 3_000 % 110_000)).await;
    }
    house.check();
}

#[tokio::test(start_paused = true)]
async fn the_database_goes_away_in_the_middle_and_work_goes_on_when_it_is_back() {
    let house = House::new();
    let a = house.node("a").await;
    house.brain.hangs.store(true, Ordering::SeqCst);
    let stream = send(&a, house.say("through")).await;
    house.asked(1).await;
    a.switch.down.store(true, Ordering::SeqCst);
    house.brain.hangs.store(false, Ordering::SeqCst);
    assert!(matches!(refused(&a, house.say("refused")).await, SubmitError::Store(_)));
    // Longer than a commit is tried again: the actor has died meanwhile.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(a.engine.live(), 0);
    a.switch.down.store(false, Ordering::SeqCst);
    let (said, _, end) = listen(stream).await;
    assert_eq!((said.as_slice(), end.status), (&["heard through".to_owned()][..], RunStatus::Completed));
    house.check();
}

#[tokio::test(start_paused = true)]
async fn a_stale_owner_is_fenced_and_its_run_taken_up_again() {
    let house = House::new();
    let a = house.node("a").await;
    house.brain.hangs.store(true, Ordering::SeqCst);
    let stream = send(&a, house.say("mine")).await;
    house.asked(1).await;
    // Another node claims it while the model thinks.
    house.db.with(|t| t.main.epoch += 1);
    house.brain.hangs.store(false, Ordering::SeqCst);
    assert_eq!(listen(stream).await.0, ["heard mine"]);
    assert!(house.db.with(|t| t.fenced) > 0);
    house.check();
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_an_adapter_fails_the_run_and_not_the_server() {
    let house = House::new();
    let a = house.node("a").await;
    house.brain.panics.store(true, Ordering::SeqCst);
    let run = house.say("boom");
    let id = run.id;
    let (_, _, end) = listen(send(&a, run).await).await;
    assert_eq!(end.status, RunStatus::Failed);
    // Whoever asks later is told the same.
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(listen(a.engine.follow(&house.run(id), 0)).await.2.error, end.error);
    assert_eq!(listen(send(&a, house.say("well?")).await).await.0, ["heard well?"]);
}

#[tokio::test(start_paused = true)]
async fn a_command_waits_for_the_run_before_it() {
    let house = House::new();
    let a = house.node("a").await;
    let stream = send(&a, house.say("one")).await;
    let command = Command::Reset { add_default_initial_messages: false };
    let reset = a.engine.command(house.conversation(), command).await.unwrap();
    assert!(matches!(reset, CommandOutcome::Done));
    listen(stream).await;
    assert_eq!(house.db.with(|t| t.main.world.messages.len()), 1, "the system message is left");
    assert_eq!(listen(send(&a, house.say("two")).await).await.0, ["heard two"]);
    house.check();
}

#[tokio::test(start_paused = true)]
async fn alone_a_shutdown_lets_the_run_that_is_on_come_to_its_end() {
    let house = House::new();
    let a = house.node("a").await;
    house.brain.hangs.store(true, Ordering::SeqCst);
    let stream = send(&a, house.say("last")).await;
    house.asked(1).await;
    let closing = tokio::spawn({
        let engine = a.engine.clone();
        async move { engine.shutdown().await }
    });
    house.until("it closes", || a.engine.is_draining()).await;
    assert!(matches!(refused(&a, house.say("too late")).await, SubmitError::ShuttingDown));
    house.brain.hangs.store(false, Ordering::SeqCst);
    assert_eq!(listen(stream).await.2.status, RunStatus::Completed);
    closing.await.unwrap();
    assert_eq!(a.engine.live(), 0);
}

/// What the database refuses once it refuses always: the run ends with a reason, and the agent goes on.
#[tokio::test(start_paused = true)]
async fn a_refused_commit_ends_the_run_and_not_the_agent() {
    let house = House::new();
    let a = house.node("a").await;
    a.switch.refuses.store(true, Ordering::SeqCst);
    let (_, _, end) = listen(send(&a, house.say("poison")).await).await;
    assert_eq!(end.status, RunStatus::Failed);
    assert!(end.error.is_some_and(|e| e.message.contains("refused")));
    a.switch.refuses.store(false, Ordering::SeqCst);
    assert_eq!(listen(send(&a, house.say("well?")).await).await.0, ["heard well?"]);
    house.check();
}

/// A process that dies between two steps goes on there, and the model is not asked again for what it said.
#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_from_the_last_commit() {
    let house = House::new();
    let a = house.node("a").await;
    let run = house.say(&format!("call {ONCE}"));
    let id = run.id;
    drop(send(&a, run).await);
    house.until("the tool runs", || house.brain.rang.load(Ordering::SeqCst) == 1).await;
    a.switch.kill();
    let again = house.node("a").await;
    let events = all(again.engine.follow(&house.run(id), 0)).await;
    assert!(!events.is_empty());
    house.until("it ends", || house.run(id).status.is_terminal()).await;
    assert_eq!(house.run(id).status, RunStatus::Completed);
    assert_eq!(house.brain.rang.load(Ordering::SeqCst), 1, "at most once");
    assert_eq!(house.brain.asked.load(Ordering::SeqCst), 2);
    house.check();
}

/// The database comes back each time, and is away again when the answer is to be stored. That is not the run's fault.
#[tokio::test(start_paused = true)]
async fn a_run_is_never_given_up_because_the_database_was_away() {
    let house = House::new();
    let a = house.node("a").await;
    house.brain.hangs.store(true, Ordering::SeqCst);
    let run = house.say("patience");
    let id = run.id;
    drop(send(&a, run).await);
    for n in 1..=5 {
        house.asked(n).await;
        a.switch.down.store(true, Ordering::SeqCst);
        house.brain.hangs.store(false, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(8)).await;
        house.brain.hangs.store(true, Ordering::SeqCst);
        a.switch.down.store(false, Ordering::SeqCst);
    }
    house.asked(6).await;
    house.brain.hangs.store(false, Ordering::SeqCst);
    house.until("it ends", || house.run(id).status.is_terminal()).await;
    assert_eq!(house.run(id).status, RunStatus::Completed, "{:?}", house.run(id).error);
    house.check();
}
