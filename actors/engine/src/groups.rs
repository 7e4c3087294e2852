//! Groups whose agents speak in turns.
//!
//! A message to such a group is a row of its own. Whoever drives it asks the members one after the other, by runs that are
//! named after the message and the turn: a driver that begins again finds what was said before as it was, because a
//! run of a known name is the run that has it. So a crash loses nothing, and two drivers do nothing twice.

use std::{sync::Arc, time::Duration};

use engram_core::{
    group::{self, Next, Play, Policy, Turn},
    ports::{GroupRun, GroupScene, NewRun, StoreError, agents::said},
    step::{RunEnd, RunError},
};
use engram_domain::{
    AgentId, Content, Group, ManagerConfig, Message, Role, RunId, RunInput, StopReason, Usage, run::BusyPolicy,
    run::Decision,
};

use crate::{
    Engine, Inner,
    api::{StreamEvent, SubmitError},
    follow::RunStream,
};

/// Pauses between tries while the database cannot be reached.
const AGAIN: Duration = Duration::from_millis(500);
/// Runs that may wait in a member's queue.
const MAX_QUEUE: i64 = 10_000;

impl Engine {
    /// Accepts a message to a group whose agents speak in turns. The stream has what they say, and ends with
    /// the last of them.
    pub async fn submit_to_group(&self, run: GroupRun) -> Result<RunStream, SubmitError> {
        let inner = &self.0;
        if inner.closing.is_cancelled() {
            return Err(SubmitError::ShuttingDown);
        }
        let here = inner.hub.accept(run.id);
        let stream = RunStream::of_group(inner.clone(), &run).here(here);
        let work = inner.clone();
        let stored = inner.tasks.spawn(async move {
            if !work.ports.company.insert_group_run(&run, work.settings.card.id).await? {
                return Err(SubmitError::NotFound);
            }
            drive(&work, run.id);
            Ok(())
        });
        let result = stored.await.unwrap_or_else(|e| Err(StoreError::Database(e.to_string()).into()));
        if result.is_err() {
            inner.hub.leave(stream.run_id());
        }
        result.map(|()| stream)
    }
}

/// Drives a message to a group in a task of its own, unless this node does so already.
pub(crate) fn drive(inner: &Arc<Inner>, run: RunId) {
    if !inner.plays.insert(run) {
        return;
    }
    let inner = inner.clone();
    inner.tasks.clone().spawn(async move {
        if let Err(error) = play(&inner, run).await {
            tracing::warn!(%error, %run, "a group's conversation was interrupted; it goes on later");
        }
        inner.plays.remove(&run);
    });
}

async fn play(inner: &Arc<Inner>, id: RunId) -> Result<(), StoreError> {
    let company = &inner.ports.company;
    let Some(scene) = company.claim_group_run(id, inner.settings.card.id).await? else { return Ok(()) };
    let mut usage = Usage::default();
    let mut steps = 0;
    let outcome = match policy(&scene) {
        Some(policy) => perform(inner, &scene, policy, &mut usage, &mut steps).await?,
        None => Some(RunError::new("internal_error", "The group's agents do not speak in turns.")),
    };
    let reason = if outcome.is_some() { StopReason::Error } else { StopReason::EndTurn };
    let words = outcome.as_ref().map(|error| error.message.as_str());
    company.end_group_run(id, reason, words, inner.ports.clock.now()).await?;
    let agent_id = scene.members.first().map_or(AgentId(id.0), |member| member.id);
    let end = RunEnd {
        run_id: id,
        agent_id,
        status: reason.status(),
        stop_reason: reason,
        usage,
        step_count: steps,
        context_tokens: 0,
        error: outcome,
    };
    inner.hub.publish(id, StreamEvent::Ended(Box::new(end)));
    Ok(())
}

fn policy(scene: &GroupScene) -> Option<Policy> {
    let turns = |n: Option<i32>| n.and_then(|n| usize::try_from(n).ok());
    match &scene.group.manager {
        ManagerConfig::RoundRobin { max_turns } => Some(Policy::RoundRobin { max_turns: turns(*max_turns) }),
        ManagerConfig::Dynamic { termination_token, max_turns, .. } => Some(Policy::Dynamic {
            manager: scene.manager.clone()?,
            termination_token: termination_token.clone(),
            max_turns: turns(*max_turns),
        }),
        _ => None,
    }
}

/// Plays to the end. The error that ended it: when nobody could speak at all.
async fn perform(
    inner: &Arc<Inner>,
    scene: &GroupScene,
    policy: Policy,
    usage: &mut Usage,
    steps: &mut i32,
) -> Result<Option<RunError>, StoreError> {
    let mut members = scene.members.clone();
    if let Policy::Dynamic { manager, .. } = &policy {
        // It leads, and does not speak.
        members.retain(|member| member.id != manager.id);
    }
    let manager = scene.manager.as_ref().map(|manager| manager.id);
    let input = scene.run.input.messages.clone();
    let mut play = Play { group: scene.group.id, policy, members, input, turns: Vec::new() };
    let mut last_error = None;
    while let Next::Ask { to, messages, decisions, tools, aloud } = play.next() {
        let input = RunInput { messages, decisions, client_tools: tools, ..member_input(scene) };
        let turn = turn(inner, scene, play.turns.len(), to, input, aloud, (&mut *usage, &mut *steps)).await?;
        last_error = turn.error.clone().or(last_error);
        play.turns.push(turn);
    }
    if let Some(decision) = manager.and_then(|manager| group::farewell(&play, manager)) {
        farewell(inner, scene, play.turns.len(), decision).await?;
    }
    let nobody_spoke = play.turns.iter().all(|turn| turn.error.is_some());
    Ok(last_error.filter(|_| nobody_spoke).map(|message| RunError::new("internal_error", message)))
}

