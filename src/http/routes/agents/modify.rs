//! `PATCH /v1/agents/{agent_id}`

use axum::Json;
use engram_domain::{Agent, AgentId, MessageId};
use engram_engine::Command;
use engram_store::agents::{AgentPatch, Wanted};
use serde_json::json;

use super::{
    creation::{
        companion,
        models::{self, EmbeddingWish, LlmWish},
        plan::{sorted, variables},
        zone,
    },
    states::agent_state,
};
use crate::app::App;
use crate::http::{
    caller::Caller,
    dto::agents::{AgentStateDto, UpdateAgent},
    error::ApiError,
    extract::{ApiJson, PathId},
    routes::passages::search::moment,
};

/// Changes an agent. Absent members stay as they are. `enable_sleeptime` gives it a companion, if it has none, or
/// takes the companion away.
#[utoipa::path(patch, path = "/v1/agents/{agent_id}", tag = "agents", params(("agent_id" = String, Path)),
    request_body = UpdateAgent, responses((status = 200, body = AgentStateDto)))]
pub async fn modify(
    app: App,
    caller: Caller,
    PathId(id): PathId<AgentId>,
    ApiJson(request): ApiJson<UpdateAgent>,
) -> Result<Json<AgentStateDto>, ApiError> {
    let agent = app.store.agent(id).await?.ok_or_else(|| ApiError::not_found("Agent", id))?;
    refuse(&request)?;
    // Looked at before anything is changed, so that a request is not half done.
    let shortened = match &request.message_ids {
        Some(wanted) => kept(&agent_state(&app, id).await?.message_ids, wanted)?,
        None => None,
    };
    let sleeps = request.enable_sleeptime;
    let patch = patch(&app, caller, &agent, request).await?;
    if patch != AgentPatch::default() && !app.store.modify_agent(id, &patch, app.clock.now()).await? {
        return Err(ApiError::not_found("Agent", id));
    }
    match sleeps {
        Some(true) => enable_sleeptime(&app, id).await?,
        Some(false) => app.store.remove_companions(id).await?,
        None => {}
    }
    if let Some(keep_last) = shortened {
        let command = Command::Compact { settings: None, keep_last: Some(keep_last) };
        app.engine.command(id.default_conversation(), command).await?;
    }
    agent_state(&app, id).await.map(Json)
}

/// A companion for an agent that has none. Its tools stay as they are: whoever chose them may have reasons.
async fn enable_sleeptime(app: &App, id: AgentId) -> Result<(), ApiError> {
    if app.store.has_companions(id).await? {
        return Ok(());
    }
    let agent = app.store.agent(id).await?.ok_or_else(|| ApiError::not_found("Agent", id))?;
    let mut relations = app.store.relations(&[id], Wanted::default()).await?;
    let blocks = relations.remove(&id).unwrap_or_default().blocks;
    let companion = companion(app, &agent, &blocks).await?;
    // False when another request was faster: it has what was asked for.
    app.store.add_companion(id, &companion, app.clock.now()).await?;
    Ok(())
}

/// What this server knows of but does not do yet.
fn refuse(r: &UpdateAgent) -> Result<(), ApiError> {
    let some = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|l| !l.is_empty());
    let unbuilt = [
        ("`identity_ids`", some(&r.identity_ids)),
        ("`source_ids`", some(&r.source_ids)),
        ("`folder_ids`", some(&r.folder_ids)),
    ];
    match unbuilt.into_iter().find(|(_, asked)| *asked) {
        Some((what, _)) => Err(ApiError::not_built(format!("{what}: not built yet in this server"))),
        None => Ok(()),
    }
}

async fn patch(app: &App, caller: Caller, agent: &Agent, r: UpdateAgent) -> Result<AgentPatch, ApiError> {
    let llm = LlmWish {
        handle: r.model.as_deref(),
        config: r.llm_config.as_ref(),
        settings: r.model_settings.as_ref(),
        context_window: r.context_window_limit,
        max_tokens: r.max_tokens,
        max_reasoning_tokens: r.max_reasoning_tokens,
        reasoning: r.reasoning.or(r.enable_reasoner),
        parallel_tool_calls: r.parallel_tool_calls,
    };
    let own_config = llm.config.is_some();
    let mut llm = models::llm(app, caller, &llm, Some(&agent.llm)).await?;
    if !own_config && llm.handle != agent.llm.handle {
        models::add_thoughts(&mut llm, agent.agent_type);
    }
    let embedding =
        EmbeddingWish { handle: r.embedding.as_deref(), config: r.embedding_config.as_ref(), chunk_size: None };
    let embedding = models::embedding(app, &embedding, Some(&agent.embedding)).await?;
    let env = r.env().map(|env| variables(env, app.ids.as_ref()));
    let last_run_completion = moment("last_run_completion", r.last_run_completion.as_deref())?;
    if let Some(name) = r.name.as_ref().filter(|n| n.trim().is_empty()) {
        return Err(ApiError::invalid(&["body", "name"], "expected a name", json!(name)));
    }
    Ok(AgentPatch {
        llm: (llm != agent.llm).then_some(llm),
        embedding: (embedding != agent.embedding).then_some(embedding),
        env,
        name: r.name,
        description: r.description,
        system: r.system,
        model_settings: r.model_settings,
        compaction: r.compaction_settings,
        response_format: r.response_format,
        tool_rules: r.tool_rules,
        tags: r.tags.map(sorted),
        metadata: r.metadata,
        message_buffer_autoclear: r.message_buffer_autoclear,
        enable_sleeptime: r.enable_sleeptime,
        busy_policy: r.busy_policy,
        timezone: r.timezone.as_deref().map(zone).transpose()?,
        max_files_open: r.max_files_open,
        per_file_view_window_char_limit: r.per_file_view_window_char_limit,
        hidden: r.hidden,
        project_id: r.project_id,
        template_id: r.template_id,
        base_template_id: r.base_template_id,
        tool_ids: r.tool_ids,
        block_ids: r.block_ids,
        last_run_completion,
        last_run_duration_ms: r.last_run_duration_ms,
        last_stop_reason: r.last_stop_reason,
    })
}

/// How many of the latest messages stay, or none when all do. A context is the system message and
/// what follows some point, so nothing else can be asked for.
fn kept(present: &[MessageId], wanted: &[MessageId]) -> Result<Option<usize>, ApiError> {
    if present == wanted {
        return Ok(None);
    }
    let tail = wanted.split_first().filter(|(first, _)| present.first() == Some(*first)).map(|(_, tail)| tail);
    match tail {
        Some(tail) if present.ends_with(tail) && tail.len() < present.len() => Ok(Some(tail.len())),
        _ => Err(ApiError::invalid(
            &["body", "message_ids"],
            "expected the system message, then the latest of the present messages in their order",
            json!(wanted),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_suffix_of_the_context_can_be_kept() {
        let ids: Vec<MessageId> = (0..4).map(|n| MessageId(uuid::Uuid::from_u64_pair(0, n))).collect();
        let kept = |wanted: &[usize]| kept(&ids, &wanted.iter().map(|i| ids[*i]).collect::<Vec<_>>());
        assert_eq!(kept(&[0, 1, 2, 3]).expect("all"), None);
        assert_eq!(kept(&[0, 2, 3]).expect("a suffix"), Some(2));
        assert_eq!(kept(&[0]).expect("none"), Some(0));
        assert!(kept(&[0, 1, 2]).is_err());
        assert!(kept(&[2, 3]).is_err());
        assert!(kept(&[]).is_err());
    }
}
