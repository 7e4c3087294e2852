//! A manager chooses who speaks, by calling a tool that the group carries out: the chosen member speaks, and what it said
//! is the call's result. A manager that names somebody in plain words is understood as well; one that names nobody has the
//! group go on in order.

use engram_domain::{
    AgentId,
    run::{ClientTool, Decision},
};
use serde_json::{Value, json};

use super::{Member, Next, Play, Turn, note};

/// What the manager calls.
pub const CHOOSE: &str = "choose_next_participant";
/// What the manager hears last, so that it chooses nobody any more.
const OVER: &str = "The conversation is over.";

pub(super) fn next(play: &Play, manager: &Member, token: Option<&str>, max_turns: Option<usize>) -> Next {
    let ended = play
        .spoken()
        .last()
        .is_some_and(|turn| turn.said.iter().any(|words| token.is_some_and(|token| words.contains(token))));
    let over = ended || play.spoken().count() >= play.turns_allowed(max_turns);
    match play.turns.last() {
        // It has chosen.
        Some(turn) if turn.agent == manager.id && !over => match choice(play, turn) {
            Some(chosen) => play.ask_member(chosen),
            None => Next::Over,
        },
        // The manager's last call gets its result, and with it the manager hears the end.
        _ if over => Next::Over,
        _ => ask_manager(play, manager),
    }
}

/// The result of the manager's open call when the play is over, so that its conversation is in order.
pub fn farewell(play: &Play, manager: AgentId) -> Option<Decision> {
    let turn = play.turns.iter().rev().find(|turn| turn.agent == manager)?;
    let call = turn.call.as_ref()?;
    let since = told(play, manager);
    let text = if since.is_empty() { OVER.to_owned() } else { format!("{since}\n{OVER}") };
    Some(result(call.id.clone(), text))
}

fn ask_manager(play: &Play, manager: &Member) -> Next {
    let asked_before = play.turns.iter().rev().find(|turn| turn.agent == manager.id);
    let tools = vec![choose_tool(play)];
    if let Some(call) = asked_before.and_then(|turn| turn.call.as_ref()) {
        let decisions = vec![result(call.id.clone(), told(play, manager.id))];
        return Next::Ask { to: manager.id, messages: Vec::new(), decisions, tools, aloud: false };
    }
    let mut messages = play.unheard(manager.id);
    let participants: Vec<String> = play
        .members
        .iter()
        .map(|member| format!("- {} ({}): {}", member.name, member.id, member.description))
        .collect();
    messages.push(note(
        play,
        format!(
            "You lead this conversation. Choose who speaks next by calling {CHOOSE} with the ID of a participant:\n{}",
            participants.join("\n")
        ),
    ));
    Next::Ask { to: manager.id, messages, decisions: Vec::new(), tools, aloud: false }
}

fn choose_tool(play: &Play) -> ClientTool {
    let ids: Vec<String> = play.members.iter().map(|member| member.id.to_string()).collect();
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
fn told(play: &Play, manager: AgentId) -> String {
    let since = play.turns.iter().rposition(|turn| turn.agent == manager).map_or(0, |at| at + 1);
    let lines: Vec<String> = play
        .turns
        .iter()
        .skip(since)
        .map(|turn| match &turn.error {
            Some(error) => format!("{} could not speak: {error}", play.name_of(turn.agent)),
            None => format!("{} said: {}", play.name_of(turn.agent), turn.said.join("\n")),
        })
        .collect();
    lines.join("\n")
}

fn result(tool_call_id: String, text: String) -> Decision {
    Decision::Return { tool_call_id, text, ok: true, stdout: Vec::new(), stderr: Vec::new() }
}

/// Whom the manager chose: by its call, else by what it said, else whoever is next in order.
fn choice(play: &Play, turn: &Turn) -> Option<AgentId> {
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
        play.members.iter().find(|m| words.contains(&m.id.to_string()) || words.contains(&m.name)).map(|m| m.id)
    };
    let in_order = || play.members.get(play.spoken().count() % play.members.len()).map(|m| m.id);
    called.filter(|id| play.is_member(*id)).or_else(named).or_else(in_order)
}
