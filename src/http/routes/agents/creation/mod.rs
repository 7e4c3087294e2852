//! From a request to an agent.
//!
//! What it does, in order: refuses what is not built ([`refuse`]), finds out which model, tools and
//! blocks are meant ([`models`], then look-ups), plans the agent as a pure function ([`plan`]),
//! compiles its first messages, and stores all of it in one transaction; with `enable_sleeptime` its
//! [`mod@companion`] too.

mod companion;
pub mod models;
mod names;
pub mod plan;

use std::{collections::BTreeMap, sync::Arc};

use axum::http::StatusCode;
use engram_core::{
    birth,
    builtin::{self, DefaultsRequest},
    ports::{Ids, store::AgentSnapshot},
};
use engram_domain::{Agent, AgentId, AgentType, Json, run::InputMessage};
use engram_store::agents::NewAgent;
use serde_json::json;

pub use self::companion::{companion, reader};
use self::{
    models::{EmbeddingWish, LlmWish},
    plan::{Found, Plan},
};
use crate::app::App;
use crate::http::{caller::Caller, dto::agents::CreateAgent, error::ApiError};

/// Creates an agent.
pub async fn create(app: &App, caller: Caller, request: CreateAgent) -> Result<AgentId, ApiError> {
    let agent_type =
        request.agent_type.unwrap_or(if caller.is_v1_sdk { AgentType::LettaV1Agent } else { AgentType::MemgptAgent });
    refuse(&request, agent_type)?;
    let initial = initial_messages(&request)?;
    let mut llm = models::llm(app, caller, &llm_wish(&request), None).await?;
    if request.llm_config.is_none() {
        models::add_thoughts(&mut llm, agent_type);
    }
    let embedding = models::embedding(app, &embedding_wish(&request), None).await?;
    let tools = find_tools(app, &request, agent_type).await?;
    let attached = find_blocks(app, &request).await?;

    let found = Found { agent_type, llm, embedding, tools, attached };
    let sleeps = request.enable_sleeptime == Some(true);
    let plan = plan::plan(request, found, app.clock.now(), app.ids.as_ref())?;
    let id = plan.agent.id;
    if sleeps {
        let companion = companion(app, &plan.agent, &plan.blocks).await?;
        let new = newborn(plan, initial.as_deref(), app.ids.as_ref());
        app.store.create_agent_with_companion(&new, &companion).await?;
    } else {
        app.store.create_agent(&newborn(plan, initial.as_deref(), app.ids.as_ref())).await?;
    }
    Ok(id)
}

/// The rows of a planned agent, its first messages among them.
fn newborn(plan: Plan, initial: Option<&[InputMessage]>, ids: &dyn Ids) -> NewAgent {
    let Plan { agent, new_blocks, blocks, tools } = plan;
    let block_order = blocks.iter().map(|b| (b.id, b.label.clone())).collect();
    let tool_ids = tools.iter().map(|t| t.id).collect();
    let snapshot = AgentSnapshot {
        agent: Arc::new(agent),
        blocks: blocks.into_iter().map(Arc::new).collect(),
        tools: Arc::new(tools.into_iter().map(|t| (t.name.clone(), Arc::new(t))).collect::<BTreeMap<_, _>>()),
        archives: Arc::new(vec![]),
        archival_count: 0,
        archival_tags: vec![],
        buffer: None,
    };
    let conversation = snapshot.agent.id.default_conversation();
    let (messages, prompt_meta) =
        birth::first_messages(&snapshot, conversation, initial, snapshot.agent.created_at, ids);
    let agent = Agent::clone(&snapshot.agent);
    NewAgent { agent, blocks: new_blocks, block_order, tool_ids, messages, prompt_meta }
}

/// What this server knows of but does not do yet, and what no server ever did.
fn refuse(r: &CreateAgent, agent_type: AgentType) -> Result<(), ApiError> {
    if agent_type == AgentType::SplitThreadAgent {
        return Err(ApiError::bad_request(format!("Invalid agent type: {}", agent_type.as_str())));
    }
    if agent_type == AgentType::VoiceConvoAgent && r.enable_sleeptime != Some(true) {
        let expected = "expected true: a voice agent leaves its memory to a companion";
        return Err(ApiError::invalid(&["body", "enable_sleeptime"], expected, json!(r.enable_sleeptime)));
    }
    let some = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|l| !l.is_empty());
    let unbuilt = [
        ("`from_template`", r.from_template.is_some()),
        ("`template`", r.template == Some(true)),
        ("`identity_ids`", some(&r.identity_ids)),
        ("`source_ids`", some(&r.source_ids)),
        ("`folder_ids`", some(&r.folder_ids)),
    ];
    match unbuilt.into_iter().find(|(_, asked)| *asked) {
        Some((what, _)) => Err(ApiError::not_built(format!("{what}: not built yet in this server"))),
        None => Ok(()),
    }
}

