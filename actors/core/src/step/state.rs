//! What a live agent holds.

use std::{borrow::Cow, sync::Arc};

use engram_domain::{
    Content, Conversation, LlmConfig, Message, MessageId, Role, Run, RunId, RunInput, RunStatus, StepId, Time,
    ToolCall, ToolReturn, ToolRule, ToolStatus, Usage, run::ClientTool,
};

use super::{Env, toolbox::Toolbox, window::Window};
use crate::{
    builtin, compact,
    ports::{
        Loaded, ToolOutcome, Write,
        llm::ChatReply,
        store::{AgentSnapshot, BlockWrite, Commit, ContextMark, PromptMeta, RunUpdate},
    },
    prompt,
    rules::Called,
    tokens,
};

/// A live agent: its configuration, its conversation, what it is doing. Cheap to clone, so that an
/// event can be taken in again when its commit met a changed block.
#[derive(Debug, Clone)]
pub struct State {
    /// Its configuration.
    pub snapshot: AgentSnapshot,
    /// Its conversation.
    pub conversation: Conversation,
    /// What it is doing; nothing between two runs.
    pub turn: Option<Turn>,
    /// The message that holds the compiled prompt.
    pub(super) system: Arc<Message>,
    /// The message that stands for what left the context.
    pub(super) summary: Option<Arc<Message>>,
    /// The other messages in context.
    pub(super) window: Window,
    pub(super) prompt_meta: Option<PromptMeta>,
    /// A prompt that was compiled and goes into the next commit.
    pub(super) prompt_dirty: bool,
    /// The revision that `system` was compiled from, to skip comparing when nothing changed.
    pub(super) compiled_rev: Option<i64>,
    /// The tools of the snapshot as the model is shown them.
    pub(super) toolbox: Toolbox,
    /// A compaction that a command asked for; there is no current run then.
    pub(super) maintenance: Option<super::shrink::Shrinking>,
    /// Counts effects that bring an event back.
    pub(super) attempt: u64,
}

/// The current run.
#[derive(Debug, Clone)]
pub struct Turn {
    /// The run.
    pub run_id: RunId,
    /// What was asked.
    pub input: Arc<RunInput>,
    /// Where it is.
    pub phase: Phase,
    /// Group that it was asked in; everything that it writes belongs to it.
    pub(super) group_id: Option<String>,
    pub(super) attempts: i32,
    pub(super) usage: Usage,
    pub(super) step_count: i32,
    pub(super) started_ns: i64,
    pub(super) ttft_ns: Option<i64>,
    /// Calls of this run, for the rules.
    pub(super) called: Vec<Called>,
    /// How often the context was shrunk for one request.
    pub(super) shrunk: u8,
    /// How often the model answered with nothing.
    pub(super) empty: u8,
}

/// Where a run is.
#[derive(Debug, Clone)]
pub enum Phase {
    /// The context is being compacted before the next request.
    Shrinking(super::shrink::Shrinking),
    /// The model is being called.
    Thinking {
        /// Which attempt.
        attempt: u64,
        /// The step.
        step: StepDraft,
        /// The message that the answer becomes.
        message_id: MessageId,
    },
    /// Calls are being carried out.
    Acting(Box<Acting>),
}

/// A step that is not over.
#[derive(Debug, Clone)]
pub struct StepDraft {
    pub(super) id: StepId,
    pub(super) created_at: Time,
    pub(super) started_ns: i64,
    pub(super) context_range: (i64, i64),
}

/// Calls of one answer on their way.
#[derive(Debug, Clone)]
pub struct Acting {
    pub(super) step: StepDraft,
    /// Whether the message with the calls is in the database; it is in the window already.
    pub(super) committed: bool,
    /// Messages of this step that are in the window and not in the database yet.
    pub(super) fresh: Vec<Arc<Message>>,
    /// Calls that are not done, in order.
    pub(super) todo: Vec<ToolCall>,
    /// Ids of those calls whose real results a crash has lost: they do not run again.
    pub(super) lost: Vec<String>,
    /// The calls that run outside, in order; several when their tools may run at once.
    pub(super) running: Vec<Running>,
    /// What asks for another step.
    pub(super) wishes: Wishes,
    pub(super) blocks: Vec<BlockWrite>,
    pub(super) writes: Vec<Write>,
    pub(super) reply: Option<Box<ReplyFacts>>,
    pub(super) tools_started_ns: i64,
}

/// A call that runs outside.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) attempt: u64,
    pub(super) call: ToolCall,
    /// What came of it. It waits here for the results of the calls before it.
    pub(super) outcome: Option<Box<ToolOutcome>>,
}

/// What a step record says about its model call.
#[derive(Debug, Clone)]
pub struct ReplyFacts {
    pub(super) usage: Usage,
    pub(super) raw: Option<engram_domain::Json>,
    pub(super) llm_ns: i64,
}

impl ReplyFacts {
    pub(super) fn of(reply: &ChatReply, llm_ns: i64) -> Self {
        Self { usage: reply.usage, raw: reply.raw.clone(), llm_ns }
    }
}

