//! How much at once, how long at most, and how this node presents itself to others.

use std::time::Duration;

use engram_tools::MessageLimits;

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
    /// How much agents may write to each other.
    pub agent_messages: MessageLimits,
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
        let standard = MessageLimits::default();
        let calls = "a number of model calls";
        Ok(Self {
            queue: env.number(&["ENGRAM_MAX_QUEUE"], "a number of runs")?.unwrap_or(100).max(1),
            llm_calls: env.number(&["ENGRAM_MAX_LLM_CALLS"], calls)?.unwrap_or(256).max(1),
            llm_calls_per_provider: env.number(&["ENGRAM_MAX_LLM_CALLS_PER_PROVIDER"], calls)?.unwrap_or(128).max(1),
            agent_messages: MessageLimits {
                hops: env.number(&["ENGRAM_MAX_AGENT_HOPS"], "a number of messages")?.unwrap_or(standard.hops),
                per_minute: env
                    .number(&["ENGRAM_MAX_AGENT_MESSAGES_PER_MINUTE"], "a number of messages")?
                    .unwrap_or(standard.per_minute)
                    .max(1),
            },
            tool_timeout: seconds(env, &["ENGRAM_TOOL_TIMEOUT_SECONDS"], 180)?.max(Duration::from_secs(1)),
            memory_mib: env.number(&["ENGRAM_MEMORY_LIMIT"], "a number of MiB")?,
            idle_after: seconds(env, &["ENGRAM_IDLE_SECONDS"], 300)?.max(Duration::from_secs(1)),
        })
    }
}

/// What clients' connections may take.
#[derive(Debug, Clone)]
pub struct ListenSettings {
    /// Connections at once; fewer where the system gives fewer descriptors.
    pub connections: usize,
    /// Connections at once from one address that is not this machine.
    pub connections_per_address: usize,
    /// How long the head of a request may take, from the connection or its first byte on.
    pub head: Duration,
    /// How long a connection stays open between two requests.
    pub idle: Duration,
    /// How long the body of a request may pause. All of it may take ten times as long.
    pub body_pause: Duration,
    /// How long a client may take nothing of an answer that waits for it.
    pub stall: Duration,
}

impl Default for ListenSettings {
    fn default() -> Self {
        Self {
            connections: 16_384,
            // A load balancer, or another node that follows runs here, has one address for all of its clients.
            connections_per_address: 4_096,
            head: Duration::from_secs(15),
            idle: Duration::from_secs(75),
            body_pause: Duration::from_secs(30),
            stall: Duration::from_mins(2),
        }
    }
}

impl ListenSettings {
    pub(super) fn resolve(env: &Environment) -> Result<Self, ConfigError> {
        let default = Self::default();
        let number = |name, default: usize| -> Result<usize, ConfigError> {
            Ok(env.number(&[name], "a number of connections")?.unwrap_or(default).max(1))
        };
        let time = |name, default: Duration| -> Result<Duration, ConfigError> {
            Ok(seconds(env, &[name], default.as_secs())?.max(Duration::from_secs(1)))
        };
        Ok(Self {
            connections: number("ENGRAM_MAX_CONNECTIONS", default.connections)?,
            connections_per_address: number("ENGRAM_MAX_CONNECTIONS_PER_ADDRESS", default.connections_per_address)?,
            head: time("ENGRAM_HEAD_TIMEOUT_SECONDS", default.head)?,
            idle: time("ENGRAM_KEEP_ALIVE_SECONDS", default.idle)?,
            body_pause: time("ENGRAM_BODY_TIMEOUT_SECONDS", default.body_pause)?,
            stall: time("ENGRAM_WRITE_TIMEOUT_SECONDS", default.stall)?,
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
