//! Tool rules: which tools may be called now, whether one must be, and whether the turn may end.
//!
//! The history that rules speak of is that of one run.

use std::{collections::BTreeSet, fmt::Write as _};

use engram_domain::{Json, ToolRule, rule::RuleKind};

/// A call that was made in this run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// The tool.
    pub name: String,
    /// Its [`canonical`] arguments, to notice repetition; empty where they are not known.
    pub arguments: String,
    /// Whether it worked.
    pub ok: bool,
    /// What it returned.
    pub text: String,
}

/// Arguments in a form in which spaces and the order of members make no difference.
pub fn canonical(arguments: &str) -> String {
    let text = if arguments.trim().is_empty() { "{}" } else { arguments };
    match serde_json::from_str::<Json>(text) {
        Ok(mut value) => {
            value.sort_all_objects();
            value.to_string()
        }
        Err(_) => text.to_owned(),
    }
}

/// What may be called next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// The tools, of those attached.
    pub tools: BTreeSet<String>,
    /// Whether rules left fewer than all.
    pub constrained: bool,
    /// Whether the rules demand that one of them is called.
    pub forced: bool,
}

/// Which of the `attached` tools may be called after `history`.
pub fn allowed<'a>(rules: &[ToolRule], attached: impl Iterator<Item = &'a str> + Clone, history: &[Called]) -> Allowed {
    let all: BTreeSet<String> = attached.map(str::to_owned).collect();
    if history.is_empty() {
        let first: BTreeSet<String> = rules
            .iter()
            .filter(|r| matches!(r.kind, RuleKind::Init { .. }) && all.contains(&r.tool_name))
            .map(|r| r.tool_name.clone())
            .collect();
        if !first.is_empty() {
            return Allowed { tools: first, constrained: true, forced: true };
        }
    }
    let last = history.last();
    let mut tools = all.clone();
    let mut forced = false;
    for rule in rules {
        let just_called = last.is_some_and(|c| c.name == rule.tool_name);
        match &rule.kind {
            RuleKind::Child { children, .. } if just_called => {
                tools.retain(|t| children.contains(t));
                forced = true;
            }
            RuleKind::Parent { children } => {
                if just_called {
                    tools.retain(|t| children.contains(t));
                    forced = true;
                } else {
                    tools.retain(|t| !children.contains(t));
                }
            }
            RuleKind::Conditional { default_child, child_output_mapping, require_output_mapping } if just_called => {
                let text = last.map(|c| c.text.as_str()).unwrap_or_default();
                let child = child_output_mapping
                    .iter()
                    .find(|(key, _)| same_output(key, text))
                    .and_then(|(_, child)| child.as_str())
                    .or(if *require_output_mapping { None } else { default_child.as_deref() });
                match child {
                    Some(child) => {
                        tools.retain(|t| t == child);
                        forced = true;
                    }
                    None if *require_output_mapping => tools.clear(),
                    None => {}
                }
            }
            RuleKind::MaxCountPerStep { max_count_limit } => {
                let count = history.iter().filter(|c| c.name == rule.tool_name).count();
                if i64::try_from(count).unwrap_or(i64::MAX) >= *max_count_limit {
                    tools.remove(&rule.tool_name);
                }
            }
            _ => {}
        }
    }
    let constrained = tools.len() < all.len();
    Allowed { tools, constrained, forced }
}

/// Keys of a conditional rule are compared as booleans and numbers where they look like them:
/// `true` matches `True`, `1` matches `1.0`.
fn same_output(key: &str, text: &str) -> bool {
    let (key, text) = (key.trim(), text.trim());
    if key == text {
        return true;
    }
    if let (Ok(a), Ok(b)) = (key.parse::<f64>(), text.parse::<f64>()) {
        return (a - b).abs() < f64::EPSILON;
    }
    let boolean =
        |s: &str| s.eq_ignore_ascii_case("true").then_some(true).or(s.eq_ignore_ascii_case("false").then_some(false));
    matches!((boolean(key), boolean(text)), (Some(a), Some(b)) if a == b)
}

