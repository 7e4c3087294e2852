//! One turn: a run of one of the group's agents.

use engram_core::{
    group::{CHOOSE, Turn},
    ports::{NewRun, StoreError, agents::said, store::GroupTask},
    step::{RunEnd, RunError},
};
use engram_domain::{
    AgentId, Content, ConversationId, Message, RequestKey, Role, RunErrorKind, RunId, RunInput, RunType, Scope,
    StopReason, run::BusyPolicy,
};

use super::{
    AGAIN,
    run::{Progress, Stop, is_over},
};
use crate::{
    Engine, Inner,
    api::{StreamEvent, SubmitError},
    follow::RunStream,
};

/// What is asked of an agent.
pub(super) struct Ask {
    /// The number of the turn.
    pub(super) number: usize,
    /// Whose turn it is.
    pub(super) to: AgentId,
    pub(super) input: RunInput,
    /// Whether what it says is part of the group's answer.
    pub(super) shown: bool,
}

/// What the input of every turn has of the group's run.
pub(super) fn turn_input(task: &GroupTask) -> RunInput {
    let input = &task.run.input;
    RunInput {
        max_steps: input.max_steps,
        stream_tokens: false,
        request_config: input.request_config.clone(),
        ..RunInput::default()
    }
}

/// Makes a turn, or finds it made, and shows what belongs to the answer.
pub(super) async fn make(progress: &mut Progress<'_>, task: &GroupTask, ask: Ask) -> Result<Turn, Stop> {
    let (to, shown) = (ask.to, ask.shown);
    let mut turn = Turn { agent: to, said: Vec::new(), call: None, error: None };
    let name = name_of(task, to);
    let mut stream = match submit(progress.inner, task, ask).await? {
        Ok(stream) => stream,
        Err(why) => {
            turn.error = Some(failed(progress, &name, RunError::new(RunErrorKind::Internal, why)));
            return Ok(turn);
        }
    };
    // Whoever ended the run before this turn was there has not found it.
    if let Err(stop) = progress.check().await {
        if is_over(progress.inner, task.run.id).await? {
            Engine(progress.inner.clone()).cancel(to.default_conversation().into(), stream.run_id()).await?;
        }
        return Err(stop);
    }
    while let Some(event) = next(progress.inner, &mut stream, to.default_conversation()).await? {
        match event {
            StreamEvent::Message(message) => {
                turn.said.extend(said(&message));
                if message.role == Role::Approval
                    && let Some(call) = message.content.calls().iter().find(|call| call.name == CHOOSE)
                {
                    turn.call = Some(call.clone());
                }
                if shown && is_answer(&message) {
                    progress.show(Message { name: Some(name.clone()), ..(*message).clone() }).await?;
                }
            }
            StreamEvent::Delta { .. } => {}
            StreamEvent::Ended(end) => {
                progress.usage.add(end.usage);
                progress.steps += end.step_count;
                turn.error = why_not(*end, &turn).map(|error| failed(progress, &name, error));
            }
        }
    }
    Ok(turn)
}

/// The next event. A node that stops waits only for a turn that its own actor still makes: with any other one, other nodes or
/// its next start go on.
async fn next(
    inner: &Inner,
    stream: &mut RunStream,
    conversation: ConversationId,
) -> Result<Option<StreamEvent>, Stop> {
    let left_to_others = async {
        inner.closing.cancelled().await;
        while !inner.is_draining() && inner.registry.contains(conversation) {
            tokio::time::sleep(AGAIN).await;
        }
    };
    tokio::select! {
        biased;
        event = stream.next() => Ok(event.map(|(_, event)| event)),
        () = left_to_others => Err(Stop::Closing),
    }
}

/// Why an agent could not speak: it failed, somebody stopped it, or somebody must decide first.
fn why_not(end: RunEnd, turn: &Turn) -> Option<RunError> {
    end.error.or_else(|| match end.stop_reason {
        StopReason::Cancelled if turn.call.is_none() => {
            Some(RunError::new(RunErrorKind::Cancelled, "its turn was cancelled"))
        }
        StopReason::RequiresApproval if turn.call.is_none() && turn.said.is_empty() => {
            Some(RunError::new(RunErrorKind::RequiresApproval, "it waits for a decision on a tool call"))
        }
        _ => None,
    })
}

/// Notes that an agent could not speak.
fn failed(progress: &mut Progress<'_>, name: &str, error: RunError) -> String {
    tracing::warn!(agent = name, error = error.message, kind = %error.kind, "an agent of a group could not speak");
    let message = error.message.clone();
    progress.last_error = Some(error);
    message
}

/// Submits the turn; while the database is away, again.
async fn submit(inner: &std::sync::Arc<Inner>, task: &GroupTask, ask: Ask) -> Result<Result<RunStream, String>, Stop> {
    let engine = Engine(inner.clone());
    let run = NewRun {
        id: RunId(inner.ports.ids.uuid()),
        agent_id: Some(ask.to),
        owner: ask.to.default_conversation().into(),
        parent: Some(task.run.id),
        input: ask.input,
        background: false,
        run_type: RunType::GroupTurn,
        metadata: serde_json::json!({ "group_id": task.group.id, "group_run_id": task.run.id }),
        callback_url: None,
        keys: vec![RequestKey::group_turn(task.run.id, ask.number)],
        busy_policy: Some(BusyPolicy::Queue),
        // The message to the group is accepted: a turn of it is not refused.
        max_queue: i64::MAX,
        created_at: inner.ports.clock.now(),
        // Members are agents of the group's organization.
        scope: Scope::System,
    };
    loop {
        match engine.submit(run.clone()).await {
            Ok(stream) => return Ok(Ok(stream)),
            Err(SubmitError::Store(StoreError::Unavailable(why) | StoreError::Overloaded(why))) => {
                tracing::debug!(why, "a group waits for the database");
                tokio::time::sleep(AGAIN).await;
            }
            Err(SubmitError::Store(error)) => return Err(Stop::Store(error)),
            Err(SubmitError::ShuttingDown) => return Err(Stop::Closing),
            Err(error) => return Ok(Err(error.to_string())),
        }
    }
}

fn name_of(task: &GroupTask, agent: AgentId) -> String {
    let known = task.members.iter().chain(&task.manager).find(|member| member.id == agent);
    known.map_or_else(|| agent.to_string(), |member| member.name.clone())
}

/// What followers of the group see: what members say and do, not what they are told.
fn is_answer(message: &Message) -> bool {
    matches!(message.content, Content::Assistant { .. } | Content::ToolReturn(_))
}