/// What every member's run has of the group's.
fn member_input(scene: &GroupScene) -> RunInput {
    let input = &scene.run.input;
    RunInput {
        max_steps: input.max_steps,
        stream_tokens: false,
        request_config: input.request_config.clone(),
        ..RunInput::default()
    }
}

fn member_run(inner: &Inner, scene: &GroupScene, turn: usize, to: AgentId, input: RunInput) -> NewRun {
    NewRun {
        id: RunId(inner.ports.ids.uuid()),
        agent_id: to,
        conversation_id: to.default_conversation(),
        input,
        background: false,
        run_type: "group".into(),
        metadata: serde_json::json!({ "group_id": scene.group.id, "group_run_id": scene.run.id }),
        callback_url: None,
        keys: vec![format!("group:{}:{turn}", scene.run.id)],
        busy_policy: Some(BusyPolicy::Queue),
        max_queue: MAX_QUEUE,
        created_at: inner.ports.clock.now(),
    }
}

/// One agent's turn, shown to whoever listens to the group when it is for everybody's ears.
async fn turn(
    inner: &Arc<Inner>,
    scene: &GroupScene,
    number: usize,
    to: AgentId,
    input: RunInput,
    aloud: bool,
    (usage, steps): (&mut Usage, &mut i32),
) -> Result<Turn, StoreError> {
    let mut turn = Turn { agent: to, said: Vec::new(), call: None, error: None };
    let mut stream = match ask(inner, scene, number, to, input).await? {
        Ok(stream) => stream,
        Err(error) => return Ok(Turn { error: Some(error), ..turn }),
    };
    let name = name_of(scene, to);
    while let Some((_, event)) = stream.next().await {
        match event {
            StreamEvent::Message(message) => {
                turn.said.extend(said(&message));
                if message.role == Role::Approval
                    && let Some(call) = message.content.calls().iter().find(|call| call.name == group::CHOOSE)
                {
                    turn.call = Some(call.clone());
                }
                if aloud && shown(&message) {
                    let message = Message { name: Some(name.clone()), ..(*message).clone() };
                    inner.hub.publish(scene.run.id, StreamEvent::Message(Arc::new(message)));
                }
            }
            StreamEvent::Delta { .. } => {}
            StreamEvent::Ended(end) => {
                usage.add(end.usage);
                *steps += end.step_count;
                turn.error = end.error.map(|error| error.message);
            }
        }
    }
    Ok(turn)
}

/// Submits a member's turn; while the database is away, again.
async fn ask(
    inner: &Arc<Inner>,
    scene: &GroupScene,
    number: usize,
    to: AgentId,
    input: RunInput,
) -> Result<Result<RunStream, String>, StoreError> {
    let engine = Engine(inner.clone());
    let run = member_run(inner, scene, number, to, input);
    loop {
        match engine.submit(run.clone()).await {
            Ok(stream) => return Ok(Ok(stream)),
            Err(SubmitError::Store(StoreError::Unavailable(why))) => {
                tracing::debug!(why, "a group waits for the database");
                tokio::time::sleep(AGAIN).await;
            }
            Err(SubmitError::Store(error)) => return Err(error),
            // Another node goes on.
            Err(SubmitError::ShuttingDown) => return Err(StoreError::Unavailable("this node is stopping".into())),
            Err(error) => return Ok(Err(error.to_string())),
        }
    }
}

/// The manager's last call gets its result, so that its conversation is in order.
async fn farewell(inner: &Arc<Inner>, scene: &GroupScene, number: usize, decision: Decision) -> Result<(), StoreError> {
    let Some(manager) = &scene.manager else { return Ok(()) };
    let input = RunInput { decisions: vec![decision], ..member_input(scene) };
    if let Ok(mut stream) = ask(inner, scene, number, manager.id, input).await? {
        while stream.next().await.is_some() {}
    }
    Ok(())
}

fn name_of(scene: &GroupScene, agent: AgentId) -> String {
    let known = scene.members.iter().chain(&scene.manager).find(|member| member.id == agent);
    known.map_or_else(|| agent.to_string(), |member| member.name.clone())
}

/// What the group's listeners see: what members say and do, not what they are told.
fn shown(message: &Message) -> bool {
    matches!(message.content, Content::Assistant { .. } | Content::ToolReturn(_))
}

/// Whether agents of a group speak in turns, as opposed to its manager speaking alone.
pub fn speaks_in_turns(group: &Group) -> bool {
    matches!(group.manager, ManagerConfig::RoundRobin { .. } | ManagerConfig::Dynamic { .. })
}
