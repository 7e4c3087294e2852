//! An agent's tools as the model is shown them, in memory once for all agents that have them.
//!
//! A hundred thousand agents have the same ten tools. Each tool that an agent is loaded with is exchanged
//! for the one that another agent holds already, when the two are equal in every member; so are its schemas
//! and their tokens. What nobody holds any more is forgotten. Nothing here changes what a step does.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError},
};

use engram_domain::{Agent, Json, JsonMap, Tool, ToolId};
use serde_json::json;

use super::request::{HEARTBEAT, THINKING};
use crate::{ports::llm::ToolSchema, rules, tokens, weak_cache::WeakCache};

/// Tokens around a tool in a prompt besides its texts.
const PER_TOOL: usize = 8;

/// The tools of one agent, by name. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Toolbox {
    tools: Arc<[Arc<Shared>]>,
    /// Made when a request first needs them.
    schemas: Option<Schemas>,
}

/// What the model is shown when no rule leaves any out, and its tokens.
type Schemas = (Arc<[Arc<ToolSchema>]>, usize);

/// A tool and its schemas: without and with an argument for thoughts, without and with one for another step.
#[derive(Debug)]
struct Shared {
    tool: Arc<Tool>,
    shown: [OnceLock<(Arc<ToolSchema>, usize)>; 4],
}

static KNOWN: LazyLock<Mutex<WeakCache<ToolId, Shared>>> = LazyLock::new(Mutex::default);

impl Toolbox {
    /// The toolbox for these tools, which are exchanged for equal ones that others hold.
    pub(super) fn of(tools: &mut Arc<BTreeMap<String, Arc<Tool>>>) -> Self {
        let shared: Arc<[Arc<Shared>]> = tools.values().map(share).collect();
        *tools = Arc::new(tools.keys().cloned().zip(shared.iter().map(|s| s.tool.clone())).collect());
        Self { tools: shared, schemas: None }
    }

    /// All tools as this agent's model is shown them.
    pub(super) fn schemas(&mut self, agent: &Agent) -> &Schemas {
        self.schemas.get_or_insert_with(|| {
            let heartbeats = agent.agent_type.has_heartbeats();
            let thoughts = heartbeats && agent.llm.put_inner_thoughts_in_kwargs.unwrap_or(false);
            let mut sum = 0;
            let schemas = self.tools.iter().map(|shared| {
                let terminal = rules::is_terminal(&agent.tool_rules, &shared.tool.name);
                let (schema, tokens) = shared.shown(thoughts, heartbeats && !terminal);
                sum += tokens;
                schema.clone()
            });
            (schemas.collect(), sum)
        })
    }

    /// Tokens of the schemas, 0 before they were made.
    pub(super) fn tokens(&self) -> usize {
        self.schemas.as_ref().map_or(0, |s| s.1)
    }
}

fn share(tool: &Arc<Tool>) -> Arc<Shared> {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get(&tool.id);
    if let Some(known) = known
        && (Arc::ptr_eq(&known.tool, tool) || known.tool == *tool)
    {
        return known;
    }
    let shared = Arc::new(Shared { tool: tool.clone(), shown: Default::default() });
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner).insert(tool.id, &shared);
    shared
}

impl Shared {
    fn shown(&self, thoughts: bool, heartbeat: bool) -> &(Arc<ToolSchema>, usize) {
        self.shown[usize::from(thoughts) * 2 + usize::from(heartbeat)].get_or_init(|| {
            let tool = &self.tool;
            let schema = ToolSchema {
                name: tool.name.clone(),
                description: tool.json_schema["description"]
                    .as_str()
                    .or(tool.description.as_deref())
                    .unwrap_or_default()
                    .to_owned(),
                parameters: parameters(&tool.json_schema["parameters"], thoughts, heartbeat),
            };
            let tokens = tokens::count(&schema.name)
                + tokens::count(&schema.description)
                + tokens::count(&schema.parameters.to_string())
                + PER_TOOL;
            (Arc::new(schema), tokens)
        })
    }
}

/// A tool's parameters with the thoughts first and the wish for another step last, as the older
/// agents' models are used to.
fn parameters(schema: &Json, thoughts: bool, heartbeat: bool) -> Json {
    let mut properties = JsonMap::new();
    let mut required: Vec<Json> = Vec::new();
    if thoughts {
        properties.insert(
            THINKING.into(),
            json!({"type": "string", "description": "What you think before you act. Private; nobody else sees it."}),
        );
        required.push(THINKING.into());
    }
    if let Some(own) = schema["properties"].as_object() {
        properties.extend(own.iter().map(|(k, v)| (k.clone(), v.clone())));
    }
    required.extend(schema["required"].as_array().into_iter().flatten().cloned());
    if heartbeat {
        properties.insert(
            HEARTBEAT.into(),
            json!({"type": "boolean", "description": "Set to true to get control back after this call, to go on with \
                   another one."}),
        );
        required.push(HEARTBEAT.into());
    }
    json!({"type": "object", "properties": properties, "required": required})
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::weak_cache::FEW;

    fn tools(id: u128, description: &str) -> Arc<BTreeMap<String, Arc<Tool>>> {
        let tool = Tool {
            id: ToolId(Uuid::from_u128(id)),
            description: Some(description.into()),
            json_schema: json!({"parameters": {"type": "object", "properties": {"at": {"type": "string"}}}}),
            ..engram_testkit::tool("look")
        };
        Arc::new(BTreeMap::from([("look".to_owned(), Arc::new(tool))]))
    }

    #[test]
    fn equal_tools_are_one_and_changed_ones_are_not() {
        let (mut a, mut b, mut changed) = (tools(71, "x"), tools(71, "x"), tools(71, "y"));
        let first = Toolbox::of(&mut a);
        let _second = Toolbox::of(&mut b);
        let _third = Toolbox::of(&mut changed);
        assert!(Arc::ptr_eq(&a["look"], &b["look"]));
        assert_eq!(changed["look"].description.as_deref(), Some("y"));
        // Those that came first keep what they have.
        assert_eq!(first.tools[0].tool.description.as_deref(), Some("x"));
    }

    #[test]
    fn what_nobody_holds_is_forgotten() {
        for id in 0..2 * FEW as u128 {
            Toolbox::of(&mut tools(1_000 + id, "x"));
        }
        assert!(KNOWN.lock().unwrap().len() <= FEW + 16);
    }
}
