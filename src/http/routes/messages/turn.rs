//! Starting a run and answering with it: whole, as a stream, or at once.

use std::sync::Arc;

use axum::{
    Json as AxumJson,
    response::{IntoResponse, Response},
};
use engram_core::ports::NewRun;
use engram_domain::{AgentId, BusyPolicy, ConversationId, Json, Message, RunId, RunInput};
use engram_engine::{RunEnd, RunStream, StreamEvent};
use engram_store::messages::MessagePageError;
use serde_json::json;

use crate::app::App;
use crate::http::{
    caller::Caller,
    dto::messages::{LettaResponse, MessageRequest, Options, StopReasonDto, UsageDto, is_output, letta_messages},
    error::ApiError,
    idempotency::IdempotencyKey,
    sse::{self, Converter, Life},
};

/// Whom a run is for.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The agent.
    pub agent_id: AgentId,
    /// Its conversation.
    pub conversation_id: ConversationId,
}

impl Target {
    /// The agent's own history.
    pub fn default_of(agent_id: AgentId) -> Self {
        Self { agent_id, conversation_id: agent_id.default_conversation() }
    }
}

/// What a run is for, besides its input.
#[derive(Debug, Clone, Copy)]
pub struct Manner<'a> {
    /// `run_type` of the run's metadata.
    pub run_type: &'a str,
    /// Whether nobody waits.
    pub background: bool,
    /// Its `Idempotency-Key`.
    pub key: Option<&'a str>,
}

/// A run that is about to be submitted.
pub fn new_run(app: &App, target: Target, request: &MessageRequest, manner: Manner<'_>) -> Result<NewRun, ApiError> {
    let input: RunInput = request.run_input()?;
    // A word on pending calls is what everything else waits for: it is no new message, and no queue is too full for it.
    let answers = (!input.decisions.is_empty()).then_some(BusyPolicy::Queue);
    let max_queue = if answers.is_some() { i64::MAX } else { app.settings.limits.queue };
    Ok(NewRun {
        id: RunId(app.ids.uuid()),
        agent_id: target.agent_id,
        conversation_id: target.conversation_id,
        input,
        background: manner.background,
        run_type: manner.run_type.to_owned(),
        metadata: json!({}),
        callback_url: request.callback_url.clone(),
        keys: request.keys(manner.key),
        busy_policy: request.busy_policy.or(answers),
        max_queue,
        created_at: app.clock.now(),
    })
}

/// Runs and answers whole.
pub async fn answer(
    app: &App,
    target: Target,
    request: &MessageRequest,
    caller: Caller,
    key: &IdempotencyKey,
) -> Result<Response, ApiError> {
    let manner = Manner { run_type: "send_message", background: false, key: key.0.as_deref() };
    let mut run = new_run(app, target, request, manner)?;
    // Nobody would see the pieces.
    run.input.stream_tokens = false;
    let stream = submit(app, run).await?;
    collect(stream, &request.options(), caller).await.map(|response| AxumJson(response).into_response())
}

/// Runs and answers as a stream.
pub async fn answer_streaming(
    app: &App,
    target: Target,
    request: &MessageRequest,
    caller: Caller,
    key: &IdempotencyKey,
) -> Result<Response, ApiError> {
    let background = request.background.unwrap_or_default();
    let manner = Manner { run_type: "send_message_streaming", background, key: key.0.as_deref() };
    let run = new_run(app, target, request, manner)?;
    let stream = submit(app, run).await?;
    let mut converter = Converter::new(stream.run_id(), caller, request.options());
    if background {
        converter = converter.numbered(0);
    }
    Ok(sse::respond(app, stream, converter, life(request.include_pings, caller)))
}

/// Submits. The stream is that of an earlier run when the request was accepted before. Says of which agent or conversation it is when there is none.
pub async fn submit(app: &App, run: NewRun) -> Result<RunStream, ApiError> {
    let (agent, conversation) = (run.agent_id, run.conversation_id);
    app.engine.submit(run).await.map_err(|error| match error {
        engram_engine::SubmitError::NotFound if conversation == agent.default_conversation() => {
            ApiError::not_found("Agent", agent)
        }
        engram_engine::SubmitError::NotFound => ApiError::not_found("Conversation", conversation),
        other => other.into(),
    })
}

/// `ping` objects only for those who know them.
pub fn life(include_pings: Option<bool>, caller: Caller) -> Life {
    if include_pings.unwrap_or(caller.is_v1_sdk) { Life::Pings } else { Life::Comments }
}

/// The answer as a whole, once the run is over.
pub async fn collect(mut stream: RunStream, options: &Options, caller: Caller) -> Result<LettaResponse, ApiError> {
    let mut output: Vec<Arc<Message>> = Vec::new();
    let mut end: Option<Box<RunEnd>> = None;
    while let Some((_, event)) = stream.next().await {
        match event {
            StreamEvent::Message(message) if is_output(&message, options) => output.push(message),
            StreamEvent::Message(_) | StreamEvent::Delta { .. } => {}
            StreamEvent::Ended(ended) => end = Some(ended),
        }
    }
    let end = end.ok_or_else(|| ApiError::internal("a run's stream ended without its end"))?;
    if let Some(error) = &end.error {
        return Err(ApiError::run(error));
    }
    Ok(LettaResponse {
        messages: letta_messages(output.iter().map(Arc::as_ref), options),
        stop_reason: StopReasonDto::new(end.stop_reason, caller),
        usage: UsageDto::new(end.usage, end.step_count, Some(end.context_tokens)),
        logprobs: None,
        turns: None,
    })
}

/// The value of `metadata` as a run shows it: what the caller sent, and which route it was.
pub fn run_metadata(own: &Json, run_type: &str, agent: AgentId) -> serde_json::Map<String, Json> {
    let mut metadata = own.as_object().cloned().unwrap_or_default();
    metadata.insert("run_type".into(), json!(run_type));
    metadata.insert("job_type".into(), json!(run_type));
    metadata.insert("agent_id".into(), json!(agent));
    metadata
}

/// A cursor that is no message of the list is an error here, as it always was.
pub fn page_error(error: MessagePageError) -> ApiError {
    match error {
        MessagePageError::UnknownCursor(id) => ApiError::not_found("Message", id),
        MessagePageError::Store(error) => error.into(),
    }
}
