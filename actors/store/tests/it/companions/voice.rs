//! Companions of voice agents: what leaves the context is told to them once, whatever happens in between.

use engram_core::{
    ports::{
        store::{ContextMark, MessageBuffer},
        tools::ToolStore,
    },
    transcript::numbered_lines,
};

use super::*;

fn voice_manager(main: AgentId, lengths: Option<(i32, i32)>) -> ManagerConfig {
    ManagerConfig::VoiceSleeptime {
        manager_agent_id: main,
        max_message_buffer_length: lengths.map(|(max, _)| max),
        min_message_buffer_length: lengths.map(|(_, min)| min),
    }
}

async fn voice_group(db: &Db, main: AgentId, companions: &[AgentId]) -> GroupId {
    let group = Group { manager: voice_manager(main, None), turns_counter: None, ..new_group(main, companions, 1) };
    db.create_group(&group).await.unwrap();
    group.id
}

/// Everything before `from` leaves the context.
async fn evict(db: &Db, main: &Main, from: i64) {
    let context = Some(ContextMark { summary_message_id: None, context_from: from });
    let commit = Commit { now: at(main.runs), expect_seq: main.seq, context, ..Commit::default() };
    assert!(matches!(db.system.commit(main.fence, &commit).await.unwrap(), CommitOutcome::Done { .. }));
}

/// What each run of a companion was told, sorted: here all of them are begun at the same time.
async fn lines(db: &Db, companion: AgentId) -> Vec<String> {
    let told = |run: &Run| numbered_lines(&parts_text(&run.input.messages[0].content)).join(" | ");
    let mut all: Vec<String> = runs(db, companion).await.iter().map(told).collect();
    all.sort();
    all
}

#[tokio::test]
async fn what_leaves_the_context_is_told_once_in_numbered_lines() {
    let Some(db) = test_db().await else { return };
    let (mut main, mate) = (Main::new(&db).await, companion(&db).await);
    let group = voice_group(&db, main.id, &[mate]).await;
    main.turns(&db, &["one", "two", "three"]).await;
    assert_eq!(begin(&db).await, [], "it is all in context");
    evict(&db, &main, 5).await;
    let begun = begin(&db).await;
    assert_eq!(begun.len(), 1);
    assert_eq!(begin(&db).await, [], "once is once");
    let run = db.run(begun[0].1).await.unwrap().unwrap();
    assert_eq!((run.agent_id, run.run_type.as_str()), (Some(mate), "sleeptime"));
    assert!(
        parts_text(&run.input.messages[0].content)
            .ends_with("\n\nMessages:\n0. user: one\n1. assistant: re: one\n2. user: two\n3. assistant: re: two")
    );
    let last = db.group(group).await.unwrap().unwrap().last_processed_message_id.unwrap();
    assert_eq!(run.metadata["last_processed_message_id"], last.to_string());
    let told = db.system.told(run.id).await.unwrap().unwrap();
    assert_eq!((told.main, told.embedding.embedding_dim), (main.id, 3));
    assert_eq!(numbered_lines(&told.text).len(), 4);
    evict(&db, &main, 7).await;
    begin(&db).await;
    assert_eq!(lines(&db, mate).await[1..], ["user: three | assistant: re: three"]);
    db.drop_database().await;
}

#[tokio::test]
async fn a_run_of_nobodys_companion_was_told_nothing() {
    let Some(db) = test_db().await else { return };
    let mut main = Main::new(&db).await;
    let run = main.run(&db, "\n\nMessages:\n0. user: no", StopReason::EndTurn).await;
    assert_eq!(db.system.told(run.id).await.unwrap(), None);
    assert_eq!(db.system.told(engram_domain::RunId(Uuid::new_v4())).await.unwrap(), None);
    db.drop_database().await;
}

#[tokio::test]
async fn of_a_turn_that_is_on_nothing_is_told() {
    let Some(db) = test_db().await else { return };
    let (mut main, mate) = (Main::new(&db).await, companion(&db).await);
    voice_group(&db, main.id, &[mate]).await;
    main.turns(&db, &["one"]).await;
    let run = new_run(main.id, main.id.default_conversation(), 50);
    accept(&db, &run).await;
    let expect_seq = main.seq;
    let append = vec![main.message(&run, Role::User, "two".into())];
    let commit = Commit { now: at(50), expect_seq, append, run: Some(run_start(run.id)), ..Commit::default() };
    db.system.commit(main.fence, &commit).await.unwrap();
    // A compaction in the middle of it.
    evict(&db, &main, 4).await;
    assert_eq!(begin(&db).await.len(), 1);
    assert_eq!(begin(&db).await, []);
    assert_eq!(lines(&db, mate).await, ["user: one | assistant: re: one"]);
    assert!(db.system.end_run(run.id, StopReason::Cancelled, None, at(51)).await.unwrap());
    begin(&db).await;
    assert_eq!(lines(&db, mate).await[1..], ["user: two"]);
    db.drop_database().await;
}

