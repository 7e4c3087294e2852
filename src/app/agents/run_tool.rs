//! Running a tool of an agent by hand, without its model.

use std::{collections::BTreeMap, sync::Arc};

use engram_core::{
    builtin::{self, BuiltinTool, RunBy},
    memory::{self, Edit, EditContext, EditFn},
    ports::{
        ToolContext, ToolOutcome,
        store::{AgentSnapshot, BlockWrite},
    },
    retry::Pauses,
};
use engram_domain::{AgentId, BlockId, JsonMap, Time, Tool};

use crate::app::{App, Error, Result};

/// How often an edit of memory is tried anew when somebody else changed the same block: some seconds of them.
const TRIES: u32 = 50;

/// Runs a tool as the agent would. What goes wrong in the tool is an outcome, not an error.
pub async fn run_tool(app: &App, id: AgentId, name: &str, mut args: JsonMap) -> Result<ToolOutcome> {
    let snapshot = snapshot(app, id).await?;
    let Some(tool) = snapshot.tools.get(name).cloned() else {
        let detail = format!("Tool with name '{name}' not found in agent {id}");
        return Err(Error::NoSuch(detail));
    };
    if !tool.kind.comes_with_server() {
        return Err(Error::NotBuilt(format!("running {} tools is not built yet in this server", tool.kind.as_str())));
    }
    match (builtin::prepare(&tool, &mut args), BuiltinTool::of(&tool).map(|t| t.run)) {
        (Err(text), _) => Ok(ToolOutcome::error(text)),
        (Ok(()), Some(RunBy::InStep(function))) => edit_memory(app, id, function, &args, snapshot).await,
        (Ok(()), _) => execute(app, id, tool, args, &snapshot).await,
    }
}

async fn snapshot(app: &App, id: AgentId) -> Result<AgentSnapshot> {
    app.store.load_snapshot(id).await?.ok_or_else(|| Error::not_found("Agent", id))
}

/// An edit of blocks: compare and set, so it is tried anew on the blocks as they are then.
async fn edit_memory(
    app: &App,
    id: AgentId,
    function: EditFn,
    args: &JsonMap,
    mut snapshot: AgentSnapshot,
) -> Result<ToolOutcome> {
    for conflicts in 0..TRIES {
        let now = app.clock.now();
        let edit = match edit_once(app, function, args, &snapshot, now) {
            Ok(edit) => edit,
            Err(text) => return Ok(ToolOutcome::error(text)),
        };
        if edit.writes.is_empty() || app.store.apply_tool_writes(id, &edit.writes, &[], now).await? {
            return Ok(ToolOutcome::ok(edit.text));
        }
        tokio::time::sleep(Pauses::CONFLICT.by_chance(conflicts, &*app.ids)).await;
        snapshot = self::snapshot(app, id).await?;
    }
    Err(Error::Conflict("the agent's memory is being changed by somebody else; try again".into()))
}

/// A function of its own, because the context must not live across the commit.
fn edit_once(app: &App, function: EditFn, args: &JsonMap, snapshot: &AgentSnapshot, now: Time) -> Result<Edit, String> {
    let mut new_block = || BlockId(app.ids.uuid());
    memory::apply(function, args, &snapshot.blocks, &mut EditContext { now, new_block: &mut new_block })
}

async fn execute(
    app: &App,
    id: AgentId,
    tool: Arc<Tool>,
    args: JsonMap,
    snapshot: &AgentSnapshot,
) -> Result<ToolOutcome> {
    let env: BTreeMap<String, String> = snapshot.agent.env.iter().map(|v| (v.key.clone(), v.value.clone())).collect();
    let context = ToolContext {
        agent: snapshot.agent.clone(),
        conversation_id: id.default_conversation(),
        run_id: None,
        // Nobody sends this very call again.
        call_id: app.ids.uuid().to_string(),
        chain: Vec::new(),
        hops: 0,
        env,
        blocks: snapshot.blocks.clone(),
    };
    // A caller that goes away takes its call with it: this future is dropped then.
    let outcome = app.engine.run_tool(context, tool, args).await;
    let now = app.clock.now();
    let blocks = match edits(app, &outcome, snapshot, now) {
        Ok(blocks) => blocks,
        Err(why) => return Ok(outcome.with_refused_edits(&why)),
    };
    if (!blocks.is_empty() || !outcome.writes.is_empty())
        && !app.store.apply_tool_writes(id, &blocks, &outcome.writes, now).await?
    {
        return Ok(outcome.with_refused_edits("a memory block was changed by somebody else while the tool ran."));
    }
    Ok(outcome)
}

/// What the tool's edits of blocks write.
fn edits(
    app: &App,
    outcome: &ToolOutcome,
    snapshot: &AgentSnapshot,
    now: Time,
) -> std::result::Result<Vec<BlockWrite>, String> {
    let mut new_block = || BlockId(app.ids.uuid());
    let mut context = EditContext { now, new_block: &mut new_block };
    memory::set_values(&outcome.blocks, &snapshot.blocks, &mut context).map(|edit| edit.writes)
}
