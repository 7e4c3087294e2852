//! How much may be said about one agent. Looked at before anything is looked up: members of these lists are compared with
//! each other and with what is stored.

use engram_domain::{Json, ToolRule, block::MAX_PER_AGENT, rule::RuleKind};
use engram_store::agents::AgentPatch;

use super::{AgentChange, AgentSpec};
use crate::app::{Error, Result, limits};

/// Of an agent that is to be made.
pub fn spec(spec: &AgentSpec) -> Result<()> {
    let AgentSpec { settings, env, tools, block_ids, blocks, block_variables, first_messages, .. } = spec;
    self::settings(settings)?;
    limits::at_most(&["tool_exec_environment_variables"], "variables", env.len(), limits::VARIABLES)?;
    limits::at_most(&["tools"], "tools", tools.names.len(), limits::TOOLS)?;
    limits::at_most(&["tool_ids"], "tools", tools.ids.len(), limits::TOOLS)?;
    limits::at_most(&["block_ids"], "blocks", block_ids.len(), MAX_PER_AGENT)?;
    limits::at_most(&["memory_blocks"], "blocks", block_ids.len() + blocks.len(), MAX_PER_AGENT)?;
    limits::at_most(&["memory_variables"], "variables", block_variables.len(), limits::VARIABLES)?;
    let first = first_messages.iter().flatten();
    limits::at_most(&["initial_message_sequence"], "messages", first.count(), limits::MESSAGES)
}

/// Of the change of an agent.
pub fn change(change: &AgentChange) -> Result<()> {
    settings(&change.settings)?;
    let variables = change.env.iter().flatten().count();
    limits::at_most(&["tool_exec_environment_variables"], "variables", variables, limits::VARIABLES)
}

fn settings(patch: &AgentPatch) -> Result<()> {
    limits::at_most(&["tags"], "tags", patch.tags.iter().flatten().count(), limits::TAGS)?;
    limits::at_most(&["tool_ids"], "tools", patch.tool_ids.iter().flatten().count(), limits::TOOLS)?;
    limits::at_most(&["block_ids"], "blocks", patch.block_ids.iter().flatten().count(), MAX_PER_AGENT)?;
    rules(patch.tool_rules.as_deref().unwrap_or_default())?;
    if let Some(data) = &patch.metadata {
        limits::metadata(&["metadata"], data)?;
    }
    for (member, data) in [
        ("model_settings", patch.model_settings.as_ref()),
        ("response_format", patch.response_format.as_ref().and_then(Option::as_ref)),
    ] {
        if let Some(data) = data {
            limits::at_most(&[member], "bytes of JSON", data.to_string().len(), limits::METADATA)?;
        }
    }
    Ok(())
}

/// Each step goes through all rules, and all tools that they name.
fn rules(rules: &[ToolRule]) -> Result<()> {
    let named = rules.iter().map(|rule| match &rule.kind {
        RuleKind::Child { children, child_arg_nodes } => children.len() + child_arg_nodes.iter().flatten().count(),
        RuleKind::Parent { children } => children.len(),
        RuleKind::Conditional { child_output_mapping, .. } => child_output_mapping.len(),
        _ => 0,
    });
    let named: usize = named.sum();
    if rules.len() > limits::RULES || named > limits::RULES {
        let most = limits::RULES;
        let expected = format!("expected at most {most} rules that name at most {most} tools together");
        return Err(Error::invalid(&["tool_rules"], expected, Json::from(rules.len().max(named))));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use engram_domain::{AgentType, JsonMap};

    use super::*;
    use crate::app::{blocks::BlockSpec, error::testing::refused};

    #[test]
    fn each_list_has_an_end_and_is_named() {
        let too_many = |fill: fn(&mut AgentSpec)| {
            let mut asked = AgentSpec::new(AgentType::LettaV1Agent);
            assert!(spec(&asked).is_ok());
            fill(&mut asked);
            refused(spec(&asked)).0
        };
        assert_eq!(too_many(|s| s.settings.tags = Some(vec![String::new(); 1_001])), "tags");
        assert_eq!(too_many(|s| s.tools.names = vec![String::new(); 1_001]), "tools");
        assert_eq!(too_many(|s| s.blocks = vec![BlockSpec::default(); 1_001]), "memory_blocks");
        let rule = |children: usize| ToolRule::new("t", RuleKind::Parent { children: vec![String::new(); children] });
        assert!(rules(&vec![rule(1); 1_000]).is_ok());
        assert_eq!(refused(rules(&vec![rule(0); 1_001])).0, "tool_rules");
        assert_eq!(refused(rules(&[rule(500), rule(501)])).0, "tool_rules");
        let data: JsonMap = [("k".to_owned(), "x".repeat(limits::METADATA).into())].into_iter().collect();
        let patch = AgentPatch { metadata: Some(data), ..AgentPatch::default() };
        assert_eq!(refused(settings(&patch)).0, "metadata");
    }
}
