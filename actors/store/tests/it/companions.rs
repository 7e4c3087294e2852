//! Sleep-time companions: for every full number of turns one run, whatever happens in between.

mod ephemeral;
mod pairs;
mod triggers;
mod voice;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use engram_core::ports::{
    Commit, CommitOutcome, Commits, Fence, NewRun, Runs, SleepTime, VoiceSleepTime, store::Begun,
};
use engram_domain::{
    AgentId, Content, Group, GroupId, ManagerConfig, Message, Role, Run, RunStatus, StopReason, group::SleepTriggers,
    message::parts_text,
};
use engram_store::{Page, Store, groups::GroupPatch, runs::RunFilter};
use uuid::Uuid;

use crate::support::*;

/// An agent in the middle of its conversation.
struct Main {
    id: AgentId,
    fence: Fence,
    seq: i64,
    runs: i64,
}

impl Main {
    async fn new(db: &Db) -> Self {
        let id = store_agent(db, vec![]).await.id;
        Self { id, fence: claim(db, id.default_conversation()).await, seq: 1, runs: 0 }
    }

    fn message(&mut self, run: &NewRun, role: Role, text: String) -> Arc<Message> {
        let content = match role {
            Role::Assistant => Content::Assistant { reasoning: vec![], text: Some(text), calls: vec![] },
            _ => Content::text(text),
        };
        let blank = message(self.id, self.id.default_conversation(), self.seq, role, "");
        self.seq += 1;
        Arc::new(Message { run_id: Some(run.id), content, ..blank })
    }

    /// The user says `text`, the agent answers `re: text`, and the run ends so.
    async fn run(&mut self, db: &Db, text: &str, end: StopReason) -> NewRun {
        self.runs += 1;
        let run = new_run(self.id, self.id.default_conversation(), self.runs);
        accept(db, &run).await;
        self.answer(db, &run, text, end).await;
        run
    }

    async fn answer(&mut self, db: &Db, run: &NewRun, text: &str, end: StopReason) {
        for (role, text, update) in [
            (Role::User, text.to_owned(), run_start(run.id)),
            (Role::Assistant, format!("re: {text}"), run_end(run.id, end)),
        ] {
            let expect_seq = self.seq;
            let append = vec![self.message(run, role, text)];
            let commit = Commit { now: at(self.runs), expect_seq, append, run: Some(update), ..Commit::default() };
            assert!(matches!(db.system.commit(self.fence, &commit).await.unwrap(), CommitOutcome::Done { .. }));
        }
    }

    async fn turns(&mut self, db: &Db, texts: &[&str]) {
        for text in texts {
            self.run(db, text, StopReason::EndTurn).await;
        }
    }

    /// Forgets everything but the prompt, as a reset does.
    async fn forget(&mut self, db: &Db) {
        let commit = Commit { now: at(self.runs), expect_seq: self.seq, delete_from: Some(1), ..Commit::default() };
        assert!(matches!(db.system.commit(self.fence, &commit).await.unwrap(), CommitOutcome::Done { .. }));
        self.seq = 1;
    }
}

fn new_group(main: AgentId, companions: &[AgentId], frequency: i32) -> Group {
    let manager =
        ManagerConfig::Sleeptime { manager_agent_id: main, frequency: Some(frequency), also: SleepTriggers::default() };
    Group { created_at: at(0), updated_at: at(0), ..group(manager, companions) }
}

async fn group_of(db: &Db, main: AgentId, companions: &[AgentId], frequency: i32) -> GroupId {
    let group = new_group(main, companions, frequency);
    db.create_group(&group).await.unwrap();
    group.id
}

async fn companion(db: &Db) -> AgentId {
    store_agent(db, vec![]).await.id
}

async fn begin(db: &Db) -> Vec<Begun> {
    let mut begun = db.system.begin_sleep_time(at(1_000), 100, &RandomIds).await.unwrap();
    begun.extend(db.system.begin_voice_sleep_time(at(1_000), 100, &RandomIds).await.unwrap());
    begun
}

/// What each run of a companion was told, without the words around it.
async fn told(db: &Db, companion: AgentId) -> Vec<String> {
    runs(db, companion).await.iter().map(transcript).collect()
}

async fn runs(db: &Db, agent: AgentId) -> Vec<Run> {
    let filter = RunFilter { agent_ids: vec![agent], ..RunFilter::default() };
    db.runs(&filter, Page::oldest(1_000)).await.unwrap()
}

