use engram_domain::{AgentId, GroupId, ToolCall, message::parts_text, run::InputMessage};
use uuid::Uuid;

use super::*;

fn agent(n: u128) -> AgentId {
    AgentId(Uuid::from_u128(n))
}

fn member(n: u128, name: &str) -> Member {
    Member { id: agent(n), name: name.into(), description: format!("the {name}") }
}

fn begin(policy: Policy) -> Discussion {
    let members = vec![member(1, "Ada"), member(2, "Bob"), member(3, "Cy")];
    Discussion::new(GroupId(Uuid::nil()), policy, members, vec![InputMessage::user("plan a trip")])
}

/// Goes on to the end; `speak` is what an agent does. Who spoke, and what it had been told.
fn run(
    discussion: &mut Discussion,
    speak: impl Fn(&Discussion, AgentId, &[InputMessage]) -> Turn,
) -> Vec<(AgentId, Vec<String>)> {
    let mut log = Vec::new();
    while let Next::Ask { to, messages, .. } = discussion.next() {
        let again = discussion.next();
        assert!(matches!(again, Next::Ask { to: same, .. } if same == to), "the same state has the same next move");
        log.push((to, messages.iter().map(|m| parts_text(&m.content)).collect()));
        let turn = speak(discussion, to, &messages);
        discussion.turns.push(turn);
        assert!(log.len() <= MAX_TURNS);
    }
    log
}

fn says(agent: AgentId, words: &str) -> Turn {
    Turn { agent, said: vec![words.into()], call: None, error: None }
}

#[test]
fn everybody_hears_what_it_has_not_heard() {
    let mut discussion = begin(Policy::RoundRobin { max_turns: Some(5) });
    let log = run(&mut discussion, |discussion, to, _| says(to, &format!("word {}", discussion.turns.len())));
    let who: Vec<u128> = log.iter().map(|(id, _)| id.0.as_u128()).collect();
    assert_eq!(who, [1, 2, 3, 1, 2]);
    assert_eq!(log[0].1, ["plan a trip"]);
    assert_eq!(log[2].1, ["plan a trip", "word 0", "word 1"]);
    assert_eq!(log[3].1, ["word 1", "word 2"], "not its own words again");
    assert_eq!(log[4].1, ["word 2", "word 3"]);
}

#[test]
fn without_a_number_of_turns_everybody_speaks_once_and_an_error_ends_nothing() {
    let mut discussion = begin(Policy::RoundRobin { max_turns: None });
    let log =
        run(&mut discussion, |_, to, _| Turn { agent: to, said: vec![], call: None, error: Some("broken".into()) });
    assert_eq!(log.len(), 3);
    assert_eq!(log[2].1, ["plan a trip"]);
}

fn dynamic(max_turns: Option<usize>) -> Policy {
    Policy::Dynamic { manager: member(9, "Boss"), termination_token: Some("DONE!".into()), max_turns }
}

fn chooses(discussion: &Discussion, to: u128) -> Turn {
    let arguments = format!(r#"{{"next_speaker_agent_id":"{}"}}"#, agent(to));
    let id = format!("call-{}", discussion.turns.len());
    Turn { call: Some(ToolCall { id, name: "choose_next_participant".into(), arguments }), ..says(agent(9), "") }
}

#[test]
fn the_manager_chooses_and_hears_what_came_of_it() {
    let mut discussion = begin(dynamic(Some(10)));
    let mut results = Vec::new();
    let order = [3, 1, 2];
    let mut chosen = 0;
    while let Next::Ask { to, decisions, tools, shown, .. } = discussion.next() {
        results.extend(decisions);
        let turn = if to == agent(9) {
            assert!(!shown && tools.len() == 1);
            chosen += 1;
            chooses(&discussion, order[chosen - 1])
        } else {
            assert!(shown && tools.is_empty());
            says(to, if to == agent(2) { "that is it. DONE!" } else { "I think so" })
        };
        discussion.turns.push(turn);
    }
    let spoke: Vec<u128> = discussion.spoken().map(|t| t.agent.0.as_u128()).collect();
    assert_eq!(spoke, [3, 1, 2]);
    let Decision::Return { tool_call_id, text, .. } = &results[0] else { panic!("{results:?}") };
    assert_eq!((tool_call_id.as_str(), text.as_str()), ("call-0", "Cy said: I think so"));
    let Some((_, Decision::Return { tool_call_id, text, .. })) = discussion.open_call() else { panic!("an open call") };
    assert_eq!(
        (tool_call_id.as_str(), text.as_str()),
        ("call-4", "Bob said: that is it. DONE!\nThe conversation is over.")
    );
}

#[test]
fn a_manager_that_calls_nothing_is_understood_or_passed_over() {
    let mut named = begin(dynamic(Some(1)));
    named.turns.push(says(agent(9), "I would like to hear Bob."));
    assert!(matches!(named.next(), Next::Ask { to, .. } if to == agent(2)));
    let mut silent = begin(dynamic(Some(2)));
    let log = run(&mut silent, |_, to, _| says(to, if to == agent(9) { "hm" } else { "yes" }));
    let who: Vec<u128> = log.iter().map(|(id, _)| id.0.as_u128()).collect();
    assert_eq!(who, [9, 1, 9, 2]);
    let mut broken = begin(dynamic(Some(2)));
    broken.turns.push(Turn { error: Some("no model".into()), ..says(agent(9), "") });
    assert_eq!(broken.next(), Next::Over);
}
