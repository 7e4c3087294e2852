//! The agent that reads a data source for another one, and is gone when it has.

use engram_core::{ports::NewRun, source_reader};
use engram_domain::{
    Agent, AgentType, Archive, Block, BlockId, BusyPolicy, Json, RequestKey, RunId, RunInput, RunType,
    run::InputMessage,
};
use engram_store::agents::NewEphemeral;
use serde_json::json;

use super::{
    ToolWish,
    companion::{about_itself, plan},
    create,
    plan::Plan,
    tools,
};
use crate::app::{App, Result};

/// An agent that works passages of a source into a block of `main`, which has the blocks `have`.
pub async fn make(
    app: &App,
    main: &Agent,
    have: &[Block],
    source: &Archive,
    passages: impl Iterator<Item = &str>,
) -> Result<NewEphemeral> {
    let tools = tools::find(app, &ToolWish::default(), AgentType::SleeptimeAgent, false).await?;
    let (now, ids) = (app.clock.now(), app.ids.as_ref());
    let label = source_reader::label(&source.name);
    let description = source.description.as_deref();
    let text_block = |label: &str, value: String, description: String| Block {
        id: BlockId(ids.uuid()),
        label: label.to_owned(),
        value,
        description: Some(description),
        ..about_itself(main, now, ids)
    };
    let known = have.iter().find(|b| b.label == label).cloned();
    let fresh = known.is_none();
    let block = known.unwrap_or_else(|| {
        text_block(&label, String::new(), source_reader::block_description(&source.name, description))
    });
    let instructions = source_reader::instructions(&label, &source.name, description);
    let instructions = text_block(source_reader::INSTRUCTIONS, instructions, "What you are here for.".to_owned());
    let shared = [block.clone()];
    let Plan { mut agent, tools, .. } = plan(main, AgentType::SleeptimeAgent, &shared, tools, now, ids);
    agent.name = format!("{}-sleeptime-{label}", main.name);
    agent.description = Some(format!("Reads \"{}\" and is gone when it has.", source.name));
    let facts = json!({"primary_agent_id": main.id, "archive_id": source.id, "block_label": label});
    if let Json::Object(facts) = &facts {
        agent.metadata.clone_from(facts);
    }
    let id = agent.id;
    let plan = Plan { agent, new_blocks: vec![instructions.clone()], blocks: vec![block.clone(), instructions], tools };
    let told = source_reader::messages(&label, passages);
    let runs = told.into_iter().enumerate().map(|(n, text)| NewRun {
        id: RunId(ids.uuid()),
        agent_id: Some(id),
        owner: id.default_conversation().into(),
        parent: None,
        input: RunInput { messages: vec![message(main, text)], ..RunInput::default() },
        background: false,
        run_type: RunType::SleepTime,
        metadata: facts.clone(),
        callback_url: None,
        keys: vec![RequestKey::source_part(id, n)],
        busy_policy: Some(BusyPolicy::Queue),
        max_queue: i64::MAX,
        // A queue goes by the time of creation.
        created_at: now + chrono::TimeDelta::microseconds(i64::try_from(n).unwrap_or(i64::MAX)),
        // Stored with the agent, for the organization of the one that it works for.
        scope: engram_domain::Scope::System,
    });
    let runs = runs.collect();
    Ok(NewEphemeral { main: main.id, block, fresh, agent: create::rows(plan, None, ids), runs })
}

fn message(main: &Agent, text: String) -> InputMessage {
    InputMessage { sender_id: Some(main.id.to_string()), ..InputMessage::user(text) }
}