/// Whether the turn goes on after a step, and why.
#[derive(Debug, Clone, Default)]
pub(super) struct Wishes {
    /// The model asked for it.
    pub(super) heartbeat: bool,
    /// A rule or a failure asks for it: the reason that the model is told.
    pub(super) reason: Option<String>,
    /// A terminal tool was called and worked.
    pub(super) terminal: bool,
}

/// Tokens of the tools that a request brought along.
fn client_tool_tokens(tools: &[ClientTool]) -> usize {
    let parameters: Vec<String> = tools.iter().filter_map(|t| t.parameters.as_ref()).map(ToString::to_string).collect();
    let described = tools.iter().flat_map(|t| [Some(t.name.as_str()), t.description.as_deref()]).flatten();
    tokens::count_all(described.chain(parameters.iter().map(String::as_str))) + tools.len() * 8
}

/// Has a configuration name another model.
pub(super) fn use_handle(config: &mut LlmConfig, handle: String) {
    if let Some((provider, model)) = handle.split_once('/') {
        config.provider_name = Some(provider.to_owned());
        model.clone_into(&mut config.model);
    }
    config.handle = Some(handle);
}

impl State {
    /// The state of an agent that was just loaded.
    pub fn new(loaded: Loaded) -> Option<Self> {
        let Loaded { mut snapshot, conversation, prompt_meta, context } = loaded;
        let system = context.iter().find(|m| m.id == conversation.system_message_id)?.clone();
        let summary = conversation.summary_message_id.and_then(|id| context.iter().find(|m| m.id == id)).cloned();
        let window = context
            .into_iter()
            // Summaries of earlier compactions lie among the messages that stayed.
            .filter(|m| m.id != system.id && m.role != Role::Summary)
            .collect();
        Some(Self {
            toolbox: Toolbox::of(&mut snapshot.tools),
            snapshot,
            conversation,
            turn: None,
            system,
            summary,
            window,
            prompt_meta,
            prompt_dirty: false,
            compiled_rev: None,
            maintenance: None,
            attempt: 0,
        })
    }

    /// Whether there is a current run or command.
    pub fn is_busy(&self) -> bool {
        self.turn.is_some() || self.maintenance.is_some()
    }

    /// Takes in a configuration that was loaded again.
    pub fn refresh(&mut self, mut snapshot: AgentSnapshot) {
        self.toolbox = Toolbox::of(&mut snapshot.tools);
        self.snapshot = snapshot;
    }

    /// Whether a run has to wait until somebody has decided on what waits for approval: one that nobody follows, who could
    /// be told to decide first.
    pub fn must_wait(&self, run: &Run) -> bool {
        run.status == RunStatus::Created
            && !run.run_type.has_receiver()
            && !run.interrupts
            && run.input.decisions.is_empty()
            && self.pending_approval().is_some()
    }

    /// The message whose calls wait for the client's decision.
    pub fn pending_approval(&self) -> Option<&Arc<Message>> {
        self.window.last().filter(|m| m.role == Role::Approval && !m.content.calls().is_empty())
    }

    /// Messages in context, the system message and the summary included.
    pub fn context_len(&self) -> usize {
        1 + usize::from(self.summary.is_some()) + self.window.len()
    }

    /// About how much memory it takes: what is in context, and the blocks.
    pub fn bytes(&self) -> usize {
        let blocks: usize = self.snapshot.blocks.iter().map(|b| b.value.len()).sum();
        let summary = self.summary.as_ref().map_or(0, |m| m.bytes());
        self.window.bytes() + self.system.bytes() + summary + blocks
    }

    /// Tokens of the next request as it stands.
    pub fn context_tokens(&mut self) -> usize {
        let schemas = self.schemas().1;
        let input = self.turn.as_ref().map(|t| t.input.clone());
        let client_tools: usize = input.as_ref().map_or(0, |i| client_tool_tokens(&i.client_tools));
        let system = match input.as_ref().and_then(|i| i.override_system.as_deref()) {
            // In the place of the agent's own instructions.
            Some(text) => (compact::size(&self.system) + tokens::count(text))
                .saturating_sub(tokens::count(&self.snapshot.agent.system)),
            None => compact::size(&self.system),
        };
        schemas + client_tools + system + self.summary.as_ref().map_or(0, |m| compact::size(m)) + self.window.tokens()
    }

    pub(super) fn config(&self) -> Arc<LlmConfig> {
        let handle =
            self.turn.as_ref().and_then(|t| t.input.override_model.clone()).or_else(|| self.conversation.model.clone());
        let mut config = self.snapshot.agent.llm.clone();
        if let Some(handle) = handle {
            use_handle(&mut config, handle);
        }
        Arc::new(config)
    }

