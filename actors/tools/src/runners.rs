//! The table of runners: which one executes a call.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use engram_core::ports::{ToolContext, ToolOutcome, ToolRunner};
use engram_domain::{JsonMap, Tool, ToolKind};
use tokio_util::sync::CancellationToken;

use crate::{builtin::BuiltinRunner, custom::CustomRunner, external::ExternalRunner, failed};

/// The runners of all kinds of tools, as one runner.
pub struct Runners {
    by_kind: HashMap<ToolKind, Arc<dyn ToolRunner>>,
}

impl Runners {
    /// A runner for every kind of tool.
    pub fn new(builtin: BuiltinRunner) -> Self {
        let builtin: Arc<dyn ToolRunner> = Arc::new(builtin);
        let external: Arc<dyn ToolRunner> = Arc::new(ExternalRunner);
        let custom: Arc<dyn ToolRunner> = Arc::new(CustomRunner);
        let runner = |kind: ToolKind| match kind {
            ToolKind::Custom => custom.clone(),
            ToolKind::Mcp | ToolKind::Composio | ToolKind::Langchain => external.clone(),
            ToolKind::Core
            | ToolKind::MemoryCore
            | ToolKind::MultiAgentCore
            | ToolKind::SleeptimeCore
            | ToolKind::VoiceSleeptimeCore
            | ToolKind::Builtin
            | ToolKind::FilesCore => builtin.clone(),
        };
        let by_kind = ToolKind::ALL.iter().map(|kind| (*kind, runner(*kind))).collect();
        Self { by_kind }
    }
}

#[async_trait]
impl ToolRunner for Runners {
    async fn run(
        &self,
        context: ToolContext,
        tool: Arc<Tool>,
        args: JsonMap,
        cancel: CancellationToken,
    ) -> ToolOutcome {
        let Some(runner) = self.by_kind.get(&tool.kind) else {
            return failed(&tool.name, &format!("no runner for tools of kind {}", tool.kind.as_str()));
        };
        tokio::select! {
            biased;
            () = cancel.cancelled() => failed(&tool.name, "the call was cancelled"),
            outcome = runner.run(context, tool.clone(), args, cancel.clone()) => outcome,
        }
    }
}