fn transcript(run: &Run) -> String {
    let text = parts_text(&run.input.messages[0].content);
    text.split_once("\n\nMessages:\n").unwrap().1.replace('\n', " | ")
}

#[tokio::test]
async fn after_every_so_many_turns_a_run_tells_what_was_said() {
    let Some(db) = test_db().await else { return };
    let (mut main, mate) = (Main::new(&db).await, companion(&db).await);
    let group = group_of(&db, main.id, &[mate], 2).await;
    main.turns(&db, &["one"]).await;
    assert_eq!(begin(&db).await, []);
    main.turns(&db, &["two"]).await;
    let begun = begin(&db).await;
    assert_eq!(begin(&db).await, [], "once is once");
    let run = db.run(begun[0].1).await.unwrap().unwrap();
    assert_eq!((begun.len(), begun[0].0, run.agent_id), (1, mate.default_conversation(), Some(mate)));
    assert_eq!((run.status, run.run_type.as_str(), run.background), (RunStatus::Created, "sleeptime", false));
    assert_eq!(transcript(&run), "user: one | assistant: re: one | user: two | assistant: re: two");
    assert_eq!(run.input.messages[0].sender_id, Some(main.id.to_string()));
    let state = db.group(group).await.unwrap().unwrap();
    assert_eq!(state.turns_counter, Some(1));
    assert_eq!(
        run.metadata,
        serde_json::json!({
            "group_id": group,
            "primary_agent_id": main.id,
            "last_processed_message_id": state.last_processed_message_id.unwrap(),
        })
    );
    let key: String = sqlx::query_scalar("SELECT key FROM run_keys WHERE run_id = $1")
        .bind(run.id.0)
        .fetch_one(&mut db.raw().await)
        .await
        .unwrap();
    assert_eq!(key, format!("sleep:{group}:2"));
    db.drop_database().await;
}

#[tokio::test]
async fn only_completed_turns_count_and_all_words_are_told() {
    let Some(db) = test_db().await else { return };
    let (mut main, mate) = (Main::new(&db).await, companion(&db).await);
    group_of(&db, main.id, &[mate], 2).await;
    main.turns(&db, &["one"]).await;
    for (text, end) in [
        ("failed", StopReason::LlmApiError),
        ("stopped", StopReason::Cancelled),
        ("may I?", StopReason::RequiresApproval),
    ] {
        main.run(&db, text, end).await;
        assert_eq!(begin(&db).await, [], "{text}");
    }
    // A turn that has only begun.
    let open = new_run(main.id, main.id.default_conversation(), 99);
    accept(&db, &open).await;
    let commit = Commit {
        expect_seq: main.seq,
        append: vec![main.message(&open, Role::User, "two".into())],
        run: Some(run_start(open.id)),
        ..Commit::default()
    };
    db.system.commit(main.fence, &commit).await.unwrap();
    assert_eq!(begin(&db).await, [], "never in the middle of a turn");
    main.answer(&db, &open, "and more", StopReason::MaxSteps).await;
    begin(&db).await;
    let words = "user: one | assistant: re: one | user: failed | assistant: re: failed | user: stopped | \
                 assistant: re: stopped | user: may I? | assistant: re: may I? | user: two | user: and more | \
                 assistant: re: and more";
    assert_eq!(told(&db, mate).await, [words]);
    db.drop_database().await;
}

#[tokio::test]
async fn what_is_pending_is_told_in_parts_and_a_turn_that_goes_on_is_not() {
    let Some(db) = test_db().await else { return };
    let (mut main, mates) = (Main::new(&db).await, [companion(&db).await, companion(&db).await]);
    group_of(&db, main.id, &mates, 2).await;
    main.turns(&db, &["1", "2", "3", "4", "5", "6", "7"]).await;
    assert_eq!(
        db.system.begin_sleep_time(at(999), 1, &RandomIds).await.unwrap().len(),
        2,
        "what is due for all is not torn"
    );
    assert_eq!(begin(&db).await.len(), 4);
    for mate in mates {
        let parts = [
            "user: 1 | assistant: re: 1 | user: 2 | assistant: re: 2",
            "user: 3 | assistant: re: 3 | user: 4 | assistant: re: 4",
            "user: 5 | assistant: re: 5 | user: 6 | assistant: re: 6",
        ];
        assert_eq!(told(&db, mate).await, parts, "in their order");
    }
    db.drop_database().await;
}

