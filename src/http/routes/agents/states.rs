//! Reading agents in the form in which the API shows them.

use engram_domain::{Agent, AgentId, Message};
use engram_store::agents::Wanted;

use crate::app::App;
use crate::http::{
    dto::{
        agents::AgentStateDto,
        messages::{Options, letta_messages},
    },
    error::ApiError,
};

/// One agent with everything that hangs on it.
pub async fn agent_state(app: &App, id: AgentId) -> Result<AgentStateDto, ApiError> {
    let agent = app.store.agent(id).await?.ok_or_else(|| ApiError::not_found("Agent", id))?;
    let mut states = agent_states(app, vec![agent], Wanted::default()).await?;
    states.pop().ok_or_else(|| ApiError::not_found("Agent", id))
}

/// Agents with what hangs on them: one query a relation, however many they are.
pub async fn agent_states(app: &App, agents: Vec<Agent>, wanted: Wanted) -> Result<Vec<AgentStateDto>, ApiError> {
    let ids: Vec<AgentId> = agents.iter().map(|a| a.id).collect();
    let mut relations = app.store.relations(&ids, wanted).await?;
    Ok(agents
        .into_iter()
        .map(|agent| {
            let mut relations = relations.remove(&agent.id).unwrap_or_default();
            let pending = relations.approval.take().and_then(|m| pending_approval(&m));
            AgentStateDto::new(agent, relations, pending)
        })
        .collect())
}

/// The request for approval in a message that waits for the client; none where it holds the
/// client's word.
fn pending_approval(message: &Message) -> Option<engram_domain::Json> {
    letta_messages([message], &Options::default())
        .into_iter()
        .filter_map(|m| serde_json::to_value(m).ok())
        .find(|m| m["message_type"] == "approval_request_message")
}

/// Fails with 404 when there is no such agent.
pub async fn require(app: &App, id: AgentId) -> Result<(), ApiError> {
    if app.store.agent_exists(id).await? { Ok(()) } else { Err(ApiError::not_found("Agent", id)) }
}
