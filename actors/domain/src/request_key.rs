//! Keys of requests: the same key in the same conversation is the same run.

use std::fmt;

use crate::{AgentId, GroupId, RunId, ScheduleId, Time};

/// What a key was made of. Its spelling is what stands before the first colon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// The id that a client gave to a message.
    Otid,
    /// The header `Idempotency-Key`, which speaks for the whole request.
    Idempotency,
    /// The turn of a member in a group run.
    GroupTurn,
    /// What the companions of a group are told at one time.
    SleepTask,
    /// A part of a data source that is read into memory.
    SourcePart,
    /// One time of a schedule.
    Schedule,
    /// A tool call that sends a message to an agent.
    ToolCall,
}

impl KeyKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Otid,
        Self::Idempotency,
        Self::GroupTurn,
        Self::SleepTask,
        Self::SourcePart,
        Self::Schedule,
        Self::ToolCall,
    ];

    /// The spelling in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Otid => "otid",
            Self::Idempotency => "key",
            Self::GroupTurn => "group",
            Self::SleepTask => "sleep",
            Self::SourcePart => "read",
            Self::Schedule => "schedule",
            Self::ToolCall => "call",
        }
    }

    /// The kind with this spelling.
    pub fn parse(s: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|v| v.as_str() == s)
    }
}

/// A key of a request, as `run_keys` holds it: its kind, a colon, and what tells it from others of the kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestKey(String);

impl RequestKey {
    fn new(kind: KeyKind, rest: impl fmt::Display) -> Self {
        Self(format!("{}:{rest}", kind.as_str()))
    }

    /// A message that the client named.
    pub fn otid(otid: &str) -> Self {
        Self::new(KeyKind::Otid, otid)
    }

    /// A request that the client named.
    pub fn idempotency(key: &str) -> Self {
        Self::new(KeyKind::Idempotency, key)
    }

    /// Turn `number` of a group run.
    pub fn group_turn(group_run: RunId, number: usize) -> Self {
        Self::new(KeyKind::GroupTurn, format_args!("{group_run}:{number}"))
    }

    /// What the companions of a group are told; `task` tells it from what they were told before.
    pub fn sleep_task(group: GroupId, task: &str) -> Self {
        Self::new(KeyKind::SleepTask, format_args!("{group}:{task}"))
    }

    /// Part `number` of what `reader` reads.
    pub fn source_part(reader: AgentId, number: usize) -> Self {
        Self::new(KeyKind::SourcePart, format_args!("{reader}:{number}"))
    }

    /// The run of a schedule that was due at this time: whoever makes it, and however often, there is one.
    pub fn schedule(id: ScheduleId, due: Time) -> Self {
        Self::new(KeyKind::Schedule, format_args!("{id}:{}", due.timestamp_millis()))
    }

    /// A message to `to` that a tool call of a run sends; of the API where there is no run.
    pub fn tool_call(run: Option<RunId>, call_id: &str, to: AgentId) -> Self {
        match run {
            Some(run) => Self::new(KeyKind::ToolCall, format_args!("{run}:{call_id}:{to}")),
            None => Self::new(KeyKind::ToolCall, format_args!("api:{call_id}:{to}")),
        }
    }

    /// A key as it was stored. Any text is one: earlier and later versions may have made it.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// What it was made of; none for a kind that this version does not know.
    pub fn kind(&self) -> Option<KeyKind> {
        self.0.split_once(':').and_then(|(kind, _)| KeyKind::parse(kind))
    }

    /// The spelling in the database.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn spellings_stay_what_they_are() {
        let id = Uuid::nil();
        let due = Time::from_timestamp_millis(1_700_000_010_000).expect("a time");
        let made = [
            (RequestKey::otid("a:b"), KeyKind::Otid, "otid:a:b".to_owned()),
            (RequestKey::idempotency("k"), KeyKind::Idempotency, "key:k".to_owned()),
            (RequestKey::group_turn(RunId(id), 2), KeyKind::GroupTurn, format!("group:run-{id}:2")),
            (RequestKey::sleep_task(GroupId(id), "3"), KeyKind::SleepTask, format!("sleep:group-{id}:3")),
            (RequestKey::source_part(AgentId(id), 0), KeyKind::SourcePart, format!("read:agent-{id}:0")),
            (
                RequestKey::schedule(ScheduleId(id), due),
                KeyKind::Schedule,
                format!("schedule:{}:1700000010000", ScheduleId(id)),
            ),
            (
                RequestKey::tool_call(Some(RunId(id)), "c", AgentId(id)),
                KeyKind::ToolCall,
                format!("call:run-{id}:c:agent-{id}"),
            ),
            (RequestKey::tool_call(None, "c", AgentId(id)), KeyKind::ToolCall, format!("call:api:c:agent-{id}")),
        ];
        for (key, kind, spelling) in made {
            assert_eq!((key.as_str(), key.kind()), (spelling.as_str(), Some(kind)));
            assert_eq!(RequestKey::stored(spelling), key);
        }
        assert_eq!(RequestKey::stored("from a later version").kind(), None);
    }
}
