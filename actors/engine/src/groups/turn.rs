//! One agent's turn in a group.

use std::sync::Arc;

use engram_core::{
    group::{self, Turn},
    ports::{GroupScene, NewRun, StoreError, agents::said},
    step::RunError,
};
use engram_domain::{
    AgentId, Content, Message, RequestKey, Role, RunErrorKind, RunId, RunInput, RunType, Scope, StopReason, Usage,
    run::BusyPolicy,
};

use super::{AGAIN, stopping};
use crate::{
    Engine, Inner,
    api::{StreamEvent, SubmitError},
    follow::RunStream,
};

/// What every member's run has of the group's.
pub(super) fn member_input(scene: &GroupScene) -> RunInput {
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
        run_type: RunType::GroupTurn,
        metadata: serde_json::json!({ "group_id": scene.group.id, "group_run_id": scene.run.id }),
        callback_url: None,
        keys: vec![RequestKey::group_turn(scene.run.id, turn)],
        busy_policy: Some(BusyPolicy::Queue),
        // The message to the group is accepted: a turn of it is not refused.
        max_queue: i64::MAX,
        created_at: inner.ports.clock.now(),
        // Members are agents of the group's organization.
        scope: Scope::System,
    }
}

/// What a message to a group has cost, and what went wrong.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) usage: Usage,
    pub(super) steps: i32,
    /// Who could not speak, and why.
    pub(super) errors: Vec<(String, RunError)>,
}

impl Tally {
    /// The errors in words.
    pub(super) fn words(&self) -> String {
        let lines: Vec<String> = self.errors.iter().map(|(who, error)| format!("{who}: {}", error.message)).collect();
        lines.join("\n")
    }

    fn failed(&mut self, who: String, error: RunError) -> String {
        tracing::warn!(error = error.message, kind = %error.kind, "an agent of a group could not speak");
        let words = error.message.clone();
        self.errors.push((who, error));
        words
    }
}

/// One agent's turn, shown to whoever listens to the group when it is part of the answer.
pub(super) async fn turn(
    inner: &Arc<Inner>,
    scene: &GroupScene,
    number: usize,
    to: AgentId,
    input: RunInput,
    shown: bool,
    tally: &mut Tally,
) -> Result<Turn, StoreError> {
    let mut turn = Turn { agent: to, said: Vec::new(), call: None, error: None };
    let name = name_of(scene, to);
    let mut stream = match ask(inner, scene, number, to, input).await? {
        Ok(stream) => stream,
        Err(error) => {
            let error = tally.failed(name, RunError::new(RunErrorKind::Internal, error));
            return Ok(Turn { error: Some(error), ..turn });
        }
    };
    while let Some((_, event)) = stream.next().await {
        match event {
            StreamEvent::Message(message) => {
                turn.said.extend(said(&message));
                if message.role == Role::Approval
                    && let Some(call) = message.content.calls().iter().find(|call| call.name == group::CHOOSE)
                {
                    turn.call = Some(call.clone());
                }
                if shown && is_shown(&message) {
                    let message = Message { name: Some(name.clone()), ..(*message).clone() };
                    inner.hub.publish(scene.run.id, None, StreamEvent::Message(Arc::new(message)));
                }
            }
            StreamEvent::Delta { .. } => {}
            StreamEvent::Ended(end) => {
                tally.usage.add(end.usage);
                tally.steps += end.step_count;
                let speechless = turn.call.is_none() && turn.said.is_empty();
                // Somebody may have stopped it, or must decide first.
                let error = end.error.or_else(|| match end.stop_reason {
                    StopReason::Cancelled if turn.call.is_none() => {
                        Some(RunError::new(RunErrorKind::Cancelled, "its turn was cancelled"))
                    }
                    StopReason::RequiresApproval if speechless => {
                        Some(RunError::new(RunErrorKind::RequiresApproval, "it waits for a decision on a tool call"))
                    }
                    _ => None,
                });
                turn.error = error.map(|error| tally.failed(name.clone(), error));
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
            Err(SubmitError::ShuttingDown) => return Err(stopping()),
            Err(error) => return Ok(Err(error.to_string())),
        }
    }
}

fn name_of(scene: &GroupScene, agent: AgentId) -> String {
    let known = scene.members.iter().chain(&scene.manager).find(|member| member.id == agent);
    known.map_or_else(|| agent.to_string(), |member| member.name.clone())
}

/// What the group's listeners see: what members say and do, not what they are told.
fn is_shown(message: &Message) -> bool {
    matches!(message.content, Content::Assistant { .. } | Content::ToolReturn(_))
}
