//! How much at once, how long at most, and how this node presents itself to others.

use std::time::Duration;

use super::{ConfigError, Environment, settings::seconds};

/// How much at once and how long at most.
#[derive(Debug, Clone)]
pub struct LimitSettings {
    /// Open runs that a conversation may have before more are refused.
    pub queue: i64,
    /// Model calls at once.
    pub llm_calls: usize,
    /// Model calls at once with one provider.
    pub llm_calls_per_provider: usize,
    /// How long one tool call may take.
    pub tool_timeout: Duration,
    /// Memory that the process may take before agents with nothing to do leave it, in MiB; the machine's or
    /// container's share when none.
    pub memory_mib: Option<u64>,
    /// How long an agent stays in memory with nothing to do.
    pub idle_after: Duration,
}

impl LimitSettings {
    pub(super) fn resolve(env: &Environment) -> Result<Self, ConfigError> {
        let calls = "a number of model calls";
        Ok(Self {
            queue: env.number(&["ENGRAM_MAX_QUEUE"], "a number of runs")?.unwrap_or(100).max(1),
            llm_calls: env.number(&["ENGRAM_MAX_LLM_CALLS"], calls)?.unwrap_or(256).max(1),
            llm_calls_per_provider: env.number(&["ENGRAM_MAX_LLM_CALLS_PER_PROVIDER"], calls)?.unwrap_or(128).max(1),
            tool_timeout: seconds(env, &["ENGRAM_TOOL_TIMEOUT_SECONDS"], 180)?.max(Duration::from_secs(1)),
            memory_mib: env.number(&["ENGRAM_MEMORY_LIMIT"], "a number of MiB")?,
            idle_after: seconds(env, &["ENGRAM_IDLE_SECONDS"], 300)?.max(Duration::from_secs(1)),
        })
    }
}

/// How this node presents itself to others on the same database.
#[derive(Debug, Clone)]
pub struct NodeSettings {
    /// Where they reach it; where it listens when none.
    pub url: Option<String>,
    /// How long it still takes requests after the first stop signal while others go on with its work: a load
    /// balancer needs a moment to notice.
    pub drain: Duration,
}

impl NodeSettings {
    pub(super) fn resolve(env: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            url: env.text(&["ENGRAM_NODE_URL"]).map(|url| url.trim_end_matches('/').to_owned()),
            drain: seconds(env, &["ENGRAM_DRAIN_SECONDS"], 2)?,
        })
    }
}