/// Whether a successful call of the tool ends the turn.
pub fn is_terminal(rules: &[ToolRule], tool: &str) -> bool {
    rules.iter().any(|r| r.tool_name == tool && matches!(r.kind, RuleKind::Terminal))
}

/// Whether the result of a call of the tool decides what may be called next.
pub fn decides_by_result(rules: &[ToolRule], tool: &str) -> bool {
    rules.iter().any(|r| r.tool_name == tool && matches!(r.kind, RuleKind::Conditional { .. }))
}

/// Why the turn goes on after a call of the tool although nobody asked for it.
pub fn continues(rules: &[ToolRule], tool: &str) -> Option<&'static str> {
    rules.iter().find_map(|r| match r.kind {
        _ if r.tool_name != tool => None,
        RuleKind::Continue => Some("Continuing: continue tool rule."),
        RuleKind::Child { .. } | RuleKind::Parent { .. } | RuleKind::Conditional { .. } => {
            Some("Continuing: child tool rule.")
        }
        _ => None,
    })
}

/// Whether a call of the tool waits for a person.
pub fn needs_approval(rules: &[ToolRule], tool: &str) -> bool {
    rules.iter().any(|r| r.tool_name == tool && matches!(r.kind, RuleKind::RequiresApproval))
}

/// Tools that must have been called before the turn may end, and were not.
pub fn still_required<'a>(rules: &'a [ToolRule], history: &[Called]) -> Vec<&'a str> {
    rules
        .iter()
        .filter(|r| matches!(r.kind, RuleKind::RequiredBeforeExit))
        .map(|r| r.tool_name.as_str())
        .filter(|t| !history.iter().any(|c| c.name == *t && c.ok))
        .collect()
}

/// Arguments that rules fill in for a call: those of a `run_first` rule for the first call, those of
/// the last tool's child rule after that. They win over what the model wrote.
pub fn prefilled(rules: &[ToolRule], history: &[Called], tool: &str) -> Vec<(String, Json)> {
    let mut out = Vec::new();
    for rule in rules {
        let args = match &rule.kind {
            RuleKind::Init { args } if history.is_empty() && rule.tool_name == tool => args.as_ref(),
            RuleKind::Child { child_arg_nodes: Some(nodes), .. }
                if history.last().is_some_and(|c| c.name == rule.tool_name) =>
            {
                nodes.iter().find(|n| n.name == tool).and_then(|n| n.args.as_ref())
            }
            _ => None,
        };
        out.extend(args.into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())));
    }
    out
}

/// What the model is told when it calls a tool that it may not call.
pub fn violation(tool: &str, allowed: &BTreeSet<String>) -> String {
    let names: Vec<String> = allowed.iter().map(|t| format!("'{t}'")).collect();
    let tool = crate::memory::excerpt(tool);
    format!("[ToolConstraintError] Cannot call {tool}, valid tools include: [{}].", names.join(", "))
}

/// The section of the system prompt that states the rules; empty when there is nothing to state.
pub fn render(rules: &[ToolRule]) -> String {
    // The order of the old server, so that a prompt reads the same wherever a rule was added.
    let rank = |r: &ToolRule| match r.kind {
        RuleKind::Init { .. } => 0,
        RuleKind::Continue => 1,
        RuleKind::Child { .. } => 2,
        RuleKind::Conditional { .. } => 3,
        RuleKind::MaxCountPerStep { .. } => 4,
        RuleKind::Parent { .. } => 5,
        _ => 6,
    };
    let mut sorted: Vec<&ToolRule> = rules.iter().collect();
    sorted.sort_by_key(|r| rank(r));
    let texts: Vec<String> = sorted.into_iter().filter_map(sentence).collect();
    if texts.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<tool_usage_rules>\nThese rules limit which tools you may call and when. Keep to them: a call that breaks \
         one is refused.\n",
    );
    for text in texts {
        // Writing to a string cannot fail.
        let _ = write!(out, "\n<tool_rule>\n{text}\n</tool_rule>");
    }
    out.push_str("\n</tool_usage_rules>");
    out
}