#[tokio::test]
async fn what_left_before_the_group_was_there_is_not_told_and_a_reset_begins_anew() {
    let Some(db) = test_db().await else { return };
    let (mut main, mate) = (Main::new(&db).await, companion(&db).await);
    main.turns(&db, &["long ago"]).await;
    evict(&db, &main, 3).await;
    voice_group(&db, main.id, &[mate]).await;
    assert_eq!(begin(&db).await, []);
    main.turns(&db, &["one"]).await;
    evict(&db, &main, 5).await;
    begin(&db).await;
    main.turns(&db, &["forgotten"]).await;
    main.forget(&db).await;
    evict(&db, &main, 1).await;
    main.turns(&db, &["two"]).await;
    assert_eq!(begin(&db).await, []);
    evict(&db, &main, 3).await;
    begin(&db).await;
    assert_eq!(lines(&db, mate).await, ["user: one | assistant: re: one", "user: two | assistant: re: two"]);
    db.drop_database().await;
}

#[tokio::test]
async fn the_length_of_the_context_is_that_of_the_group_and_changes_are_heard_of() {
    let Some(db) = test_db().await else { return };
    let (main, mate) = (Main::new(&db).await, companion(&db).await);
    let snapshot = async || db.load_snapshot(main.id).await.unwrap().unwrap();
    let before = snapshot().await;
    assert_eq!(before.buffer, None);
    let group = voice_group(&db, main.id, &[mate]).await;
    let made = snapshot().await;
    assert_eq!(made.buffer, Some(MessageBuffer { most: 30, least: 15 }));
    let patch = GroupPatch { manager: Some(voice_manager(main.id, Some((10, 6)))), ..GroupPatch::default() };
    db.modify_group(group, &patch, at(5)).await.unwrap();
    let changed = snapshot().await;
    assert_eq!(changed.buffer, Some(MessageBuffer { most: 10, least: 6 }));
    db.delete_group(group).await.unwrap();
    let gone = snapshot().await;
    assert_eq!(gone.buffer, None);
    voice_group(&db, main.id, &[mate]).await;
    db.remove_companions(main.id).await.unwrap();
    let alone = snapshot().await;
    assert_eq!(alone.buffer, None);
    let revs = [before.agent.rev, made.agent.rev, changed.agent.rev, gone.agent.rev, alone.agent.rev];
    assert!(revs.is_sorted_by(|a, b| a < b), "{revs:?}");
    db.drop_database().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_is_told_once_however_many_ask_and_whatever_crashes() {
    let Some(db) = test_db().await else { return };
    let mut agents = vec![];
    for _ in 0..3 {
        let (main, mate) = (Main::new(&db).await, companion(&db).await);
        voice_group(&db, main.id, &[mate]).await;
        agents.push((main, mate, 1_i64));
    }
    let stop = Arc::new(AtomicBool::new(false));
    let mut sleepers = vec![];
    for _ in 0..3 {
        let store = Db::new(Store::connect(&db.uri(), &settings()).await.unwrap());
        sleepers.push(tokio::spawn(sleeper(store, stop.clone())));
    }
    let mut raw = db.raw().await;
    for i in 0..60_usize {
        let (main, _, from) = &mut agents[i % 3];
        main.run(&db, &format!("<{i}>"), StopReason::EndTurn).await;
        if i % 7 < 3 {
            *from = main.seq - 2;
            evict(&db, main, *from).await;
        }
        if i % 4 == 0 {
            let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE datname = current_database() AND pid <> pg_backend_pid()
                          AND (query LIKE '%evicted_seq%' OR query LIKE '%INTO run_keys%')";
            sqlx::query(kill).fetch_all(&mut raw).await.unwrap();
        }
    }
    stop.store(true, Ordering::Relaxed);
    futures::future::join_all(sleepers).await;
    begin(&db).await;
    for (at, (_, mate, from)) in agents.iter().enumerate() {
        let all = lines(&db, *mate).await.join(" | ");
        let mut all: Vec<&str> = all.split(" | ").collect();
        all.sort_unstable();
        // Two messages a turn, from place 1 on.
        let mut left: Vec<String> = (0..60_usize)
            .filter(|i| i % 3 == at)
            .take(usize::try_from((from - 1) / 2).unwrap())
            .flat_map(|i| [format!("user: <{i}>"), format!("assistant: re: <{i}>")])
            .collect();
        left.sort();
        assert!(left.len() > 20, "{from}");
        assert_eq!(all, left);
    }
    drop(raw);
    db.drop_database().await;
}