    /// The rules that its turns go by.
    pub(super) fn rules(&self) -> Cow<'_, [ToolRule]> {
        builtin::loop_rules(&self.snapshot.agent, self.snapshot.tools.keys().map(String::as_str))
    }

    pub(super) fn next_attempt(&mut self) -> u64 {
        self.attempt += 1;
        self.attempt
    }

    /// Compiles the prompt if what it depends on changed, or always.
    pub(super) fn ensure_prompt(&mut self, force: bool, env: &Env<'_>) {
        let rev = self.snapshot.agent.rev;
        if !force && self.compiled_rev == Some(rev) {
            return;
        }
        let id = self.conversation.id;
        if !force
            && let Some(meta) = &self.prompt_meta
            && matches!(&self.system.content, Content::Parts { parts }
                if engram_domain::message::parts_text(parts) == prompt::compile(&self.snapshot, id, meta))
        {
            self.compiled_rev = Some(rev);
            return;
        }
        let meta = PromptMeta {
            compiled_at: env.now,
            recall_count: (self.conversation.next_seq - self.window.len() as i64 - 1).max(0),
            archival_count: self.snapshot.archival_count,
            archival_tags: self.snapshot.archival_tags.clone(),
        };
        let content = Content::text(prompt::compile(&self.snapshot, id, &meta));
        let mut system = (*self.system).clone();
        system.tokens = tokens::message(&content);
        system.content = content;
        self.system = Arc::new(system);
        self.prompt_meta = Some(meta);
        self.prompt_dirty = true;
        self.compiled_rev = Some(rev);
    }

    /// A commit that carries what every commit must: the sequence, a prompt that changed.
    pub(super) fn commit(&mut self, append: Vec<Arc<Message>>, env: &Env<'_>) -> Commit {
        let expect_seq = append.first().map_or(self.conversation.next_seq, |m| m.seq);
        let mut commit = Commit { now: env.now, expect_seq, append, ..Commit::default() };
        if std::mem::take(&mut self.prompt_dirty) {
            commit.rewrite.push(self.system.clone());
            commit.prompt_meta.clone_from(&self.prompt_meta);
        }
        commit
    }

    /// What the commit says about the run: where it is and what it used.
    pub(super) fn run_update(&self) -> Option<RunUpdate> {
        let turn = self.turn.as_ref()?;
        Some(RunUpdate {
            id: turn.run_id,
            status: engram_domain::RunStatus::Running,
            stop_reason: None,
            error: None,
            error_kind: None,
            attempts: turn.attempts,
            step_count: turn.step_count,
            usage: turn.usage,
            ttft_ns: turn.ttft_ns,
        })
    }

    /// Where the context begins.
    pub(super) fn mark(&self) -> ContextMark {
        ContextMark {
            summary_message_id: self.summary.as_ref().map(|m| m.id),
            context_from: self.conversation.context_from,
        }
    }

    /// A message of this conversation with the next place in it. It is not in the window yet.
    pub(super) fn draft(&mut self, role: Role, content: Content, step_id: Option<StepId>, env: &Env<'_>) -> Message {
        let tokens = tokens::message(&content);
        self.draft_counted(role, content, tokens, step_id, env)
    }

    /// As [`State::draft`], where its tokens were counted already.
    pub(super) fn draft_counted(
        &mut self,
        role: Role,
        content: Content,
        tokens: i32,
        step_id: Option<StepId>,
        env: &Env<'_>,
    ) -> Message {
        let seq = self.conversation.next_seq;
        self.conversation.next_seq += 1;
        Message {
            id: MessageId(env.ids.uuid()),
            conversation_id: self.conversation.id,
            agent_id: self.conversation.agent_id,
            seq,
            role,
            tokens,
            content,
            name: None,
            otid: None,
            sender_id: None,
            group_id: self.turn.as_ref().and_then(|t| t.group_id.clone()),
            step_id,
            run_id: self.turn.as_ref().map(|t| t.run_id),
            model: None,
            is_err: false,
            created_at: env.now,
        }
    }

    /// A step that begins now and shows the model the context as it is.
    pub(super) fn draft_step(&self, env: &Env<'_>) -> StepDraft {
        StepDraft {
            id: StepId(env.ids.uuid()),
            created_at: env.now,
            started_ns: env.mono_ns,
            context_range: (self.conversation.context_from, self.conversation.next_seq),
        }
    }

    /// Puts a message into the window.
    pub(super) fn push(&mut self, message: Message) -> Arc<Message> {
        let message = Arc::new(message);
        self.window.push(message.clone());
        message
    }

    /// A tool's result as a message in the window.
    pub(super) fn push_return(&mut self, result: ToolReturn, step_id: Option<StepId>, env: &Env<'_>) -> Arc<Message> {
        let name = result.name.clone();
        let mut message = self.draft(Role::Tool, Content::ToolReturn(result), step_id, env);
        message.name = Some(name);
        self.push(message)
    }

    /// The result of a call that is denied or lost. It belongs where the call was made, whoever gives it: a group that is
    /// forgotten takes both along.
    pub(super) fn push_loss(&mut self, call: &ToolCall, why: String, asked: &Message, env: &Env<'_>) -> Arc<Message> {
        let result = ToolReturn {
            tool_call_id: call.id.clone(),
            name: call.name.clone(),
            status: ToolStatus::Error,
            text: why,
            stdout: vec![],
            stderr: vec![],
        };
        let mut message = self.draft(Role::Tool, Content::ToolReturn(result), asked.step_id, env);
        message.name = Some(call.name.clone());
        message.group_id.clone_from(&asked.group_id);
        self.push(message)
    }
}
