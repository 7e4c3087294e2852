//! The agent that a request describes, as a pure function of it and of what was looked up.

use std::collections::BTreeMap;

use engram_core::{builtin, ports::Ids, prompts};
use engram_domain::{
    Agent, AgentId, AgentType, Block, EmbeddingConfig, EnvVar, EnvVarId, LlmConfig, Time, Tool, ToolRule,
    rule::RuleKind,
};
use serde_json::json;

use super::{names, zone};
use crate::http::{dto::agents::CreateAgent, error::ApiError, routes::blocks::new_block};

/// Files that may be open at once, and characters shown of each, when the request does not say.
const MAX_FILES_OPEN: i32 = 10;
const FILE_WINDOW_CHARS: i32 = 25_000;

/// What was looked up for the request.
pub struct Found {
    /// The agent's type.
    pub agent_type: AgentType,
    /// Its model.
    pub llm: LlmConfig,
    /// Its embedding model.
    pub embedding: EmbeddingConfig,
    /// Its tools, each once.
    pub tools: Vec<Tool>,
    /// Existing blocks to attach.
    pub attached: Vec<Block>,
}

/// What is to be created.
#[derive(Debug)]
pub struct Plan {
    /// The agent.
    pub agent: Agent,
    /// Blocks to create.
    pub new_blocks: Vec<Block>,
    /// All its blocks in the order of the prompt: shared ones, then new ones.
    pub blocks: Vec<Block>,
    /// Its tools.
    pub tools: Vec<Tool>,
}

/// Plans the agent.
pub fn plan(r: CreateAgent, found: Found, now: Time, ids: &dyn Ids) -> Result<Plan, ApiError> {
    let Found { agent_type, llm, embedding, tools, attached } = found;
    let new_blocks = blocks(&r, &attached, now, ids)?;
    let id = AgentId(ids.uuid());
    let env = r.env();
    let agent = Agent {
        id,
        name: match r.name {
            Some(name) if name.trim().is_empty() => {
                return Err(ApiError::invalid(&["body", "name"], "expected a name or no such member", json!(name)));
            }
            Some(name) => name,
            None => names::from_id(ids.uuid()),
        },
        description: r.description,
        agent_type,
        system: r.system.unwrap_or_else(|| prompts::system(agent_type).to_owned()),
        llm,
        embedding,
        model_settings: r.model_settings,
        compaction: r.compaction_settings,
        response_format: r.response_format,
        tool_rules: rules(r.tool_rules, &tools, agent_type, r.include_base_tool_rules),
        tags: sorted(r.tags.unwrap_or_default()),
        metadata: r.metadata.unwrap_or_default(),
        env: variables(env, ids),
        identity_ids: vec![],
        message_buffer_autoclear: agent_type == AgentType::WorkflowAgent || r.message_buffer_autoclear.unwrap_or(false),
        enable_sleeptime: r.enable_sleeptime,
        busy_policy: r.busy_policy.unwrap_or_default(),
        timezone: zone(r.timezone.as_deref().unwrap_or("UTC"))?,
        max_files_open: r.max_files_open.unwrap_or(MAX_FILES_OPEN),
        per_file_view_window_char_limit: r.per_file_view_window_char_limit.unwrap_or(FILE_WINDOW_CHARS),
        hidden: r.hidden,
        project_id: r.project_id,
        template_id: r.template_id,
        base_template_id: r.base_template_id,
        last_run_completion: None,
        last_run_duration_ms: None,
        last_stop_reason: None,
        created_at: now,
        updated_at: now,
        rev: 1,
    };
    let blocks = attached.into_iter().chain(new_blocks.iter().cloned()).collect();
    Ok(Plan { agent, new_blocks, blocks, tools })
}

/// The new blocks, with variables filled in. A label may occur once among new and attached ones.
fn blocks(r: &CreateAgent, attached: &[Block], now: Time, ids: &dyn Ids) -> Result<Vec<Block>, ApiError> {
    let mut labels: Vec<String> = Vec::new();
    for block in attached {
        if labels.contains(&block.label) {
            let detail = format!("two of the blocks to attach have the label '{}'", block.label);
            return Err(ApiError::conflict(detail));
        }
        labels.push(block.label.clone());
    }
    let mut out = Vec::new();
    for (i, block) in r.memory_blocks.iter().flatten().enumerate() {
        let place = i.to_string();
        let loc = ["body", "memory_blocks", place.as_str()];
        let mut block = block.clone();
        for (name, value) in r.memory_variables.iter().flatten() {
            block.value = block.value.replace(&format!("{{{{{name}}}}}"), value);
        }
        let block = new_block(block, &loc, now, ids)?;
        if labels.contains(&block.label) {
            let loc: Vec<&str> = loc.iter().copied().chain(["label"]).collect();
            let expected = format!("expected each label once, '{}' is there already", block.label);
            return Err(ApiError::invalid(&loc, expected, json!(block.label)));
        }
        labels.push(block.label.clone());
        out.push(block);
    }
    Ok(out)
}

