//! Those who send, listen and cancel. They live outside the nodes, never die, and do what a good client does when its
//! connection breaks: it sends the same request again, somewhere else, under the same key.

use std::{future::Future, sync::Arc, time::Duration};

use engram_core::ports::NewRun;
use engram_domain::{
    MessageId, RequestKey, Role, Run, RunErrorKind, RunId, RunInput, RunOwner, StopReason, run::Decision,
};
use engram_engine::{Command, CommandError, Pending, RunStream, SubmitError};
use engram_testkit::{ONCE, input, new_run};
use futures::future::join_all;
use tokio::{task::JoinHandle, time::Instant};

use crate::{
    group,
    net::Link,
    node::Node,
    plan::{Request, Word},
    sim::Sim,
    views::View,
};

pub type Tasks = Vec<JoinHandle<()>>;

/// All clients, to the end of what they want.
pub fn all(sim: &Arc<Sim>) -> impl Future<Output = ()> + use<> {
    let clients = sim.plan.clients.clone().into_iter().map(|requests| {
        let sim = sim.clone();
        tokio::spawn(async move {
            let mut tasks = Tasks::new();
            for request in &requests {
                tokio::time::sleep(request.pause).await;
                carry_out(&sim, request, &mut tasks).await;
            }
            join(tasks).await;
        })
    });
    let to_group = sim.plan.group.iter().flat_map(|group| group.clients.clone()).map(|messages| {
        let sim = sim.clone();
        tokio::spawn(async move {
            let mut tasks = Tasks::new();
            for message in &messages {
                tokio::time::sleep(message.pause).await;
                group::send(&sim, message, &mut tasks).await;
            }
            join(tasks).await;
        })
    });
    join(clients.chain(to_group).collect())
}

