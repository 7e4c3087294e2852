//! The agent that a specification describes, as a pure function of it and of what was looked up.

use std::collections::{BTreeMap, HashSet};

use engram_core::{builtin, ports::Ids, prompts};
use engram_domain::{
    Agent, AgentId, AgentType, Block, BusyPolicy, EmbeddingConfig, EnvVar, EnvVarId, Json, JsonMap, LlmConfig, Time,
    Tool, ToolRule,
    block::{DEFAULT_LIMIT, MAX_LIMIT},
    rule::RuleKind,
};
use engram_store::agents::AgentPatch;
use serde_json::json;

use super::{AgentSpec, names};
use crate::app::{Error, Result, blocks::new_block, limits, sorted};

/// Files that may be open at once, and characters shown of each, when nobody says.
const MAX_FILES_OPEN: i32 = 10;
const FILE_WINDOW_CHARS: i32 = 25_000;

/// What was looked up.
pub struct Found {
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

/// Plans the agent: the defaults of its type, with what was asked for over them.
pub fn plan(spec: AgentSpec, found: Found, now: Time, ids: &dyn Ids) -> Result<Plan> {
    let Found { llm, embedding, tools, attached } = found;
    let new_blocks = blocks(&spec, &attached, now, ids)?;
    let id = AgentId(ids.uuid());
    let AgentSpec { agent_type, mut settings, env, include_base_tool_rules, .. } = spec;
    if let Some(name) = settings.name.as_ref().filter(|name| name.trim().is_empty()) {
        return Err(Error::invalid(&["name"], "expected a name or no such member", json!(name)));
    }
    let name = settings.name.get_or_insert_with(|| names::from_id(ids.uuid())).clone();
    settings.tool_rules = Some(rules(settings.tool_rules.take(), &tools, agent_type, include_base_tool_rules));
    settings.env = Some(variables(env, ids));
    if agent_type == AgentType::WorkflowAgent {
        settings.message_buffer_autoclear = Some(true);
    }
    settings.tags = settings.tags.map(sorted);
    if let Some(name) = &settings.timezone {
        check_zone(name)?;
    }
    let mut agent = bare(id, name, agent_type, llm, embedding, now);
    // Models were looked up, with what is asked of them.
    AgentPatch { llm: None, embedding: None, ..settings }.apply(&mut agent);
    let blocks = attached.into_iter().chain(new_blocks.iter().cloned()).collect();
    Ok(Plan { agent, new_blocks, blocks, tools })
}

/// An agent of which nothing was said but what it cannot do without.
pub(super) fn bare(
    id: AgentId,
    name: String,
    agent_type: AgentType,
    llm: LlmConfig,
    embedding: EmbeddingConfig,
    now: Time,
) -> Agent {
    Agent {
        id,
        name,
        description: None,
        agent_type,
        system: prompts::system(agent_type).to_owned(),
        llm,
        embedding,
        model_settings: None,
        compaction: None,
        response_format: None,
        tool_rules: vec![],
        tags: vec![],
        metadata: JsonMap::new(),
        env: vec![],
        identity_ids: vec![],
        message_buffer_autoclear: false,
        enable_sleeptime: None,
        busy_policy: BusyPolicy::default(),
        timezone: "UTC".to_owned(),
        max_files_open: MAX_FILES_OPEN,
        per_file_view_window_char_limit: FILE_WINDOW_CHARS,
        hidden: None,
        project_id: None,
        template_id: None,
        base_template_id: None,
        last_run_completion: None,
        last_run_duration_ms: None,
        last_stop_reason: None,
        created_at: now,
        updated_at: now,
        rev: 1,
    }
}

/// The new blocks, with variables filled in. A label may occur once among new and attached ones.
fn blocks(spec: &AgentSpec, attached: &[Block], now: Time, ids: &dyn Ids) -> Result<Vec<Block>> {
    let named = spec.block_variables.keys().map(String::len).max().unwrap_or(0);
    limits::at_most(&["memory_variables"], "bytes in a name", named, limits::VARIABLE_NAME)?;
    let mut labels: HashSet<String> = HashSet::new();
    for block in attached {
        if !labels.insert(block.label.clone()) {
            return Err(Error::Conflict(format!("two of the blocks to attach have the label '{}'", block.label)));
        }
    }
    let mut out = Vec::new();
    for (i, block) in spec.blocks.iter().enumerate() {
        let place = i.to_string();
        let path = ["memory_blocks", place.as_str()];
        let mut block = block.clone();
        let limit = block.limit.unwrap_or(DEFAULT_LIMIT).clamp(0, MAX_LIMIT);
        block.value = fill(&block.value, &spec.block_variables, limit).ok_or_else(|| {
            let path: Vec<&str> = path.iter().copied().chain(["value"]).collect();
            Error::invalid(&path, format!("expected at most {limit} characters with its variables"), Json::Null)
        })?;
        let block = new_block(block, &path, now, ids)?;
        if !labels.insert(block.label.clone()) {
            let path: Vec<&str> = path.iter().copied().chain(["label"]).collect();
            let expected = format!("expected each label once, '{}' is there already", block.label);
            return Err(Error::invalid(&path, expected, json!(block.label)));
        }
        out.push(block);
    }
    Ok(out)
}

/// A text with the values of variables in the place of `{{name}}`; unknown ones stay, and values are not looked through.
/// None when that makes it longer than `limit` characters can be: a short text
/// can name a long value a thousand times.
fn fill(text: &str, variables: &BTreeMap<String, String>, limit: i32) -> Option<String> {
    // A text that is too long by itself is refused by its limit.
    let most = usize::try_from(limit).unwrap_or(0).saturating_mul(4).max(text.len());
    let mut out = String::new();
    let mut rest = text;
    // Where names end. Looked for once, whatever begins before it.
    let mut ends = text.match_indices("}}").map(|(at, _)| at).peekable();
    while let Some(open) = rest.find("{{") {
        let (before, named) = rest.split_at(open);
        out.push_str(before);
        let name_at = text.len() - named.len() + 2;
        while ends.peek().is_some_and(|end| *end < name_at) {
            ends.next();
        }
        let name = ends.peek().filter(|end| **end - name_at <= limits::VARIABLE_NAME);
        let value = name.and_then(|end| Some((*end, variables.get(&text[name_at..*end])?)));
        let (shown, next) = match value {
            Some((end, value)) => (value.as_str(), end + 2),
            None => ("{", name_at - 1),
        };
        if out.len() + shown.len() > most {
            return None;
        }
        out.push_str(shown);
        rest = &text[next..];
    }
    (out.len() + rest.len() <= most).then(|| out + rest)
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

/// Refuses what is not the IANA name of a zone.
pub fn check_zone(name: &str) -> Result<()> {
    let expected = "expected the IANA name of a time zone, as `Europe/Berlin`";
    let known = name.parse::<chrono_tz::Tz>().is_ok();
    if known { Ok(()) } else { Err(Error::invalid(&["timezone"], expected, Json::from(name))) }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::app::{blocks::BlockSpec, error::testing::refused};

    struct Counting(AtomicU64);

    impl Ids for Counting {
        fn uuid(&self) -> uuid::Uuid {
            uuid::Uuid::from_u64_pair(0x4000, self.0.fetch_add(1, Ordering::Relaxed) | 0x8000_0000_0000_0000)
        }
    }

    fn tool(name: &str) -> Tool {
        let builtin = builtin::find(name).expect("a built-in tool");
        builtin.to_tool(engram_domain::ToolId(uuid::Uuid::nil()), Time::UNIX_EPOCH)
    }

    fn planned(spec: AgentSpec, tools: &[&str]) -> Result<Plan> {
        let found = Found {
            llm: LlmConfig::default(),
            embedding: EmbeddingConfig::default(),
            tools: tools.iter().map(|n| tool(n)).collect(),
            attached: vec![],
        };
        plan(spec, found, Time::UNIX_EPOCH, &Counting(AtomicU64::new(0)))
    }

    fn block(label: &str, value: &str) -> BlockSpec {
        BlockSpec { label: label.into(), value: value.into(), ..BlockSpec::default() }
    }

    #[test]
    fn variables_are_filled_into_blocks_and_labels_are_unique() {
        let mut spec = AgentSpec::new(AgentType::MemgptAgent);
        spec.blocks = vec![block("human", "Name: {{name}}, {{unknown}}"), block("persona", "I am Sam.")];
        spec.block_variables = BTreeMap::from([("name".into(), "Chad".into())]);
        spec.settings.tags = Some(vec!["b".into(), "a".into(), "b".into()]);
        let plan = planned(spec, &[]).expect("it is valid");
        assert_eq!(plan.new_blocks[0].value, "Name: Chad, {{unknown}}");
        assert!(plan.new_blocks[0].description.is_some());
        assert_eq!(plan.agent.tags, ["a", "b"]);
        assert!(!plan.agent.name.is_empty());

        let mut twice = AgentSpec::new(AgentType::MemgptAgent);
        twice.blocks = vec![block("a", ""), block("a", "")];
        assert_eq!(refused(planned(twice, &[])).0, "memory_blocks.1.label");
    }

    #[test]
    fn variables_are_filled_in_without_multiplying() {
        let variables = [("a", "x"), ("b", "{{a}}"), ("}", "never")].map(|(n, v)| (n.to_owned(), v.to_owned())).into();
        let fill = |text, limit| super::fill(text, &variables, limit);
        for (text, filled) in [
            ("{{a}}{{b}}{{c}}", "x{{a}}{{c}}"),
            ("{{{{a}}}}", "{{x}}"),
            ("{{{a}}}", "{x}"),
            ("{{", "{{"),
            ("}}{{a", "}}{{a"),
            ("ä{{a}}ö", "äxö"),
            ("", ""),
        ] {
            assert_eq!(fill(text, 100).as_deref(), Some(filled), "{text}");
        }

        let mut spec = AgentSpec::new(AgentType::MemgptAgent);
        spec.blocks = vec![BlockSpec { limit: Some(i32::MAX), ..block("a", &"{{v}}".repeat(100_000)) }];
        spec.block_variables = BTreeMap::from([("v".into(), "x".repeat(1_000_000))]);
        let (path, expected) = refused(planned(spec.clone(), &[]));
        assert_eq!(path, "memory_blocks.0.value");
        assert!(expected.contains("10000000 characters"), "{expected}");
        spec.block_variables = BTreeMap::from([("v".repeat(1_000), String::new())]);
        assert_eq!(refused(planned(spec, &[])).0, "memory_variables");
    }

    #[test]
    fn a_value_over_its_limit_is_refused_with_both_numbers() {
        let mut spec = AgentSpec::new(AgentType::MemgptAgent);
        spec.blocks = vec![BlockSpec { limit: Some(3), ..block("a", "äöü!") }];
        let (path, expected) = refused(planned(spec, &[]));
        assert_eq!(path, "memory_blocks.0.value");
        assert_eq!(expected, "Edit failed: Exceeds 3 character limit (requested 4)");
    }

    #[test]
    fn base_rules_do_not_contradict_the_callers() {
        let mut spec = AgentSpec::new(AgentType::MemgptAgent);
        spec.settings.tool_rules = Some(vec![ToolRule::new("send_message", RuleKind::Continue)]);
        let plan = planned(spec, &["send_message", "core_memory_append"]).expect("valid");
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
        let none = planned(AgentSpec::new(AgentType::LettaV1Agent), &["conversation_search"]).expect("valid");
        assert_eq!(none.agent.tool_rules, vec![]);
    }

    #[test]
    fn workflow_agents_forget_and_zones_must_exist() {
        let mut spec = AgentSpec::new(AgentType::WorkflowAgent);
        spec.settings.message_buffer_autoclear = Some(false);
        assert!(planned(spec, &[]).expect("valid").agent.message_buffer_autoclear);
        let mut spec = AgentSpec::new(AgentType::MemgptAgent);
        spec.settings.timezone = Some("Mars/Base".into());
        assert_eq!(refused(planned(spec, &[])).0, "timezone");
    }
}
