//! Typed ids: `<prefix>-<uuid4>` in lower case on the wire, a bare UUID in the database.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// Why a string is not the id that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id of the form '{prefix}-<uuid>', got '{got}'")]
pub struct BadId {
    /// The prefix that was expected, without the dash.
    pub prefix: &'static str,
    /// What came instead, cut to 80 characters.
    pub got: String,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Uuid);

        impl $name {
            /// What stands before the dash on the wire.
            pub const PREFIX: &'static str = $prefix;
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}-{}", $prefix, self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(s: &str) -> Result<Self, BadId> {
                s.strip_prefix(concat!($prefix, "-"))
                    // Only the hyphenated spelling: `Uuid` alone would also take braces and URNs.
                    .filter(|rest| rest.len() == 36)
                    .and_then(|rest| Uuid::try_parse(rest).ok())
                    .map(Self)
                    .ok_or_else(|| BadId { prefix: $prefix, got: s.chars().take(80).collect() })
            }
        }

        impl From<Uuid> for $name {
            fn from(u: Uuid) -> Self {
                Self(u)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Uuid {
                id.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let s = std::borrow::Cow::<'de, str>::deserialize(d)?;
                s.parse().map_err(de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// An agent.
    AgentId = "agent";
    /// A message of a conversation.
    MessageId = "message";
    /// One request to an agent, from acknowledgement to its terminal state.
    RunId = "run";
    /// One model call within a run and what followed from it.
    StepId = "step";
    /// A memory block.
    BlockId = "block";
    /// A tool.
    ToolId = "tool";
    /// A passage of an archive.
    PassageId = "passage";
    /// An archive of passages.
    ArchiveId = "archive";
    /// A conversation. An agent's default conversation has the agent's own UUID.
    ConversationId = "conv";
    /// A group of agents.
    GroupId = "group";
    /// A message that is sent at a time. The SDK has no pattern for these ids.
    ScheduleId = "schedule";
    /// A data source (a folder is the same thing under its later name).
    SourceId = "source";
    /// An identity that agents and blocks belong to.
    IdentityId = "identity";
    /// A tool variable of an agent.
    EnvVarId = "agent-env";
    /// A configured model provider.
    ProviderId = "provider";
    /// What went to a provider in one step and what came back.
    TraceId = "provider_trace";
    /// A user of the server.
    UserId = "user";
    /// An organization.
    OrgId = "org";
    /// An API key.
    ApiKeyId = "key";
    /// A node of the cluster: one incarnation of one process.
    NodeId = "node";
}

impl AgentId {
    /// The conversation that `POST /v1/agents/{id}/messages` talks to.
    pub fn default_conversation(self) -> ConversationId {
        ConversationId(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_prefix_and_the_hyphenated_form_parse() {
        let id = "agent-123e4567-e89b-42d3-8456-426614174000";
        assert_eq!(id.parse::<AgentId>().map(|i| i.to_string()), Ok(id.to_owned()));
        assert!("run-123e4567-e89b-42d3-8456-426614174000".parse::<AgentId>().is_err());
        assert!("agent-123e4567e89b42d38456426614174000".parse::<AgentId>().is_err());
        assert!("agent-".parse::<AgentId>().is_err());
        assert_eq!(crate::DEFAULT_USER.to_string(), "user-00000000-0000-4000-8000-000000000000");
    }
}
