//! Calls that have no result yet, and the results that they get when nobody will bring the real ones.
//!
//! Every call has exactly one result: whatever ends a run, or finds that one was ended, asks here what is open.

use std::sync::Arc;

use engram_domain::{Content, Message, Role, ToolCall, ToolEffect, run::Decision};

use super::{Env, State};

/// What a call gets for a result when a crash lost the real one.
pub(super) const LOST: &str = "The server was interrupted while this tool was running. Whether it took effect is unknown; it \
                               was not run again. Check before you repeat it.";

/// The last message with calls that have no result, and those calls.
pub(super) fn find(state: &State) -> Option<(Arc<Message>, Vec<ToolCall>)> {
    let (assistant, since) = state.window.last_calls()?;
    let answered: Vec<&str> = since
        .filter_map(|m| match &m.content {
            Content::ToolReturn(r) => Some(r.tool_call_id.as_str()),
            _ => None,
        })
        .collect();
    let open: Vec<ToolCall> =
        assistant.content.calls().iter().filter(|c| !answered.contains(&c.id.as_str())).cloned().collect();
    (!open.is_empty()).then(|| (assistant.clone(), open))
}

/// Results for the calls of the last message that have none. None when they wait for the client:
/// that is no loss, the client can still answer.
pub(super) fn close(state: &mut State, why: &str, env: &Env<'_>) -> Vec<Arc<Message>> {
    let Some((assistant, calls)) = find(state) else { return Vec::new() };
    if assistant.role == Role::Approval && state.pending_approval().is_some() {
        return Vec::new();
    }
    calls.iter().map(|call| state.push_loss(call, why.to_owned(), &assistant, env)).collect()
}

/// Nobody will answer a request for approval any more: it is denied, and its calls get their results.
pub(super) fn deny(state: &mut State, request: &Arc<Message>, why: &str, env: &Env<'_>) -> Vec<Arc<Message>> {
    let decisions = request
        .content
        .calls()
        .iter()
        .map(|call| Decision::Approval {
            tool_call_id: Some(call.id.clone()),
            approve: false,
            reason: Some(why.to_owned()),
        })
        .collect();
    let content = Content::Decisions { request_id: Some(request.id), decisions };
    let mut answer = state.draft(Role::Approval, content, request.step_id, env);
    answer.tokens = 0;
    answer.group_id.clone_from(&request.group_id);
    let mut fresh = vec![state.push(answer)];
    for call in request.content.calls() {
        let why = format!("Error: request to call tool denied. {why}");
        fresh.push(state.push_loss(call, why, request, env));
    }
    fresh
}

/// Ids of those of `calls`, the open ones of a message in their order, that an earlier life may have begun to run and that
/// must not run again. Whatever came before a call outside our database was committed before it ran, so only the first
/// open call can have been running, and those that were run at once with it.
pub(super) fn maybe_begun(state: &State, message: &Message, calls: &[ToolCall]) -> Vec<String> {
    let tool_of = |call: &&ToolCall| state.snapshot.tools.get(&call.name);
    // A tool that was changed meanwhile may have been one that is run at once with others.
    let at_once = |call: &&ToolCall| {
        tool_of(call).is_some_and(|t| {
            (t.enable_parallel_execution || t.updated_at > message.created_at) && t.effect != ToolEffect::Memory
        })
    };
    let together = calls.iter().take_while(at_once).count().max(1);
    let only_once = |call: &&ToolCall| tool_of(call).is_some_and(|t| t.effect == ToolEffect::Once);
    calls.iter().take(together).filter(only_once).map(|call| call.id.clone()).collect()
}
