//! The request that a message would send to the model.

use engram_core::{
    ports::{NewRun, llm::ChatRequest},
    step::{Effect, Env, Event, State as AgentStep},
};
use engram_domain::{Run, RunStatus, Usage};

use crate::app::{
    App, Error, Result,
    runs::{RunSpec, Target, new_run},
};

/// Lets the pure step function begin the run on a copy of the agent, and answers what it would ask.
pub async fn preview(app: &App, target: Target, spec: RunSpec) -> Result<ChatRequest> {
    let run = new_run(app, target, spec);
    let loaded = app.store.load(target.conversation_id).await?;
    let mut agent = loaded.and_then(AgentStep::new).ok_or_else(|| Error::not_found("Agent", target.agent_id))?;
    let env = Env { now: app.clock.now(), mono_ns: app.clock.monotonic_ns(), ids: app.ids.as_ref() };
    let effects = agent.step(Event::Start(Box::new(begun(run))), &env);
    let asks = effects.iter().any(|e| matches!(e, Effect::CallLlm { .. } | Effect::Summarize { .. }));
    if !asks {
        let text = "the agent would not call the model now: it waits for approval of a tool call";
        return Err(Error::Conflict(text.into()));
    }
    Ok(agent.request(&env))
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
