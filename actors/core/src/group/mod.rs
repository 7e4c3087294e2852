//! Who speaks next in a group, and what it is told.
//!
//! The agents of a group speak one after the other, and each of them is told first what was said since its last turn.
//! [`Discussion`] is pure: the same members, input and turns give the same next turn. So a driver that begins again after a
//! crash repeats the turns from the first one on, and finds each of them by its number.
//!
//! To add a policy (`manager_type`) whose agents speak in turns:
//! 1. `engram_domain::group`: a variant of `ManagerType` and one of `ManagerConfig` with its settings;
//! 2. here: its file with a function that gives the [`Next`] turn, a variant of [`Policy`], its arms in [`Policy::of`]
//!    and [`Discussion::next`], and a test;
//! 3. `src/http/dto/groups.rs`: its settings on the wire.
//!
//! Neither the engine's driver nor the store knows single policies, unless a setting wants a column of its own.

mod dynamic;
mod round_robin;

pub use dynamic::CHOOSE;
use engram_domain::{
    AgentId, GroupId, ManagerConfig, ToolCall,
    run::{ClientTool, Decision, InputMessage},
};
use serde::{Deserialize, Serialize};

/// Turns for each member, in a group whose configuration does not say how many turns there are.
const ROUNDS: usize = 1;
/// Turns of a discussion at most.
pub const MAX_TURNS: usize = 200;

/// How the next speaker is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Policy {
    /// One after the other, in the group's order.
    RoundRobin {
        /// Turns of members.
        max_turns: Option<usize>,
    },
    /// A manager chooses.
    Dynamic {
        /// Who.
        manager: Member,
        /// A member that says this ends the discussion; no text does when there is none.
        termination_token: Option<String>,
        /// Turns of members.
        max_turns: Option<usize>,
    },
}

impl Policy {
    /// The policy of a group. None where its agents do not speak in turns, or where its manager is missing.
    pub fn of(config: &ManagerConfig, manager: Option<&Member>) -> Option<Self> {
        let turns = |n: Option<i32>| n.and_then(|n| usize::try_from(n).ok());
        match config {
            ManagerConfig::RoundRobin { max_turns } => Some(Self::RoundRobin { max_turns: turns(*max_turns) }),
            ManagerConfig::Dynamic { termination_token, max_turns, .. } => Some(Self::Dynamic {
                manager: manager?.clone(),
                termination_token: termination_token.clone(),
                max_turns: turns(*max_turns),
            }),
            ManagerConfig::Supervisor { .. }
            | ManagerConfig::Sleeptime { .. }
            | ManagerConfig::VoiceSleeptime { .. } => None,
        }
    }

    /// Who chooses, where somebody does. It is no member in such a group: it does not answer the message itself.
    fn manager(&self) -> Option<AgentId> {
        match self {
            Self::RoundRobin { .. } => None,
            Self::Dynamic { manager, .. } => Some(manager.id),
        }
    }
}

/// Somebody in the group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The agent.
    pub id: AgentId,
    /// What the others call it.
    pub name: String,
    /// What it is good for, as the manager is told.
    pub description: String,
}

/// What happened in a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// Who was asked.
    pub agent: AgentId,
    /// What it said.
    pub said: Vec<String>,
    /// The tool call that the group has to answer.
    pub call: Option<ToolCall>,
    /// Why it could not speak.
    pub error: Option<String>,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// An agent's turn.
    Ask {
        /// Whose.
        to: AgentId,
        /// What it is told.
        messages: Vec<InputMessage>,
        /// The result of the tool call of its last turn.
        decisions: Vec<Decision>,
        /// Tools whose calls the group answers itself.
        tools: Vec<ClientTool>,
        /// Whether what it says belongs to the group's answer; a manager's choice does not.
        shown: bool,
    },
    /// The discussion is over.
    Over,
}

/// What the agents of a group say to one message, as far as they have come.
#[derive(Debug, Clone)]
pub struct Discussion {
    /// The group.
    pub group: GroupId,
    /// How the next speaker is found.
    policy: Policy,
    /// Who speaks, in the group's order.
    members: Vec<Member>,
    /// The messages that began it.
    input: Vec<InputMessage>,
    /// What happened so far.
    pub turns: Vec<Turn>,
}

impl Discussion {
    /// One in which nobody has spoken yet.
    pub fn new(group: GroupId, policy: Policy, mut members: Vec<Member>, input: Vec<InputMessage>) -> Self {
        members.retain(|member| Some(member.id) != policy.manager());
        Self { group, policy, members, input, turns: Vec::new() }
    }

    /// What comes next.
    pub fn next(&self) -> Next {
        if self.members.is_empty() || self.turns.len() >= MAX_TURNS {
            return Next::Over;
        }
        match &self.policy {
            Policy::RoundRobin { max_turns } => round_robin::next(self, *max_turns),
            Policy::Dynamic { manager, termination_token, max_turns } => {
                dynamic::next(self, manager, termination_token.as_deref(), *max_turns)
            }
        }
    }

    /// The result of a tool call that is still open when the discussion is over, and whose call it is: an agent's
    /// conversation must not wait for ever.
    pub fn open_call(&self) -> Option<(AgentId, Decision)> {
        let manager = self.policy.manager()?;
        Some((manager, dynamic::last_result(self, manager)?))
    }

    /// Whether no member has spoken: each of those that had a turn failed.
    pub fn nobody_spoke(&self) -> bool {
        self.spoken().all(|turn| turn.error.is_some())
    }

    /// Turns of members, as opposed to a manager's.
    fn spoken(&self) -> impl Iterator<Item = &Turn> {
        self.turns.iter().filter(|turn| self.is_member(turn.agent))
    }

    fn is_member(&self, agent: AgentId) -> bool {
        self.members.iter().any(|member| member.id == agent)
    }

    fn turns_allowed(&self, max_turns: Option<usize>) -> usize {
        max_turns.unwrap_or(self.members.len() * ROUNDS).min(MAX_TURNS)
    }

    fn name_of(&self, agent: AgentId) -> &str {
        self.members.iter().find(|member| member.id == agent).map_or("somebody", |member| &member.name)
    }

    /// What an agent was not told yet: the input, and what others said since its last turn.
    fn untold(&self, agent: AgentId) -> Vec<InputMessage> {
        let last = self.turns.iter().rposition(|turn| turn.agent == agent);
        let mut out = if last.is_none() { self.input.clone() } else { Vec::new() };
        for turn in self.turns.iter().skip(last.map_or(0, |at| at + 1)).filter(|turn| self.is_member(turn.agent)) {
            out.extend(turn.said.iter().map(|text| InputMessage {
                name: Some(self.name_of(turn.agent).to_owned()),
                sender_id: Some(turn.agent.to_string()),
                ..InputMessage::user(text.clone())
            }));
        }
        for message in &mut out {
            message.group_id = Some(self.group.to_string());
        }
        out
    }

    /// A turn of a member: it is told what is new to it, or simply asked to go on.
    fn ask_member(&self, to: AgentId) -> Next {
        let mut messages = self.untold(to);
        if messages.is_empty() {
            messages.push(note(self, "Nobody else has said anything since you spoke. It is your turn again."));
        }
        Next::Ask { to, messages, decisions: Vec::new(), tools: Vec::new(), shown: true }
    }
}

/// A message of the group itself, of nobody in particular.
fn note(discussion: &Discussion, text: impl Into<String>) -> InputMessage {
    InputMessage { group_id: Some(discussion.group.to_string()), ..InputMessage::user(text) }
}

#[cfg(test)]
mod tests;