fn initial_messages(r: &CreateAgent) -> Result<Option<Vec<InputMessage>>, ApiError> {
    let Some(messages) = &r.initial_message_sequence else { return Ok(None) };
    messages
        .iter()
        .enumerate()
        .map(|(i, m)| m.input(&["body", "initial_message_sequence", &i.to_string()]))
        .collect::<Result<_, _>>()
        .map(Some)
}

fn llm_wish(r: &CreateAgent) -> LlmWish<'_> {
    LlmWish {
        handle: r.model(),
        config: r.llm_config.as_ref(),
        settings: r.model_settings.as_ref(),
        context_window: r.context_window_limit,
        max_tokens: r.max_tokens,
        max_reasoning_tokens: r.max_reasoning_tokens,
        // `enable_reasoner` has a default in the documents, so clients that send it mean it.
        reasoning: r.reasoning.or(r.enable_reasoner),
        parallel_tool_calls: r.parallel_tool_calls,
    }
}

fn embedding_wish(r: &CreateAgent) -> EmbeddingWish<'_> {
    EmbeddingWish {
        handle: r.embedding.as_deref(),
        config: r.embedding_config.as_ref(),
        chunk_size: r.embedding_chunk_size,
    }
}

/// The tools that the agent starts with: those asked for by name and by id, then those of its type.
async fn find_tools(app: &App, r: &CreateAgent, agent_type: AgentType) -> Result<Vec<engram_domain::Tool>, ApiError> {
    let defaults = builtin::defaults_for(
        agent_type,
        DefaultsRequest {
            include_base_tools: r.include_base_tools.unwrap_or(true),
            include_multi_agent_tools: r.include_multi_agent_tools.unwrap_or(false),
            enable_sleeptime: r.enable_sleeptime.unwrap_or(false),
        },
    );
    let asked = r.tools.iter().flatten().map(String::as_str);
    // Under a name that only old programs use, the tool of today is meant.
    let names: Vec<String> = asked.chain(defaults).map(|n| builtin::find(n).map_or(n, |t| t.name).to_owned()).collect();
    let mut by_name: BTreeMap<String, _> =
        app.store.tools_by_name(&names).await?.into_iter().map(|t| (t.name.clone(), t)).collect();
    if let Some(missing) = names.iter().find(|n| !by_name.contains_key(*n)) {
        let detail = format!("NOT_FOUND: Tool with name '{missing}' not found");
        return Err(ApiError::new(StatusCode::NOT_FOUND, detail));
    }
    let ids = r.tool_ids.clone().unwrap_or_default();
    let mut by_id: BTreeMap<_, _> = app.store.tools_by_id(&ids).await?.into_iter().map(|t| (t.id, t)).collect();
    if let Some(missing) = ids.iter().find(|id| !by_id.contains_key(*id)) {
        return Err(ApiError::not_found("Tool", missing));
    }
    let mut tools: Vec<engram_domain::Tool> = names.iter().filter_map(|n| by_name.remove(n)).collect();
    for id in ids {
        if let Some(tool) = by_id.remove(&id).filter(|t| tools.iter().all(|have| have.id != t.id)) {
            tools.push(tool);
        }
    }
    Ok(tools)
}

/// The existing blocks that the agent shares, in the order they were named.
async fn find_blocks(app: &App, r: &CreateAgent) -> Result<Vec<engram_domain::Block>, ApiError> {
    let ids = r.block_ids.clone().unwrap_or_default();
    let mut found: BTreeMap<_, _> = app.store.blocks_by_id(&ids).await?.into_iter().map(|b| (b.id, b)).collect();
    ids.iter()
        .enumerate()
        .map(|(i, id)| {
            found.remove(id).ok_or_else(|| {
                if ids[..i].contains(id) {
                    let loc = ["body", "block_ids", &i.to_string()];
                    ApiError::invalid(&loc, "expected each block once", json!(id))
                } else {
                    ApiError::not_found("Block", id)
                }
            })
        })
        .collect()
}

/// An IANA zone name, or a 422 that names the member.
pub fn zone(name: &str) -> Result<String, ApiError> {
    let expected = "expected the IANA name of a time zone, as `Europe/Berlin`";
    name.parse::<chrono_tz::Tz>()
        .map(|_| name.to_owned())
        .map_err(|_| ApiError::invalid(&["body", "timezone"], expected, Json::from(name)))
}