fn sentence(rule: &ToolRule) -> Option<String> {
    let tool = &rule.tool_name;
    match &rule.kind {
        RuleKind::Continue => Some(format!("{tool} requires continuing your response when called")),
        RuleKind::Child { children, .. } => {
            Some(format!("After using {tool}, you must use one of these tools: {}", children.join(", ")))
        }
        RuleKind::Conditional { .. } => {
            Some(format!("{tool} will determine which tool to use next based on its output"))
        }
        RuleKind::MaxCountPerStep { max_count_limit } => {
            Some(format!("{tool}: at most {max_count_limit} use(s) per response"))
        }
        RuleKind::Parent { children } => Some(format!("{} can only be used after {tool}", children.join(", "))),
        RuleKind::Terminal => Some(format!("{tool} ends your response (yields control) when called")),
        RuleKind::Init { .. } | RuleKind::RequiredBeforeExit | RuleKind::RequiresApproval => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules(v: Json) -> Vec<ToolRule> {
        serde_json::from_value(v).unwrap()
    }

    fn called(name: &str, text: &str) -> Called {
        Called { name: name.into(), arguments: String::new(), ok: true, text: text.into() }
    }

    fn now(rules: &[ToolRule], history: &[Called]) -> Vec<String> {
        allowed(rules, ["a", "b", "c"].into_iter(), history).tools.into_iter().collect()
    }

    #[test]
    fn run_first_holds_for_the_first_call_only() {
        let r = rules(json!([{"type": "run_first", "tool_name": "b"}]));
        assert_eq!(now(&r, &[]), ["b"]);
        assert_eq!(now(&r, &[called("b", "")]), ["a", "b", "c"]);
    }

    #[test]
    fn child_and_parent_rules_intersect() {
        let r = rules(json!([
            {"type": "constrain_child_tools", "tool_name": "a", "children": ["b", "c"]},
            {"type": "parent", "tool_name": "b", "children": ["c"]}
        ]));
        assert_eq!(now(&r, &[]), ["a", "b"]);
        assert_eq!(now(&r, &[called("a", "")]), ["b"]);
        assert_eq!(now(&r, &[called("b", "")]), ["c"]);
    }

    #[test]
    fn conditional_compares_booleans_and_numbers() {
        let r = rules(json!([{"type": "conditional", "tool_name": "a", "default_child": "c",
            "child_output_mapping": {"true": "b", "2": "a"}}]));
        assert_eq!(now(&r, &[called("a", "True")]), ["b"]);
        assert_eq!(now(&r, &[called("a", "2.0")]), ["a"]);
        assert_eq!(now(&r, &[called("a", "other")]), ["c"]);
    }

    #[test]
    fn max_count_removes_the_tool() {
        let r = rules(json!([{"type": "max_count_per_step", "tool_name": "a", "max_count_limit": 2}]));
        assert_eq!(now(&r, &[called("a", ""), called("a", "")]), ["b", "c"]);
    }

    #[test]
    fn the_section_lists_rules_in_a_fixed_order() {
        let r = rules(json!([
            {"type": "exit_loop", "tool_name": "send_message"},
            {"type": "continue_loop", "tool_name": "a"}
        ]));
        insta::assert_snapshot!(render(&r), @r"
        <tool_usage_rules>
        These rules limit which tools you may call and when. Keep to them: a call that breaks one is refused.

        <tool_rule>
        a requires continuing your response when called
        </tool_rule>
        <tool_rule>
        send_message ends your response (yields control) when called
        </tool_rule>
        </tool_usage_rules>
        ");
    }
}
