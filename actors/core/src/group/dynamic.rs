//! A manager chooses who speaks, by calling a tool that the group carries out: the chosen member speaks, and what it said
//! is the call's result. A manager that calls nothing and names somebody in its text has chosen as well; where it names nobody,
//! the next member in order speaks.

use engram_domain::{
    AgentId,
    run::{ClientTool, Decision},
};
use serde_json::{Value, json};

use super::{Discussion, Member, Next, Turn, note};

/// What the manager calls.
pub const CHOOSE: &str = "choose_next_participant";
/// The end of the last result that the manager gets, so that it chooses nobody any more.
const OVER: &str = "The conversation is over.";

pub(super) fn next(discussion: &Discussion, manager: &Member, token: Option<&str>, max_turns: Option<usize>) -> Next {
    let ended = discussion
        .spoken()
        .last()
        .is_some_and(|turn| turn.said.iter().any(|words| token.is_some_and(|token| words.contains(token))));
    let over = ended || discussion.spoken().count() >= discussion.turns_allowed(max_turns);
    match discussion.turns.last() {
        // It has chosen.
        Some(turn) if turn.agent == manager.id && !over => match choice(discussion, turn) {
            Some(chosen) => discussion.ask_member(chosen),
            None => Next::Over,
        },
        // The manager's last call gets its result, which tells it of the end: see [`last_result`].
        _ if over => Next::Over,
        _ => ask_manager(discussion, manager),
    }
}

/// The result of the manager's open call when the discussion is over.
pub(super) fn last_result(discussion: &Discussion, manager: AgentId) -> Option<Decision> {
    let turn = discussion.turns.iter().rev().find(|turn| turn.agent == manager)?;
    let call = turn.call.as_ref()?;
    let since = told(discussion, manager);
    let text = if since.is_empty() { OVER.to_owned() } else { format!("{since}\n{OVER}") };
    Some(result(call.id.clone(), text))
}

fn ask_manager(discussion: &Discussion, manager: &Member) -> Next {
    let asked_before = discussion.turns.iter().rev().find(|turn| turn.agent == manager.id);
    let tools = vec![choose_tool(discussion)];
    if let Some(call) = asked_before.and_then(|turn| turn.call.as_ref()) {
        let decisions = vec![result(call.id.clone(), told(discussion, manager.id))];
        return Next::Ask { to: manager.id, messages: Vec::new(), decisions, tools, shown: false };
    }
    let mut messages = discussion.untold(manager.id);
    let participants: Vec<String> = discussion
        .members
        .iter()
        .map(|member| format!("- {} ({}): {}", member.name, member.id, member.description))
        .collect();
    messages.push(note(
        discussion,
        format!(
            "You lead this conversation. Choose who speaks next by calling {CHOOSE} with the ID of a participant:\n{}",
            participants.join("\n")
        ),
    ));
    Next::Ask { to: manager.id, messages, decisions: Vec::new(), tools, shown: false }
}

fn choose_tool(discussion: &Discussion) -> ClientTool {
    let ids: Vec<String> = discussion.members.iter().map(|member| member.id.to_string()).collect();
    ClientTool {
        name: CHOOSE.into(),
        description: Some("Choose the participant that speaks next. Returns what it said.".into()),
        parameters: Some(json!({
            "type": "object",
            "properties": {"next_speaker_agent_id": {"type": "string", "enum": ids, "description": "ID of the participant."}},
            "required": ["next_speaker_agent_id"],
        })),
    }
}

/// What was said since the manager chose.
fn told(discussion: &Discussion, manager: AgentId) -> String {
    let since = discussion.turns.iter().rposition(|turn| turn.agent == manager).map_or(0, |at| at + 1);
    let lines: Vec<String> = discussion
        .turns
        .iter()
        .skip(since)
        .map(|turn| match &turn.error {
            Some(error) => format!("{} could not speak: {error}", discussion.name_of(turn.agent)),
            None => format!("{} said: {}", discussion.name_of(turn.agent), turn.said.join("\n")),
        })
        .collect();
    lines.join("\n")
}

fn result(tool_call_id: String, text: String) -> Decision {
    Decision::Return { tool_call_id, text, ok: true, stdout: Vec::new(), stderr: Vec::new() }
}

/// Whom the manager chose: by its call, else by what it said, else whoever is next in order.
fn choice(discussion: &Discussion, turn: &Turn) -> Option<AgentId> {
    if turn.error.is_some() {
        return None;
    }
    let called = turn.call.as_ref().and_then(|call| {
        let arguments: Value = serde_json::from_str(&call.arguments).ok()?;
        let id: AgentId = arguments.get("next_speaker_agent_id")?.as_str()?.trim().parse().ok()?;
        Some(id)
    });
    let named = || {
        let words = turn.said.join("\n");
        discussion.members.iter().find(|m| words.contains(&m.id.to_string()) || words.contains(&m.name)).map(|m| m.id)
    };
    let in_order = || discussion.members.get(discussion.spoken().count() % discussion.members.len()).map(|m| m.id);
    called.filter(|id| discussion.is_member(*id)).or_else(named).or_else(in_order)
}
