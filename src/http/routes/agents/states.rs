//! Reading agents in the form in which the API shows them.

use engram_domain::{Agent, AgentId, Message};
use engram_store::agents::Wanted;

use crate::http::{
    dto::{
        agents::AgentStateDto,
        messages::{Options, letta_messages},
    },
    error::ApiError,
    state::AppState,
};

/// One agent with everything that hangs on it.
pub async fn agent_state(state: &AppState, id: AgentId) -> Result<AgentStateDto, ApiError> {
    let agent = state.store.agent(id).await?.ok_or_else(|| ApiError::not_found("Agent", id))?;
    let mut states = agent_states(state, vec![agent], Wanted::default()).await?;
    states.pop().ok_or_else(|| ApiError::not_found("Agent", id))
}

/// Agents with what hangs on them: one query a relation, however many they are.
pub async fn agent_states(
    state: &AppState,
    agents: Vec<Agent>,
    wanted: Wanted,
) -> Result<Vec<AgentStateDto>, ApiError> {
    let ids: Vec<AgentId> = agents.iter().map(|a| a.id).collect();
    let mut relations = state.store.relations(&ids, wanted).await?;
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
pub async fn require(state: &AppState, id: AgentId) -> Result<(), ApiError> {
    if state.store.agent_exists(id).await? { Ok(()) } else { Err(ApiError::not_found("Agent", id)) }
}
