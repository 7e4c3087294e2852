//! What the endpoints have in common: a request becomes a run, and the run an answer.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use engram_domain::{AgentId, RunType};
use engram_engine::{RunStream, StreamEvent};

use crate::app::{
    App,
    runs::{Target, new_run, submit},
};
use crate::http::{
    dto::{
        chat::{ChatError, ChatRequest, Completion, Head},
        messages::MessageRequest,
    },
    error::ApiError,
    idempotency::IdempotencyKey,
    sse::{
        self, Life,
        chat::{Chunks, Words},
    },
};

/// Characters of a model's name that come back with every chunk.
const LONGEST_NAME: usize = 100;

/// Has the agent answer, in chunks if `stream`.
pub async fn complete(
    app: &App,
    agent: AgentId,
    request: &ChatRequest,
    key: Result<IdempotencyKey, ApiError>,
    stream: bool,
) -> Result<Response, ChatError> {
    let key = key?;
    let mut spec = MessageRequest::default().run(RunType::ChatCompletion, key.0.as_deref())?;
    spec.input.messages = request.unheard()?;
    spec.input.stream_tokens = stream;
    let run = new_run(app, Target::default_of(agent), spec);
    let at = run.created_at;
    let events = submit(app, run).await.map_err(ApiError::from)?;
    let model = request.model.as_deref().filter(|name| !name.is_empty());
    let model = model.map_or_else(|| agent.to_string(), |name| name.chars().take(LONGEST_NAME).collect());
    let head = Head { run: events.run_id(), at, model };
    if stream {
        return Ok(sse::respond(app, events, Chunks::new(head, request.wants_usage()), Life::Comments));
    }
    whole(events, &head).await
}

async fn whole(mut events: RunStream, head: &Head) -> Result<Response, ChatError> {
    let (mut words, mut said) = (Words::new(head.run), String::new());
    while let Some((_, event)) = events.next().await {
        said.push_str(&words.of(&event));
        if let StreamEvent::Ended(end) = event {
            if let Some(error) = words.refusal(&end) {
                return Err(error);
            }
            return Ok(Json(Completion::new(head, said, end.stop_reason, end.usage)).into_response());
        }
    }
    Err(ApiError::internal("a run's stream ended without its end").into())
}
