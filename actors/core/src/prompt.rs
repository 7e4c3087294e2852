//! Compiling the system prompt: instructions, memory blocks, tool rules, metadata.
//!
//! The text is a function of the agent's snapshot and of a [`PromptMeta`] that is kept beside it.
//! Compiling again with the kept metadata and comparing tells whether anything changed, so the
//! prompt stays the same to the byte between two turns in which memory did not change, and the
//! provider's prompt cache stays warm. What changes most often stands last.

use std::fmt::Write as _;

use engram_domain::{AgentType, Block, ConversationId};

use crate::{
    package,
    ports::store::{AgentSnapshot, PromptMeta},
    rules,
};

/// Where the memory section goes when the instructions say so; otherwise after them.
const PLACEHOLDER: &str = "{CORE_MEMORY}";

/// The parts of a compiled prompt, for the context overview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// The agent's instructions.
    pub system: String,
    /// The memory blocks; empty when there are none.
    pub memory: String,
    /// The tool rules; empty when there are none.
    pub rules: String,
    /// The metadata.
    pub metadata: String,
}

/// The compiled prompt.
pub fn compile(snapshot: &AgentSnapshot, conversation: ConversationId, meta: &PromptMeta) -> String {
    compile_with(&snapshot.agent.system, snapshot, conversation, meta)
}

/// As [`compile`], with other instructions than the agent's.
pub fn compile_with(system: &str, snapshot: &AgentSnapshot, conversation: ConversationId, meta: &PromptMeta) -> String {
    let parts = parts(snapshot, conversation, meta);
    let sections: Vec<&str> =
        [parts.memory.as_str(), &parts.rules, &parts.metadata].into_iter().filter(|s| !s.is_empty()).collect();
    let memory = sections.join("\n\n");
    if system.contains(PLACEHOLDER) {
        system.replacen(PLACEHOLDER, &memory, 1)
    } else {
        format!("{system}\n\n{memory}")
    }
}

/// The parts of the compiled prompt.
pub fn parts(snapshot: &AgentSnapshot, conversation: ConversationId, meta: &PromptMeta) -> Parts {
    Parts {
        system: snapshot.agent.system.clone(),
        memory: memory(snapshot),
        rules: rules::render(&snapshot.agent.tool_rules),
        metadata: metadata(snapshot, conversation, meta),
    }
}

fn memory(snapshot: &AgentSnapshot) -> String {
    if snapshot.blocks.is_empty() || !snapshot.agent.agent_type.shows_memory() {
        return String::new();
    }
    let mut out = String::from(
        "<memory_blocks>\nThe following memory blocks are currently engaged in your core memory unit:\n\n",
    );
    for block in &snapshot.blocks {
        render_block(&mut out, block);
        out.push_str("\n\n");
    }
    out.push_str("</memory_blocks>");
    out
}

fn render_block(out: &mut String, block: &Block) {
    let label = &block.label;
    let read_only = if block.read_only { "- read_only=true\n" } else { "" };
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<{label}>\n<description>\n{}\n</description>\n<metadata>\n{read_only}- chars_current={}\n- \
         chars_limit={}\n</metadata>\n<value>\n{}\n</value>\n</{label}>",
        block.description.as_deref().unwrap_or_default(),
        block.chars(),
        block.limit,
        block.value,
    );
}

fn metadata(snapshot: &AgentSnapshot, conversation: ConversationId, meta: &PromptMeta) -> String {
    let agent = &snapshot.agent;
    let mut out = format!("<memory_metadata>\n- AGENT_ID: {}\n", agent.id);
    if conversation == agent.id.default_conversation() {
        out.push_str("- CONVERSATION_ID: default\n");
    } else {
        let _ = writeln!(out, "- CONVERSATION_ID: {conversation}");
    }
    let _ = writeln!(out, "- System prompt last recompiled: {}", package::time(meta.compiled_at, &agent.timezone));
    let _ = writeln!(
        out,
        "- {} previous messages between you and the user are stored in recall memory (use tools to access them)",
        meta.recall_count
    );
    if meta.archival_count > 0 && agent.agent_type != AgentType::ReactAgent {
        let _ = writeln!(
            out,
            "- {} total memories you created are stored in archival memory (use tools to access them)",
            meta.archival_count
        );
        if !meta.archival_tags.is_empty() {
            let _ = writeln!(out, "- Available archival memory tags: {}", meta.archival_tags.join(", "));
        }
    }
    out.push_str("</memory_metadata>");
    out
}
