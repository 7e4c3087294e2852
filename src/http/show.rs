//! What several routes answer: reading it and putting it into its wire form.

use engram_domain::{Agent, AgentId};
use engram_store::{Page, agents::Wanted};

use crate::{
    app::{App, agents},
    http::{
        dto::{
            agents::AgentStateDto,
            groups::{GroupDto, GroupQuery},
            owned::OwnedBy,
        },
        error::ApiError,
    },
};

/// One agent with everything that hangs on it.
pub async fn agent_state(app: &App, id: AgentId) -> Result<AgentStateDto, ApiError> {
    let agent = agents::find(app, id).await?;
    let mut states = agent_states(app, vec![agent], Wanted::default()).await?;
    states.pop().ok_or_else(|| ApiError::not_found("Agent", id))
}

/// Agents with what hangs on them: one query a relation, however many they are.
pub async fn agent_states(app: &App, agents: Vec<Agent>, wanted: Wanted) -> Result<Vec<AgentStateDto>, ApiError> {
    let by = OwnedBy::of(app);
    let agents = agents::with_relations(app, agents, wanted).await?;
    Ok(agents.into_iter().map(|(agent, relations)| AgentStateDto::new(agent, relations, by)).collect())
}

/// A page of groups, of one agent or of all.
pub async fn groups(
    app: &App,
    query: GroupQuery,
    agent: Option<AgentId>,
    page: Page,
) -> Result<Vec<GroupDto>, ApiError> {
    let Some(filter) = query.filter(agent)? else { return Ok(vec![]) };
    Ok(app.store.groups(&filter, page).await?.into_iter().map(GroupDto::from).collect())
}
