//! What a crash between a call and its result may do to the call.

use engram_core::{memory, ports::ToolEffect};
use engram_domain::{Tool, ToolKind};

/// The effect of a tool. Its kind decides, not its name alone: a user's own tool may be called
/// `memory` and is none of ours.
pub fn effect(tool: &Tool) -> ToolEffect {
    match tool.kind {
        // Code of somebody else.
        ToolKind::Custom | ToolKind::Mcp | ToolKind::Composio | ToolKind::Langchain => ToolEffect::Once,
        // The message goes out with the commit that holds the result.
        ToolKind::MultiAgentCore if tool.name == "send_message_to_agent_async" => ToolEffect::Repeatable,
        // The other agent knows a message by the name of its call, and hears it once.
        ToolKind::MultiAgentCore => ToolEffect::Journaled,
        ToolKind::Builtin if tool.name.starts_with("run_code") => ToolEffect::Once,
        ToolKind::MemoryCore | ToolKind::SleeptimeCore | ToolKind::VoiceSleeptimeCore
            if memory::is_memory_tool(&tool.name) =>
        {
            ToolEffect::Memory
        }
        // These read, or write only through the commit.
        ToolKind::Core
        | ToolKind::Builtin
        | ToolKind::FilesCore
        | ToolKind::MemoryCore
        | ToolKind::SleeptimeCore
        | ToolKind::VoiceSleeptimeCore => ToolEffect::Repeatable,
    }
}
