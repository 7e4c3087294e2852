//! The request that a message would send to the model.

use engram_core::{
    ports::llm::ChatRequest,
    step::{Effect, Env, Event, State as AgentStep},
};
use engram_domain::{AgentId, ConversationId};

use crate::app::{
    App, Error, Result,
    runs::{RunSpec, Target, new_run},
};

/// Lets the pure step function begin the run on a copy of the agent, and answers what it would ask.
pub async fn preview(app: &App, agent: AgentId, conversation: ConversationId, spec: RunSpec) -> Result<ChatRequest> {
    let run = new_run(app, Target::Conversation(agent, conversation), spec);
    let loaded = app.store.load(conversation).await?;
    let mut agent = loaded.and_then(AgentStep::new).ok_or_else(|| Error::not_found("Agent", agent))?;
    let env = Env { now: app.clock.now(), mono_ns: app.clock.monotonic_ns(), ids: app.ids.as_ref() };
    let effects = agent.step(Event::Start(Box::new(run.into_run(false))), &env);
    let asks = effects.iter().any(|e| matches!(e, Effect::CallLlm { .. } | Effect::Summarize { .. }));
    if !asks {
        let text = "the agent would not call the model now: it waits for approval of a tool call";
        return Err(Error::Conflict(text.into()));
    }
    Ok(agent.request(&env))
}