#[tokio::test]
async fn another_frequency_holds_from_now_on() {
    let Some(db) = test_db().await else { return };
    let (mut main, mate) = (Main::new(&db).await, companion(&db).await);
    let group = group_of(&db, main.id, &[mate], 5).await;
    main.turns(&db, &["1", "2", "3"]).await;
    assert_eq!(begin(&db).await, []);
    let set = async |frequency| {
        let manager = ManagerConfig::Sleeptime {
            manager_agent_id: main.id,
            frequency: Some(frequency),
            also: SleepTriggers::default(),
        };
        let patch = GroupPatch { manager: Some(manager), ..GroupPatch::default() };
        db.modify_group(group, &patch, at(5)).await.unwrap().unwrap().turns_counter
    };
    assert_eq!(set(2).await, Some(2), "what was counted stays counted");
    assert_eq!(begin(&db).await.len(), 1);
    assert_eq!(told(&db, mate).await, ["user: 1 | assistant: re: 1 | user: 2 | assistant: re: 2"]);
    set(3).await;
    main.turns(&db, &["4"]).await;
    assert_eq!(begin(&db).await, []);
    main.turns(&db, &["5"]).await;
    assert_eq!(begin(&db).await.len(), 1);
    db.drop_database().await;
}

#[tokio::test]
async fn what_was_said_before_the_group_and_what_was_forgotten_is_nobodys() {
    let Some(db) = test_db().await else { return };
    let (mut main, mate) = (Main::new(&db).await, companion(&db).await);
    main.turns(&db, &["long ago", "before"]).await;
    group_of(&db, main.id, &[mate], 2).await;
    main.turns(&db, &["1", "2", "3"]).await;
    begin(&db).await;
    assert_eq!(told(&db, mate).await, ["user: 1 | assistant: re: 1 | user: 2 | assistant: re: 2"]);
    main.forget(&db).await;
    assert_eq!(begin(&db).await, []);
    // The new messages are in places that other runs had.
    main.turns(&db, &["new"]).await;
    let begun = begin(&db).await;
    let run = db.run(begun[0].1).await.unwrap().unwrap();
    assert_eq!(transcript(&run), "user: new | assistant: re: new");
    main.turns(&db, &["4", "5"]).await;
    main.forget(&db).await;
    let begun = begin(&db).await;
    let run = db.run(begun[0].1).await.unwrap().unwrap();
    assert_eq!(transcript(&run), "", "there is nothing left to tell of");
    db.drop_database().await;
}

#[tokio::test]
async fn turns_pass_by_a_group_without_companions() {
    let Some(db) = test_db().await else { return };
    let (mut main, mate) = (Main::new(&db).await, companion(&db).await);
    let group = group_of(&db, main.id, &[mate, main.id], 1).await;
    db.delete_agent(mate).await.unwrap();
    main.turns(&db, &["1", "2"]).await;
    assert_eq!(begin(&db).await, [], "the manager is nobody's companion");
    let next = companion(&db).await;
    let patch = GroupPatch { agent_ids: Some(vec![next]), ..GroupPatch::default() };
    db.modify_group(group, &patch, at(5)).await.unwrap();
    assert_eq!(begin(&db).await, []);
    main.turns(&db, &["3"]).await;
    assert_eq!(begin(&db).await.len(), 1);
    assert_eq!(told(&db, next).await, ["user: 3 | assistant: re: 3"]);
    db.drop_database().await;
}

#[tokio::test]
async fn one_broken_group_does_not_keep_the_others_waiting() {
    let Some(db) = test_db().await else { return };
    let (mut broken, mut whole) = (Main::new(&db).await, Main::new(&db).await);
    let mates = [companion(&db).await, companion(&db).await];
    group_of(&db, broken.id, &mates[..1], 1).await;
    let other = group_of(&db, whole.id, &mates[1..], 1).await;
    sqlx::query("UPDATE group_sleep SET updated_at = now() WHERE group_id = $1")
        .bind(other.0)
        .execute(&mut db.raw().await)
        .await
        .unwrap();
    broken.turns(&db, &["1"]).await;
    whole.turns(&db, &["2"]).await;
    let spoil = "UPDATE messages SET content = '{\"kind\": \"riddle\"}' WHERE agent_id = $1";
    sqlx::query(spoil).bind(broken.id.0).execute(&mut db.raw().await).await.unwrap();
    assert_eq!(begin(&db).await.len(), 1);
    assert_eq!((told(&db, mates[0]).await.len(), told(&db, mates[1]).await.len()), (0, 1));
    db.drop_database().await;
}

