//! Tools of other services: MCP servers, Composio, Langchain. A kind that is built gets a file of its own.

use std::sync::Arc;

use async_trait::async_trait;
use engram_core::ports::{ToolContext, ToolOutcome, ToolRunner};
use engram_domain::{JsonMap, Tool};
use tokio_util::sync::CancellationToken;

use crate::failed;

/// Says that other services are not called yet.
pub(crate) struct ExternalRunner;

#[async_trait]
impl ToolRunner for ExternalRunner {
    async fn run(&self, _: ToolContext, tool: Arc<Tool>, _: JsonMap, _: CancellationToken) -> ToolOutcome {
        let text = format!("'{}' is a tool of another service, which this server does not call yet", tool.name);
        failed(&tool.name, &text)
    }
}
