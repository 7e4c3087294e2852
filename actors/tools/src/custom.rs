//! Tools that are a user's own code.

use std::sync::Arc;

use async_trait::async_trait;
use engram_core::ports::{ToolContext, ToolOutcome, ToolRunner};
use engram_domain::{JsonMap, Tool};
use tokio_util::sync::CancellationToken;

use crate::failed;

/// Says that custom tools are not executed yet.
pub(crate) struct CustomRunner;

#[async_trait]
impl ToolRunner for CustomRunner {
    async fn run(&self, _: ToolContext, tool: Arc<Tool>, _: JsonMap, _: CancellationToken) -> ToolOutcome {
        let text = format!("'{}' is a custom tool; this server does not execute custom tools yet", tool.name);
        failed(&tool.name, &text)
    }
}
