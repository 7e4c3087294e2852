//! Starting a run and answering with it: whole, as a stream, or at once.

use std::sync::Arc;

use axum::{
    Json as AxumJson,
    response::{IntoResponse, Response},
};
use engram_domain::{Message, RunId, RunType};
use engram_engine::{RunEnd, RunStream, StreamEvent};

use crate::app::{
    App,
    runs::{self, RunSpec, Target, new_run, submit},
};
use crate::http::{
    caller::Caller,
    dto::{
        messages::{LettaResponse, MessageRequest, Options, StopReasonDto, UsageDto, is_output, letta_messages},
        runs::ResumeRequest,
    },
    error::ApiError,
    idempotency::IdempotencyKey,
    sse::{self, Converter, Life},
};

/// Runs and answers whole.
pub async fn answer(
    app: &App,
    target: Target,
    request: &MessageRequest,
    caller: Caller,
    key: &IdempotencyKey,
) -> Result<Response, ApiError> {
    let mut run = new_run(app, target, request.run(RunType::SendMessage, key.0.as_deref())?);
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
    let spec = RunSpec { background, ..request.run(RunType::SendMessageStreaming, key.0.as_deref())? };
    let stream = submit(app, new_run(app, target, spec)).await?;
    let mut converter = Converter::new(stream.run_id(), caller, request.options());
    if background {
        converter = converter.numbered(0);
    }
    Ok(sse::respond(app, stream, converter, life(request.include_pings, caller)))
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

/// No run has more events; numbers beyond it would only overflow.
const MOST_EVENTS: i64 = 1 << 53;

/// The stream of a run, as it was for whoever started it.
pub async fn resume(app: &App, id: RunId, caller: Caller, request: &ResumeRequest) -> Result<Response, ApiError> {
    let starting_after = request.starting_after.unwrap_or_default().clamp(0, MOST_EVENTS);
    let run = runs::find(app, id).await?;
    let mut converter = Converter::new(id, caller, Options::of_run(&run.input.request_config)).numbered(starting_after);
    if !run.keeps_events() && run.input.stream_tokens && run.status.is_terminal() {
        // Its pieces were not kept, and with them their numbers are gone: whole messages follow what was seen.
        converter = converter.counting_from(starting_after);
    }
    Ok(sse::respond(app, app.engine.follow(&run, 0), converter, life(request.include_pings, caller)))
}