/// The caller's rules, then those that come with tools where the caller said nothing about them.
fn rules(asked: Option<Vec<ToolRule>>, tools: &[Tool], agent_type: AgentType, base: Option<bool>) -> Vec<ToolRule> {
    let mut rules = asked.unwrap_or_default();
    let names: Vec<&str> = tools.iter().map(|t| t.name.as_str()).collect();
    for rule in builtin::base_rules(&names, agent_type, base) {
        let spoken = rules.iter().any(|have| {
            have.tool_name == rule.tool_name && matches!(have.kind, RuleKind::Terminal | RuleKind::Continue)
        });
        if !spoken {
            rules.push(rule);
        }
    }
    for tool in tools.iter().filter(|t| t.default_requires_approval == Some(true)) {
        let rule = ToolRule::new(&tool.name, RuleKind::RequiresApproval);
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    rules
}

/// Variables with fresh ids.
pub fn variables(env: BTreeMap<String, String>, ids: &dyn Ids) -> Vec<EnvVar> {
    env.into_iter().map(|(key, value)| EnvVar { id: EnvVarId(ids.uuid()), key, value, description: None }).collect()
}

/// Sorted, each once: how tags are kept.
pub fn sorted(mut tags: Vec<String>) -> Vec<String> {
    tags.sort_unstable();
    tags.dedup();
    tags
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    struct Counting(AtomicU64);

    impl Ids for Counting {
        fn uuid(&self) -> uuid::Uuid {
            uuid::Uuid::from_u64_pair(0x4000, self.0.fetch_add(1, Ordering::Relaxed) | 0x8000_0000_0000_0000)
        }
    }

    fn tool(name: &str) -> Tool {
        let builtin = builtin::find(name).expect("a built-in tool");
        let at = Time::UNIX_EPOCH;
        Tool {
            id: engram_domain::ToolId(uuid::Uuid::nil()),
            name: name.into(),
            kind: builtin.kind,
            description: None,
            source_type: None,
            source_code: None,
            json_schema: builtin.json_schema(),
            args_json_schema: None,
            tags: vec![],
            return_char_limit: 1,
            pip_requirements: None,
            npm_requirements: None,
            default_requires_approval: None,
            enable_parallel_execution: false,
            metadata: engram_domain::JsonMap::new(),
            created_at: at,
            updated_at: at,
        }
    }

    fn planned(request: serde_json::Value, agent_type: AgentType, tools: &[&str]) -> Result<Plan, ApiError> {
        let request: CreateAgent = serde_json::from_value(request).expect("a request");
        let found = Found {
            agent_type,
            llm: LlmConfig::default(),
            embedding: EmbeddingConfig::default(),
            tools: tools.iter().map(|n| tool(n)).collect(),
            attached: vec![],
        };
        plan(request, found, Time::UNIX_EPOCH, &Counting(AtomicU64::new(0)))
    }

    #[test]
    fn variables_are_filled_into_blocks_and_labels_are_unique() {
        let plan = planned(
            json!({
                "memory_blocks": [
                    { "label": "human", "value": "Name: {{name}}, {{unknown}}" },
                    { "label": "persona", "value": "I am Sam." },
                ],
                "memory_variables": { "name": "Chad" }, "tags": ["b", "a", "b"],
            }),
            AgentType::MemgptAgent,
            &[],
        )
        .expect("it is valid");
        assert_eq!(plan.new_blocks[0].value, "Name: Chad, {{unknown}}");
        assert!(plan.new_blocks[0].description.is_some());
        assert_eq!(plan.agent.tags, ["a", "b"]);
        assert!(!plan.agent.name.is_empty());

        let twice = json!({ "memory_blocks": [{ "label": "a", "value": "" }, { "label": "a", "value": "" }] });
        let error = planned(twice, AgentType::MemgptAgent, &[]).expect_err("two of one label");
        assert_eq!(error.body()["detail"][0]["loc"], json!(["body", "memory_blocks", 1, "label"]));
    }

    #[test]
    fn a_value_over_its_limit_is_refused_with_both_numbers() {
        let request = json!({ "memory_blocks": [{ "label": "a", "value": "äöü!", "limit": 3 }] });
        let error = planned(request, AgentType::MemgptAgent, &[]).expect_err("too long");
        let detail = &error.body()["detail"][0];
        assert_eq!(detail["loc"], json!(["body", "memory_blocks", 0, "value"]));
        assert_eq!(detail["msg"], "Edit failed: Exceeds 3 character limit (requested 4)");
    }

    #[test]
    fn base_rules_do_not_contradict_the_callers() {
        let request = json!({ "tool_rules": [{ "tool_name": "send_message", "type": "continue_loop" }] });
        let plan = planned(request, AgentType::MemgptAgent, &["send_message", "core_memory_append"]).expect("valid");
        insta::assert_json_snapshot!(plan.agent.tool_rules, @r#"
        [
          {
            "tool_name": "send_message",
            "type": "continue_loop",
            "prompt_template": null
          },
          {
            "tool_name": "core_memory_append",
            "type": "continue_loop",
            "prompt_template": null
          }
        ]
        "#);
        let none = planned(json!({}), AgentType::LettaV1Agent, &["conversation_search"]).expect("valid");
        assert_eq!(none.agent.tool_rules, vec![]);
    }

    #[test]
    fn workflow_agents_forget_and_zones_must_exist() {
        let plan = planned(json!({ "message_buffer_autoclear": false }), AgentType::WorkflowAgent, &[]).expect("valid");
        assert!(plan.agent.message_buffer_autoclear);
        let error = planned(json!({ "timezone": "Mars/Base" }), AgentType::MemgptAgent, &[]).expect_err("no zone");
        assert_eq!(error.body()["detail"][0]["loc"], json!(["body", "timezone"]));
    }
}
