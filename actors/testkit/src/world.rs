//! A database in memory: one agent, one conversation. Agents have numbers, so that there may be several worlds.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use engram_core::{
    builtin, initial_messages,
    ports::{
        Ids, Loaded,
        store::{AgentSnapshot, BlockWrite, Commit, PromptMeta, RunUpdate},
    },
    prompts,
};
use engram_domain::{
    Agent, AgentId, AgentType, Block, BlockId, Content, Conversation, ConversationId, Json, LlmConfig, Message, Role,
    Run, RunId, RunInput, StepId, Time, Tool, ToolEffect,
};
use serde_json::json;
use uuid::Uuid;

use crate::{agent, block, run, tool};

/// Ids that count up.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Clone for Counter {
    /// One that goes on with the same ids.
    fn clone(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }
}

impl Ids for Counter {
    fn uuid(&self) -> Uuid {
        Uuid::from_u128(0x1000 + u128::from(self.0.fetch_add(1, Ordering::Relaxed)))
    }
}

/// What survives a crash.
#[derive(Clone)]
pub struct World {
    /// The agent with what it has attached.
    pub snapshot: AgentSnapshot,
    /// Its conversation.
    pub conversation: Conversation,
    /// What the last section of its prompt was compiled from.
    pub meta: Option<PromptMeta>,
    /// All messages of the conversation, by their `seq`.
    pub messages: BTreeMap<i64, Arc<Message>>,
    /// All runs that were accepted.
    pub runs: BTreeMap<RunId, Run>,
    /// Steps that were recorded.
    pub steps: BTreeSet<StepId>,
    /// Where new ids come from.
    pub ids: Counter,
}

/// A tool of the test whose effect is outside our database.
pub const ONCE: &str = "ring_bell";
/// A tool of the test that only reads.
pub const READ: &str = "look_up";

fn named(tool: Tool) -> (String, Arc<Tool>) {
    (tool.name.clone(), Arc::new(tool))
}

/// The schema of a tool without arguments.
fn no_arguments(name: &str) -> Json {
    json!({"name": name, "parameters": {"type": "object", "properties": {}}})
}

impl World {
    /// An agent with the tools and the prompt that the server gives to one of this type.
    pub fn new(agent_type: AgentType, window: i32) -> Self {
        let names = builtin::defaults_for(agent_type, builtin::DefaultsRequest::default());
        Self::with(1, agent_type, window, names, prompts::system(agent_type))
    }

    /// One with a short prompt and few tools, so that a turn costs little.
    pub fn small(number: u128, agent_type: AgentType) -> Self {
        let mut names = vec!["core_memory_append", "memory_insert"];
        if agent_type.has_heartbeats() {
            names.push("send_message");
        }
        let mut small = Self::with(number, agent_type, 32_000, names, "Be.");
        let bare = |(name, known): (&String, &Arc<Tool>)| {
            let (kind, effect) = (known.kind, known.effect);
            named(Tool { kind, effect, json_schema: no_arguments(name), ..tool(name) })
        };
        small.snapshot.tools = Arc::new(small.snapshot.tools.iter().map(bare).collect());
        small
    }

    fn with(number: u128, agent_type: AgentType, window: i32, mut names: Vec<&'static str>, system: &str) -> Self {
        let id = AgentId(Uuid::from_u128(number));
        names.sort_unstable();
        let rules = builtin::base_rules(&names, agent_type, None);
        let known = names.iter().filter_map(|n| builtin::find(n));
        let mut tools: BTreeMap<String, Arc<Tool>> = known
            .map(|b| named(Tool { kind: b.kind, effect: b.effect, json_schema: b.json_schema(), ..tool(b.name) }))
            .collect();
        for (name, effect) in [(ONCE, ToolEffect::Once), (READ, ToolEffect::Repeatable)] {
            tools.extend([named(Tool { effect, json_schema: no_arguments(name), ..tool(name) })]);
        }
        let agent = Agent {
            name: format!("agent {number}"),
            agent_type,
            system: system.into(),
            llm: LlmConfig { model: "m".into(), context_window: window, ..LlmConfig::default() },
            tool_rules: rules,
            message_buffer_autoclear: agent_type == AgentType::WorkflowAgent,
            ..agent(id)
        };
        let block =
            Block { id: BlockId(Uuid::from_u128(0x800 + number)), limit: 2_000, ..block("human", "Name: Chad") };
        let snapshot = AgentSnapshot {
            agent: Arc::new(agent),
            blocks: vec![Arc::new(block)],
            tools: Arc::new(tools),
            archives: Arc::new(vec![]),
            archival_count: 0,
            archival_tags: vec![],
            buffer: None,
        };
        let ids = Counter::default();
        let conversation_id: ConversationId = id.default_conversation();
        let (first, meta) = initial_messages::compose(&snapshot, conversation_id, None, Time::UNIX_EPOCH, &ids);
        let conversation = Conversation {
            id: conversation_id,
            agent_id: id,
            summary: None,
            isolated_block_ids: vec![],
            model: None,
            model_settings: None,
            system_message_id: first[0].id,
            summary_message_id: None,
            context_from: 1,
            next_seq: first.len() as i64,
            last_message_at: None,
            created_at: Time::UNIX_EPOCH,
            updated_at: Time::UNIX_EPOCH,
        };
        Self {
            snapshot,
            conversation,
            meta: Some(meta),
            messages: first.into_iter().map(|m| (m.seq, Arc::new(m))).collect(),
            runs: BTreeMap::new(),
            steps: BTreeSet::new(),
            ids,
        }
    }