async fn join(tasks: Tasks) {
    for done in join_all(tasks).await {
        if let Err(error) = done {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

/// A node that runs, as a load balancer would pick it.
pub async fn some_node(sim: &Sim) -> Arc<Node> {
    loop {
        let nodes = sim.places.iter().filter_map(|place| place.lock().clone());
        let nodes: Vec<Arc<Node>> = nodes.filter(|node| !node.power.dead().is_cancelled()).collect();
        if !nodes.is_empty() {
            return sim.draw(|rng| rng.pick(&nodes).clone());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Over a connection that breaks when the node dies.
pub async fn over<T>(node: &Node, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = node.power.dead().cancelled() => None,
        result = work => Some(result),
    }
}

/// A request and what follows from it: its approval, another try when somebody else's approval stood in the way.
async fn carry_out(sim: &Arc<Sim>, request: &Request, tasks: &mut Tasks) {
    for attempt in 0.. {
        let first = Parcel { request: request.clone(), attempt, part: 0, input: input(&request.name) };
        if let Some(after) = request.again {
            let (sim, twin) = (sim.clone(), first.clone());
            tasks.push(tokio::spawn(async move {
                tokio::time::sleep(after).await;
                deliver(&sim, &twin, &mut Tasks::new()).await;
            }));
        }
        let mut run = deliver(sim, &first, tasks).await;
        for part in 1.. {
            if run.stop_reason != Some(StopReason::RequiresApproval) {
                break;
            }
            let Some(input) = decide(sim, request, run.id).await else { return };
            run = deliver(sim, &Parcel { request: request.clone(), attempt, part, input }, tasks).await;
        }
        if run.error_kind != Some(RunErrorKind::PendingApproval) {
            return;
        }
        let pause = sim.draw(|rng| rng.millis(100, 300));
        tokio::time::sleep(pause).await;
    }
}

/// Something to be delivered exactly once.
#[derive(Clone)]
struct Parcel {
    request: Request,
    attempt: usize,
    part: usize,
    input: RunInput,
}

impl Parcel {
    fn key(&self) -> String {
        format!("otid:{}#{}.{}", self.request.name, self.attempt, self.part)
    }

    fn run(&self, sim: &Sim) -> NewRun {
        let (agent_id, conversation_id) =
            sim.db.with(|t| (t.main.world.conversation.agent_id, t.main.world.conversation.id));
        let mut input = self.input.clone();
        input.stream_tokens = self.request.tokens;
        NewRun {
            id: RunId(sim.db.uuid()),
            owner: conversation_id.into(),
            background: self.request.background,
            metadata: serde_json::json!({"request": self.request.name, "attempt": self.attempt}),
            keys: vec![RequestKey::stored(self.key())],
            busy_policy: self.request.policy,
            created_at: sim.db.now(),
            ..new_run(agent_id, input)
        }
    }
}

/// Sends it until it is accepted and its end is known.
async fn deliver(sim: &Arc<Sim>, parcel: &Parcel, tasks: &mut Tasks) -> Run {
    let mut accepted = false;
    loop {
        let node = some_node(sim).await;
        let submitted = over(&node, node.engine.submit(parcel.run(sim))).await;
        let stream = match submitted {
            Some(Ok(stream)) => stream,
            Some(Err(SubmitError::NotFound | SubmitError::KeyReused)) => {
                sim.wrong(format!("{} was refused for good", parcel.key()));
                std::future::pending().await
            }
            Some(Err(SubmitError::ShuttingDown)) if sim.plan.nodes > 1 && !sim.is_disturbed() && drained(sim) == 1 => {
                sim.wrong("a node refused a request although others were there".into());
                continue;
            }
            Some(Err(_)) | None => {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let run = stream.run_id();
        sim.tell(|| format!("{} is {run}", parcel.key()));
        let known = *sim.accepted.lock().entry(parcel.key()).or_insert(run);
        if known != run {
            sim.wrong(format!("{} is {known} and {run}", parcel.key()));
        }
        if !std::mem::replace(&mut accepted, true) && parcel.part == 0 {
            accompany(sim, &parcel.request, run, tasks);
        }
        let view = View { run, durable: parcel.request.background, after: 0, events: Vec::new() };
        if parcel.request.background {
            listen_on(sim, Some((node, stream)), view).await;
            return row(sim, run);
        }
        if listen(sim, &node, stream, view).await.is_ok() {
            return row(sim, run);
        }
    }
}

fn drained(sim: &Sim) -> usize {
    sim.plan.drains.len()
}

pub fn row(sim: &Sim, run: RunId) -> Run {
    sim.db.with(|t| t.run(run).expect("it was accepted").clone())
}

/// Starts those who listen to a run or want its end.
fn accompany(sim: &Arc<Sim>, request: &Request, run: RunId, tasks: &mut Tasks) {
    for after in &request.readers {
        let (sim, after) = (sim.clone(), *after);
        tasks.push(tokio::spawn(async move {
            tokio::time::sleep(after).await;
            listen_on(&sim, None, View { run, durable: true, after: 0, events: Vec::new() }).await;
        }));
    }
    if let Some(after) = request.cancel {
        let sim = sim.clone();
        tasks.push(tokio::spawn(async move {
            tokio::time::sleep(after).await;
            let owner = row(&sim, run).owner;
            cancel(&sim, owner, run).await;
        }));
    }
}

/// Listens to the end; what was told until then when the node dies.
async fn listen(sim: &Sim, node: &Node, mut stream: RunStream, mut view: View) -> Result<(), View> {
    loop {
        match over(node, stream.next()).await {
            None => return Err(view),
            Some(Some((number, event))) => {
                if view.durable
                    && let Err(why) = sim.views.note(view.run, number, &event)
                {
                    sim.wrong(why);
                }
                view.events.push((number, event));
            }
            Some(None) => {
                sim.views.whole.lock().push(view);
                return Ok(());
            }
        }
    }
}

/// Listens to a run whose events are kept, from node to node.
async fn listen_on(sim: &Sim, first: Option<(Arc<Node>, RunStream)>, mut view: View) {
    let mut place = first;
    loop {
        let (node, stream) = if let Some(place) = place.take() {
            place
        } else {
            let node = some_node(sim).await;
            let stream = node.engine.follow(&row(sim, view.run), view.position());
            (node, stream)
        };
        match listen(sim, &node, stream, view).await {
            Ok(()) => return,
            Err(so_far) => view = so_far,
        }
    }
}

pub async fn cancel(sim: &Sim, owner: RunOwner, run: RunId) {
    loop {
        let node = some_node(sim).await;
        let started = Instant::now();
        if let Some(Ok(ended)) = over(&node, node.engine.cancel(owner, run)).await {
            let (took, status) = (started.elapsed(), row(sim, run).status);
            sim.tell(|| format!("cancelled {run}: {ended}, {took:?}"));
            if !status.is_terminal() {
                sim.wrong(format!("{run} was cancelled, and is {status:?}"));
            }
            let slow = Duration::from_millis(1_000 + 20 * sim.plan.store_ms);
            // Of a group, its turns are cancelled one after the other.
            if took > slow && !node.power.was_frozen() && owner.group().is_none() {
                sim.wrong(format!("a cancellation took {took:?}"));
            }
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The client's word on a request for approval. None when it takes it back.
async fn decide(sim: &Sim, request: &Request, asked_by: RunId) -> Option<RunInput> {
    let pause = sim.draw(|rng| rng.millis(0, 200));
    tokio::time::sleep(pause).await;
    let all = |approve| Decision::Approval { tool_call_id: None, approve, reason: None };
    let decisions = match request.word {
        Word::Approve => vec![all(true)],
        Word::Deny => vec![all(false)],
        Word::Return => sim.db.with(|t| {
            let asked =
                t.main.world.messages.values().rev().find(|m| m.role == Role::Approval && m.run_id == Some(asked_by));
            let calls = asked.map(|m| m.content.calls().to_vec()).unwrap_or_default();
            let own = calls.into_iter().filter(|call| call.name == ONCE);
            own.map(|call| Decision::Return {
                tool_call_id: call.id,
                text: "the client did it".into(),
                ok: true,
                stdout: vec![],
                stderr: vec![],
            })
            .collect()
        }),
        Word::Command => {
            let conversation = sim.db.with(|t| t.main.world.conversation.id);
            // Whether an answer that never came was its own, it must see for itself: the command has no name.
            while let Some(request) = waits(sim, asked_by) {
                let node = some_node(sim).await;
                let deny = Command::DenyPending(Pending::Request(request));
                let denied = over(&node, node.engine.command(conversation, deny)).await;
                if matches!(denied, Some(Ok(_) | Err(CommandError::NotFound))) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            return None;
        }
    };
    Some(RunInput { decisions, ..RunInput::default() })
}

/// A run's request for approval, as long as it has no answer.
fn waits(sim: &Sim, run: RunId) -> Option<MessageId> {
    sim.db.with(|t| {
        let last = t.main.world.messages.values().next_back()?;
        let asks = last.role == Role::Approval && last.run_id == Some(run) && !last.content.calls().is_empty();
        asks.then_some(last.id)
    })
}

/// When all is over, everything is there to be read again, from any position.
pub async fn read_again(sim: &Sim) {
    let runs: Vec<RunId> = sim.accepted.lock().values().copied().collect();
    for run in runs {
        let run = row(sim, run);
        let last = sim.db.last_event(run.id);
        let behind = |after| View { run: run.id, durable: run.keeps_events(), after, events: Vec::new() };
        let after = if run.keeps_events() { sim.draw(|rng| rng.below(u64::try_from(last).unwrap_or(0))) } else { 0 };
        for after in [0, i64::try_from(after).unwrap_or(0)] {
            let node = some_node(sim).await;
            let stream = node.engine.follow(&run, after);
            if listen(sim, &node, stream, behind(after)).await.is_err() {
                sim.tell(|| "a node died while everything was read again".into());
            }
        }
    }
}