#[tokio::test]
async fn two_that_look_after_each_other_come_to_rest() {
    let Some(db) = test_db().await else { return };
    let (mut a, mut b) = (Main::new(&db).await, Main::new(&db).await);
    group_of(&db, a.id, &[b.id], 1).await;
    group_of(&db, b.id, &[a.id], 1).await;
    a.turns(&db, &["hello"]).await;
    let begun = begin(&db).await;
    assert_eq!(begun.len(), 1);
    let told = NewRun { id: begun[0].1, ..new_run(b.id, begun[0].0, 1) };
    b.answer(&db, &told, "the transcript", StopReason::EndTurn).await;
    assert_eq!(begin(&db).await, [], "a companion's work is no turn");
    b.turns(&db, &["a word to the companion itself"]).await;
    assert_eq!(begin(&db).await.len(), 1);
    db.drop_database().await;
}

/// Enough randomness for a test; the seed is in the message of a failure.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// Asks all the time, as a node does, over connections that others cut.
async fn sleeper(store: Db, stop: Arc<AtomicBool>) {
    let mut patience = (2..40).cycle();
    while !stop.load(Ordering::Relaxed) {
        // Some callers give up in the middle.
        let asked = store.system.begin_sleep_time(at(1_000), 3, &RandomIds);
        let _ = tokio::time::timeout(Duration::from_millis(patience.next().unwrap()), asked).await;
    }
    store.system.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_as_many_runs_as_full_numbers_of_turns() {
    let Some(db) = test_db().await else { return };
    let seed = Uuid::new_v4().as_u64_pair().1;
    let mut dice = Dice(seed);
    let mut agents = vec![];
    for _ in 0..6 {
        let (main, mate) = (Main::new(&db).await, companion(&db).await);
        let frequency = 1 + dice.below(6);
        let group = group_of(&db, main.id, &[mate], frequency as i32).await;
        agents.push((main, mate, frequency, group, Vec::<String>::new()));
    }
    let stop = Arc::new(AtomicBool::new(false));
    let mut sleepers = vec![];
    for _ in 0..3 {
        let store = Db::new(Store::connect(&db.uri(), &settings()).await.unwrap());
        sleepers.push(tokio::spawn(sleeper(store, stop.clone())));
    }
    let mut raw = db.raw().await;
    let mut killed = 0_usize;
    for i in 0..150 {
        let n = dice.below(agents.len() as u64) as usize;
        let (main, .., said) = &mut agents[n];
        let end = [StopReason::LlmApiError, StopReason::Cancelled, StopReason::RequiresApproval];
        let end = end.get(dice.below(9) as usize).copied().unwrap_or(StopReason::EndTurn);
        main.run(&db, &format!("<{i}>"), end).await;
        if end == StopReason::EndTurn {
            said.push(format!("user: <{i}>"));
        }
        if dice.below(4) == 0 {
            // Whoever is in the middle of a group.
            let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE datname = current_database() AND pid <> pg_backend_pid()
                          AND (query LIKE '%turns_worked%' OR query LIKE '%INTO run_keys%')";
            killed += sqlx::query(kill).fetch_all(&mut raw).await.unwrap().len();
        }
    }
    stop.store(true, Ordering::Relaxed);
    futures::future::join_all(sleepers).await;
    let begun: i64 =
        sqlx::query_scalar("SELECT count(*) FROM runs WHERE run_type = 'sleeptime'").fetch_one(&mut raw).await.unwrap();
    assert!(killed > 0 && begun > 0, "nothing was tried");
    begin(&db).await;
    for (_, mate, frequency, group, said) in &agents {
        let runs = runs(&db, *mate).await;
        assert_eq!(runs.len() as u64, said.len() as u64 / frequency, "seed {seed}, every {frequency}");
        let all = runs.iter().map(transcript).collect::<Vec<_>>().join(" | ");
        let told = said.len() - said.len() % *frequency as usize;
        for (i, words) in said.iter().enumerate() {
            let times = all.split(" | ").filter(|line| line == words).count();
            assert_eq!(times, usize::from(i < told), "seed {seed}, {words} of {group}");
        }
        let counted = db.group(*group).await.unwrap().unwrap().turns_counter;
        assert_eq!(counted, Some(said.len() as i64 - 1), "seed {seed}");
    }
    drop(raw);
    db.drop_database().await;
}
