//! Who speaks next in a group, and what it is told.
//!
//! A conversation in a group is a play: members speak one after the other, and each of them hears first what was said
//! since it spoke last. [`Play`] is pure: the same members, input and turns give the same next move, so whoever drives it
//! may crash and begin again from the first turn, as long as every turn is known by its number.
//!
//! To add a manager type: a variant of [`Policy`], its file here, its arm in [`Play::next`].

mod dynamic;
mod round_robin;

pub use dynamic::{CHOOSE, farewell};
use engram_domain::{
    AgentId, GroupId, ToolCall,
    run::{ClientTool, Decision, InputMessage},
};
use serde::{Deserialize, Serialize};

/// Turns of a group whose configuration does not say how many, for each member.
const ROUNDS: usize = 1;
/// Turns of a play at most.
pub const MOST_TURNS: usize = 200;

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
        /// What a member says to end the play; nothing does when there is none.
        termination_token: Option<String>,
        /// Turns of members.
        max_turns: Option<usize>,
    },
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
    /// The call that it left to the group.
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
        /// The answer to the call that it left in its last turn.
        decisions: Vec<Decision>,
        /// Tools that the group carries out itself.
        tools: Vec<ClientTool>,
        /// Whether what it says is for everybody's ears; a manager's choice is not.
        aloud: bool,
    },
    /// The play is over.
    Over,
}

/// A play in the middle of its turns.
#[derive(Debug, Clone)]
pub struct Play {
    /// The group.
    pub group: GroupId,
    /// How the next speaker is found.
    pub policy: Policy,
    /// Who speaks, in the group's order.
    pub members: Vec<Member>,
    /// What began it.
    pub input: Vec<InputMessage>,
    /// What happened so far.
    pub turns: Vec<Turn>,
}

impl Play {
    /// What comes next.
    pub fn next(&self) -> Next {
        if self.members.is_empty() || self.turns.len() >= MOST_TURNS {
            return Next::Over;
        }
        match &self.policy {
            Policy::RoundRobin { max_turns } => round_robin::next(self, *max_turns),
            Policy::Dynamic { manager, termination_token, max_turns } => {
                dynamic::next(self, manager, termination_token.as_deref(), *max_turns)
            }
        }
    }

    /// Turns of members, as opposed to a manager's.
    fn spoken(&self) -> impl Iterator<Item = &Turn> {
        self.turns.iter().filter(|turn| self.is_member(turn.agent))
    }

    fn is_member(&self, agent: AgentId) -> bool {
        self.members.iter().any(|member| member.id == agent)
    }

    fn turns_allowed(&self, max_turns: Option<usize>) -> usize {
        max_turns.unwrap_or(self.members.len() * ROUNDS).min(MOST_TURNS)
    }

    fn name_of(&self, agent: AgentId) -> &str {
        self.members.iter().find(|member| member.id == agent).map_or("somebody", |member| &member.name)
    }

    /// What `listener` has not heard yet: what began the play, and what others said since its last turn.
    fn unheard(&self, listener: AgentId) -> Vec<InputMessage> {
        let last = self.turns.iter().rposition(|turn| turn.agent == listener);
        let mut out = if last.is_none() { self.input.clone() } else { Vec::new() };
        for turn in self.turns.iter().skip(last.map_or(0, |at| at + 1)).filter(|turn| self.is_member(turn.agent)) {
            out.extend(turn.said.iter().map(|words| InputMessage {
                name: Some(self.name_of(turn.agent).to_owned()),
                sender_id: Some(turn.agent.to_string()),
                ..InputMessage::user(words.clone())
            }));
        }
        for message in &mut out {
            message.group_id = Some(self.group.to_string());
        }
        out
    }

    /// A turn of a member: it hears what it has not heard, or is simply asked to go on.
    fn ask_member(&self, to: AgentId) -> Next {
        let mut messages = self.unheard(to);
        if messages.is_empty() {
            messages.push(note(self, "Nobody else has said anything since you spoke. It is your turn again."));
        }
        Next::Ask { to, messages, decisions: Vec::new(), tools: Vec::new(), aloud: true }
    }
}

/// A word of the group itself.
fn note(play: &Play, text: impl Into<String>) -> InputMessage {
    InputMessage { group_id: Some(play.group.to_string()), ..InputMessage::user(text) }
}

#[cfg(test)]
mod tests;