    /// Lets calls of the test's own tools run at once.
    pub fn run_at_once(&mut self) {
        let allow = |(name, tool): (&String, &Arc<Tool>)| {
            let own = [ONCE, READ].contains(&name.as_str());
            (name.clone(), Arc::new(Tool { enable_parallel_execution: own, ..(**tool).clone() }))
        };
        self.snapshot.tools = Arc::new(self.snapshot.tools.iter().map(allow).collect());
    }

    /// Accepts a run.
    pub fn accept_input(&mut self, input: RunInput) -> RunId {
        let id = RunId(self.ids.uuid());
        let run = Run { id, owner: self.conversation.id.into(), ..run(self.conversation.agent_id, input) };
        self.runs.insert(id, run);
        id
    }

    /// What an actor loads when it wakes.
    pub fn loaded(&self) -> Loaded {
        let c = &self.conversation;
        let context = self
            .messages
            .values()
            .filter(|m| m.id == c.system_message_id || Some(m.id) == c.summary_message_id || m.seq >= c.context_from)
            .cloned()
            .collect();
        Loaded { snapshot: self.snapshot.clone(), conversation: c.clone(), prompt_meta: self.meta.clone(), context }
    }

    /// What the database does with a commit.
    pub fn apply(&mut self, commit: &Commit) {
        self.write(commit);
        if let Some(update) = &commit.run {
            let run = &self.runs[&update.id];
            assert!(!run.status.is_terminal(), "a run ends once");
            self.move_run(update);
        }
    }

    /// All of a commit but what becomes of its run.
    pub fn write(&mut self, commit: &Commit) {
        assert_eq!(commit.expect_seq, self.conversation.next_seq, "the actor knows the sequence");
        if let Some(from) = commit.delete_from {
            self.messages.retain(|seq, _| *seq < from);
            self.conversation.next_seq = from;
        }
        for message in &commit.append {
            assert_eq!(message.seq, self.conversation.next_seq, "no gap");
            self.conversation.next_seq += 1;
            assert!(self.messages.insert(message.seq, message.clone()).is_none());
        }
        for message in &commit.rewrite {
            self.messages.insert(message.seq, message.clone());
        }
        if let Some(mark) = commit.context {
            self.conversation.summary_message_id = mark.summary_message_id;
            self.conversation.context_from = mark.context_from;
        }
        if commit.prompt_meta.is_some() {
            self.meta.clone_from(&commit.prompt_meta);
        }
        if let Some(step) = &commit.step {
            assert!(self.steps.insert(step.id), "a step is recorded once");
        }
        for write in &commit.blocks {
            let BlockWrite::Set { id, version, value, .. } = write else { continue };
            let block = self.snapshot.blocks.iter_mut().find(|b| b.id == *id).expect("the block exists");
            assert_eq!(block.version, *version, "compare and set");
            let mut changed = (**block).clone();
            changed.value.clone_from(value);
            changed.version += 1;
            *block = Arc::new(changed);
            let mut agent = (*self.snapshot.agent).clone();
            agent.rev += 1;
            self.snapshot.agent = Arc::new(agent);
        }
    }

    /// What becomes of a run with a commit.
    pub fn move_run(&mut self, update: &RunUpdate) {
        let run = self.runs.get_mut(&update.id).expect("the run exists");
        run.status = update.status;
        run.stop_reason = update.stop_reason;
        run.error.clone_from(&update.error);
        run.error_kind.clone_from(&update.error_kind);
        run.attempts = update.attempts;
        run.step_count = update.step_count;
        run.usage = update.usage;
    }

    /// What must hold whenever nothing is on: calls and results pair, the sequence has no gap.
    pub fn check(&self) {
        assert!(self.open_calls().is_none(), "calls without results");
    }

    /// As [`World::check`]; the very last calls, if they have no results and wait for nobody.
    pub fn open_calls(&self) -> Option<Arc<Message>> {
        for (i, seq) in self.messages.keys().enumerate() {
            assert_eq!(i as i64, *seq, "the sequence has no gap");
        }
        for run in self.runs.values() {
            assert_eq!(run.status.is_terminal(), run.stop_reason.is_some());
        }
        let all: Vec<&Arc<Message>> = self.messages.values().collect();
        let (mut i, mut open) = (0, None);
        while i < all.len() {
            let calls = all[i];
            let mut want: Vec<&str> = calls.content.calls().iter().map(|c| c.id.as_str()).collect();
            i += 1;
            // The client's decisions come first, whichever calls they are about.
            let in_order = calls.role != Role::Approval;
            while i < all.len() {
                match &all[i].content {
                    Content::ToolReturn(r) => {
                        let at = want.iter().position(|w| *w == r.tool_call_id);
                        let at = at.expect("a result belongs to a call before it, once");
                        assert!(at == 0 || !in_order, "results come in the order of their calls");
                        want.remove(at);
                    }
                    // A compaction between call and result stands after the call, not in between,
                    // in what the model sees.
                    Content::Summary { .. } | Content::Decisions { .. } => {}
                    _ => break,
                }
                i += 1;
            }
            assert!(want.is_empty() || i == all.len(), "calls without results: {want:?}");
            open = Some(calls.clone()).filter(|m| !want.is_empty() && m.role != Role::Approval);
        }
        open
    }
}
