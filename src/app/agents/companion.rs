//! The agent that works on another one's memory in the background, and the group that ties the two.

use engram_core::{builtin, ports::Ids};
use engram_domain::{
    Agent, AgentId, AgentType, Block, BlockId, Group, GroupId, JsonMap, ManagerConfig, Time, Tool, block,
    group::{DEFAULT_MAX_BUFFER, DEFAULT_MIN_BUFFER, SleepTriggers},
};
use engram_store::agents::NewCompanion;

use super::{
    ToolWish, create, models,
    plan::{Plan, bare},
    tools,
};
use crate::app::{App, Result};

/// Turns after which the companion works, where nobody has said anything else.
const FREQUENCY: i32 = 5;
/// What the companion knows about itself. The agent that it works for does not have this block.
const SELF_LABEL: &str = "memory_persona";
const SELF_DESCRIPTION: &str = "Who you are and how you go about keeping memory. Write down what has proven itself.";
const SELF_VALUE: &str = "I look after the memory of an agent that talks with people. I keep what will matter later, correct \
    what has turned out to be wrong, and leave out the rest. I never talk to anybody.";

/// A companion for an agent that has, or is about to have, these blocks.
pub async fn make(app: &App, main: &Agent, blocks: &[Block]) -> Result<NewCompanion> {
    let agent_type = match main.agent_type {
        AgentType::VoiceConvoAgent => AgentType::VoiceSleeptimeAgent,
        _ => AgentType::SleeptimeAgent,
    };
    let tools = tools::find(app, &ToolWish::default(), agent_type, false).await?;
    let (now, ids) = (app.clock.now(), app.ids.as_ref());
    let plan = plan(main, agent_type, blocks, tools, now, ids);
    let group = group(main, plan.agent.id, now, ids);
    Ok(NewCompanion { agent: create::rows(plan, None, ids), group })
}

/// The companion has its agent's model, and all its blocks; of what concerns the people whom that one talks with it
/// has nothing.
pub(super) fn plan(
    main: &Agent,
    agent_type: AgentType,
    shared: &[Block],
    tools: Vec<Tool>,
    now: Time,
    ids: &dyn Ids,
) -> Plan {
    let mut llm = main.llm.clone();
    llm.response_format = None;
    llm.put_inner_thoughts_in_kwargs = Some(false);
    models::add_thoughts(&mut llm, agent_type);
    let names: Vec<&str> = tools.iter().map(|t| t.name.as_str()).collect();
    let name = format!("{}-sleeptime", main.name);
    let agent = Agent {
        tool_rules: builtin::base_rules(&names, agent_type, None),
        timezone: main.timezone.clone(),
        max_files_open: main.max_files_open,
        per_file_view_window_char_limit: main.per_file_view_window_char_limit,
        hidden: main.hidden,
        project_id: main.project_id.clone(),
        ..bare(AgentId(ids.uuid()), name, agent_type, llm, main.embedding.clone(), now)
    };
    // An agent that has such a block shares it like any other: a label is there once.
    let new_blocks: Vec<Block> =
        if shared.iter().any(|b| b.label == SELF_LABEL) { vec![] } else { vec![about_itself(main, now, ids)] };
    let blocks = shared.iter().chain(&new_blocks).cloned().collect();
    Plan { agent, new_blocks, blocks, tools }
}

pub(super) fn about_itself(main: &Agent, now: Time, ids: &dyn Ids) -> Block {
    Block {
        id: BlockId(ids.uuid()),
        label: SELF_LABEL.into(),
        value: SELF_VALUE.into(),
        limit: block::DEFAULT_LIMIT,
        description: Some(SELF_DESCRIPTION.into()),
        read_only: false,
        metadata: JsonMap::new(),
        template_name: None,
        is_template: false,
        preserve_on_migration: false,
        project_id: main.project_id.clone(),
        hidden: main.hidden,
        tags: vec![],
        created_at: now,
        updated_at: now,
        version: 1,
    }
}

fn group(main: &Agent, companion: AgentId, now: Time, ids: &dyn Ids) -> Group {
    let manager = match main.agent_type {
        AgentType::VoiceConvoAgent => ManagerConfig::VoiceSleeptime {
            manager_agent_id: main.id,
            max_message_buffer_length: Some(DEFAULT_MAX_BUFFER),
            min_message_buffer_length: Some(DEFAULT_MIN_BUFFER),
        },
        _ => ManagerConfig::Sleeptime {
            manager_agent_id: main.id,
            frequency: Some(FREQUENCY),
            also: SleepTriggers::default(),
        },
    };
    Group {
        id: GroupId(ids.uuid()),
        description: String::new(),
        turns_counter: manager.first_turns_counter(),
        manager,
        agent_ids: vec![companion],
        shared_block_ids: vec![],
        last_processed_message_id: None,
        project_id: main.project_id.clone(),
        template_id: None,
        base_template_id: None,
        hidden: main.hidden,
        created_at: now,
        updated_at: now,
    }
}
