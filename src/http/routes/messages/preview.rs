//! `POST /v1/agents/{agent_id}/messages/preview-raw-payload`

use axum::Json as AxumJson;
use engram_core::{
    ports::{
        NewRun, Snapshots,
        llm::{ChatMessage, ChatRequest, ToolChoice},
    },
    step::{Effect, Env, Event, State as AgentStep},
};
use engram_domain::{AgentId, Json, Run, RunStatus, Usage, message::parts_text};
use serde_json::json;

use super::turn::{Manner, Target, new_run};
use crate::app::App;
use crate::http::{ApiError, ApiJson, PathId, dto::messages::MessageRequest};

/// Get the request that a message would send to the model, without sending anything.
#[utoipa::path(
    post, path = "/v1/agents/{agent_id}/messages/preview-raw-payload", tag = "agents.messages",
    params(("agent_id" = String, Path, description = "Id of the agent")),
    request_body = MessageRequest,
    responses((status = 200, body = Object), (status = 404, description = "No such agent"))
)]
pub async fn preview_agent_payload(
    app: App,
    PathId(agent_id): PathId<AgentId>,
    ApiJson(request): ApiJson<MessageRequest>,
) -> Result<AxumJson<Json>, ApiError> {
    preview_payload(&app, Target::default_of(agent_id), &request).await.map(AxumJson)
}

/// Lets the pure step function begin the run on a copy of the agent, and shows what it would ask.
pub async fn preview_payload(app: &App, target: Target, request: &MessageRequest) -> Result<Json, ApiError> {
    let run = new_run(app, target, request, Manner { run_type: "preview", background: false, key: None })?;
    let loaded = app.store.load(target.conversation_id).await?;
    let mut agent = loaded.and_then(AgentStep::new).ok_or_else(|| ApiError::not_found("Agent", target.agent_id))?;
    let env = Env {
        now: app.clock.now(),
        mono_ns: app.clock.monotonic_ns(),
        ids: app.ids.as_ref(),
        effect_of: &|tool| app.executor.effect(tool),
    };
    let effects = agent.step(Event::Start(Box::new(begun(run))), &env);
    let asks = effects.iter().any(|e| matches!(e, Effect::CallLlm { .. } | Effect::Summarize { .. }));
    if !asks {
        return Err(ApiError::conflict("the agent would not call the model now: it waits for approval of a tool call"));
    }
    Ok(payload(&agent.request(&env)))
}

fn begun(run: NewRun) -> Run {
    Run {
        id: run.id,
        agent_id: run.agent_id,
        conversation_id: run.conversation_id,
        status: RunStatus::Created,
        stop_reason: None,
        input: run.input,
        background: run.background,
        run_type: run.run_type,
        metadata: run.metadata,
        callback_url: run.callback_url,
        interrupts: false,
        error: None,
        error_kind: None,
        attempts: 0,
        step_count: 0,
        usage: Usage::default(),
        ttft_ns: None,
        created_at: run.created_at,
        updated_at: run.created_at,
        completed_at: None,
    }
}

/// In the words of the chat-completions protocol.
fn payload(request: &ChatRequest) -> Json {
    let tools = request.tools.iter().map(|tool| {
        json!({ "type": "function", "function": {
            "name": tool.name, "description": tool.description, "parameters": tool.parameters } })
    });
    let tool_choice = match &request.tool_choice {
        ToolChoice::Auto => json!("auto"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Named(name) => json!({ "type": "function", "function": { "name": name } }),
    };
    json!({
        "model": request.config.model,
        "messages": request.messages.iter().map(message).collect::<Vec<_>>(),
        "tools": tools.collect::<Vec<_>>(),
        "tool_choice": tool_choice,
        "temperature": request.config.temperature,
        "max_tokens": request.config.max_tokens,
        "response_format": request.response_format,
        "stream": request.stream,
    })
}

fn message(message: &ChatMessage) -> Json {
    match message {
        ChatMessage::System(text) => json!({ "role": "system", "content": text }),
        ChatMessage::User { parts, name } => json!({ "role": "user", "content": parts_text(parts), "name": name }),
        ChatMessage::Assistant { text, calls, .. } => {
            let calls = calls.iter().map(|call| {
                json!({ "id": call.id, "type": "function",
                        "function": { "name": call.name, "arguments": call.arguments } })
            });
            json!({ "role": "assistant", "content": text, "tool_calls": calls.collect::<Vec<_>>() })
        }
        ChatMessage::Tool { call_id, name, text } => {
            json!({ "role": "tool", "tool_call_id": call_id, "name": name, "content": text })
        }
    }
}
