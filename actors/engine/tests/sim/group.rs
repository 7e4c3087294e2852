//! Messages to a group whose agents speak in turns: who sends them, and what must hold when all is over.

use std::sync::Arc;

use engram_core::{group::Member, ports::NewRun};
use engram_domain::{
    AgentId, AgentType, Content, Group, GroupId, ManagerConfig, Message, MessageId, RequestKey, Run, RunErrorKind,
    RunId, RunStatus,
};
use engram_engine::{RunStream, StreamEvent, SubmitError};
use engram_testkit::{World, input, new_run};
use tokio::time::{Duration, sleep};
use uuid::Uuid;

use crate::{
    client::{Tasks, cancel, over, row, some_node},
    db::{GroupPlace, Place, Tables},
    node::Node,
    plan::{GroupPlan, ToGroup},
    sim::Sim,
    views::View,
};

/// The number of the first member. The others follow.
const FIRST: u128 = 20;

fn id() -> GroupId {
    GroupId(Uuid::from_u128(0x6000))
}

/// The group with its members.
pub fn found(plan: &GroupPlan) -> (GroupPlace, Vec<Place>) {
    let members = (0..plan.members).map(|n| World::small(FIRST + n, AgentType::LettaV1Agent));
    let places: Vec<Place> = members.map(Place::new).collect();
    let manager = ManagerConfig::RoundRobin { max_turns: Some(i32::try_from(plan.turns).expect("they are few")) };
    let agents: Vec<_> = places.iter().map(|place| place.world.conversation.agent_id).collect();
    let group = Group { id: id(), ..engram_testkit::group(manager, agents) };
    let member = |place: &Place| {
        let agent = &place.world.snapshot.agent;
        Member { id: agent.id, name: agent.name.clone(), description: String::new() }
    };
    let members = places.iter().map(member).collect();
    (GroupPlace::new(group, members), places)
}

/// Sends a message until it is accepted, and follows it to its end.
pub async fn send(sim: &Arc<Sim>, message: &ToGroup, tasks: &mut Tasks) {
    let key = format!("otid:{}", message.name);
    loop {
        let node = some_node(sim).await;
        let nobody = AgentId(Uuid::nil());
        let run = NewRun {
            id: RunId(sim.db.uuid()),
            agent_id: None,
            owner: id().into(),
            metadata: serde_json::json!({ "request": message.name, "attempt": 0 }),
            keys: vec![RequestKey::stored(&key)],
            created_at: sim.db.now(),
            ..new_run(nobody, input(&message.name))
        };
        let stream = match over(&node, node.engine.submit(run)).await {
            Some(Ok(stream)) => stream,
            Some(Err(SubmitError::NotFound | SubmitError::KeyReused)) => {
                return sim.wrong(format!("{key} was refused for good"));
            }
            Some(Err(_)) | None => {
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let run = stream.run_id();
        sim.tell(|| format!("{key} is {run}"));
        sim.accepted.lock().insert(key, run);
        if let Some(after) = message.cancel {
            let sim = sim.clone();
            tasks.push(tokio::spawn(async move {
                sleep(after).await;
                cancel(&sim, id().into(), run).await;
            }));
        }
        return follow(sim, (node, stream), run).await;
    }
}

/// Follows a run from node to node. A node that stops before the end says so, and that is no end.
async fn follow(sim: &Sim, first: (Arc<Node>, RunStream), run: RunId) {
    let mut view = View { run, durable: true, after: 0, events: Vec::new() };
    let mut place = Some(first);
    loop {
        let (node, mut stream) = if let Some(place) = place.take() {
            place
        } else {
            sleep(Duration::from_millis(50)).await;
            let node = some_node(sim).await;
            let stream = node.engine.follow(&row(sim, run), view.position());
            (node, stream)
        };
        loop {
            match over(&node, stream.next()).await {
                None => break,
                Some(Some((_, StreamEvent::Ended(end)))) if is_stop(&end) => break,
                Some(Some((number, event))) => {
                    if let Err(why) = sim.views.note(run, number, &event) {
                        sim.wrong(why);
                    }
                    view.events.push((number, event));
                }
                Some(None) => return sim.views.whole.lock().push(view),
            }
        }
    }
}

fn is_stop(end: &engram_engine::RunEnd) -> bool {
    end.error.as_ref().is_some_and(|error| error.kind == RunErrorKind::Interrupted)
}

/// Messages of a turn that are part of the group's answer.
fn answer<'a>(t: &'a Tables, turn: &'a Run) -> impl Iterator<Item = &'a Message> {
    let place = turn.owner.conversation().and_then(|id| t.place(id)).expect("a turn has a conversation");
    let messages = place.world.messages.values().map(|m| &**m).filter(move |m| m.run_id == Some(turn.id));
    messages.filter(|m| matches!(m.content, Content::Assistant { .. } | Content::ToolReturn(_)))
}

/// What the agents said in a run, in the order of its turns.
pub fn story(t: &Tables, run: RunId) -> Vec<String> {
    t.turns(run).into_iter().flat_map(|turn| answer(t, turn)).map(|m| m.content.plain_text()).collect()
}

/// Messages that a run has shown, by their numbers.
pub fn shown(t: &Tables, run: RunId) -> Vec<MessageId> {
    let events = t.events.get(&run).into_iter().flat_map(|log| log.values());
    events
        .filter_map(|event| match serde_json::from_value(event.clone()) {
            Ok(StreamEvent::Message(message)) => Some(message.id),
            _ => None,
        })
        .collect()
}

/// A message has ended once, with each turn once, in the order of the members; what they said was shown once, and in order.
pub fn check(sim: &Sim, t: &Tables) {
    let Some(plan) = &sim.plan.group else { return };
    for place in t.groups.values() {
        for run in place.runs.values() {
            let turns = t.turns(run.id);
            let speakers: Vec<_> = turns.iter().filter_map(|turn| turn.agent_id).collect();
            let in_order: Vec<_> = place.members.iter().cycle().take(turns.len()).map(|member| member.id).collect();
            if speakers != in_order {
                sim.wrong(format!("in {} spoke {speakers:?}, in place of {in_order:?}", run.id));
            }
            if let Some(open) = turns.iter().find(|turn| !turn.status.is_terminal()) {
                sim.wrong(format!("{} is open, and {} is over", open.id, run.id));
            }
            let said: Vec<MessageId> = turns.iter().flat_map(|turn| answer(t, turn)).map(|m| m.id).collect();
            let shown = shown(t, run.id);
            let whole = run.status == RunStatus::Completed;
            if whole && (turns.len() != plan.turns || turns.iter().any(|turn| turn.status != RunStatus::Completed)) {
                sim.wrong(format!("{} has {} of {} turns", run.id, turns.len(), plan.turns));
            }
            if if whole { said != shown } else { !said.starts_with(&shown) } {
                sim.wrong(format!("of {} was shown {shown:?} of {said:?}", run.id));
            }
        }
    }
}
