//! What an administrator is shown of live agents.

use engram_core::ports::NewRun;
use engram_domain::{AgentId, ConversationId, Group, ManagerConfig, Schedule, ScheduleId, schedule::When};
use uuid::Uuid;

use crate::support::*;

#[tokio::test]
async fn names_and_groups() {
    let Some(db) = test_db().await else { return };
    let (a, b, c) = (store_agent(&db, vec![]).await, store_agent(&db, vec![]).await, store_agent(&db, vec![]).await);
    let gone = ConversationId(Uuid::new_v4());
    assert_eq!(
        db.agents_of(&[a.id.default_conversation(), gone]).await.unwrap(),
        [(a.id.default_conversation(), a.id)]
    );
    let named = db.named_agents(&[a.id, AgentId(gone.0)]).await.unwrap();
    assert_eq!(named.iter().map(|c| (c.id, c.name.as_str())).collect::<Vec<_>>(), [(a.id, a.name.as_str())]);
    let led = group(ManagerConfig::Supervisor { manager_agent_id: a.id }, &[b.id]);
    let round = Group { created_at: at(2), ..group(ManagerConfig::RoundRobin { max_turns: None }, &[b.id, c.id]) };
    for group in [&led, &round] {
        db.create_group(group).await.unwrap();
    }
    let active = async |agents: &[AgentId], limit| {
        let found = db.active_groups(agents, limit).await.unwrap();
        found.into_iter().map(|(group, open)| (group.id, open)).collect::<Vec<_>>()
    };
    assert_eq!(active(&[a.id], 9).await, [(led.id, 0)], "its manager is named");
    assert_eq!(active(&[b.id, c.id], 9).await, [(led.id, 0), (round.id, 0)], "a member is");
    assert_eq!(active(&[b.id], 1).await, [(led.id, 0)]);
    assert!(active(&[], 9).await.is_empty());
    let run = NewRun { agent_id: None, owner: round.id.into(), ..new_run(a.id, gone, 3) };
    accept(&db, &run).await;
    assert_eq!(active(&[], 9).await, [(round.id, 1)], "somebody speaks to it");
    db.drop_database().await;
}

#[tokio::test]
async fn schedules_by_their_next_time() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await.id;
    let mut ids = vec![];
    for next in [Some(at(20)), Some(at(10)), None] {
        let when = When::Interval { every_seconds: 60 };
        let id = ScheduleId(Uuid::new_v4());
        let schedule = Schedule { id, next_at: next, created_at: at(0), ..engram_testkit::schedule(agent, when) };
        db.create_schedule(&schedule).await.unwrap();
        ids.push(schedule.id);
    }
    let coming = async |limit| db.coming_schedules(limit).await.unwrap().iter().map(|s| s.id).collect::<Vec<_>>();
    assert_eq!(coming(9).await, [ids[1], ids[0]], "one that is never due again is left out");
    assert_eq!(coming(1).await, ids[1..2]);
    db.drop_database().await;
}
