//! The instructions that agents start with, one text file each.
//!
//! What it does: [`system`] is the `system` of an agent that was created without one; the memory
//! section is compiled below it. [`summarizer`] is what the model is told that condenses messages
//! which leave the context.
//!
//! Invariants: a text names only what every agent of its type has, so that it stays true when a
//! caller changes the tools; it never changes at run time, so that providers can cache it.
//!
//! To add a type: a file here and a line in [`system`]. Agents keep the text they were created with.

use engram_domain::AgentType;

/// The system prompt of a type, without a line break at the end.
pub fn system(agent_type: AgentType) -> &'static str {
    let text = match agent_type {
        AgentType::MemgptAgent | AgentType::MemgptV2Agent | AgentType::SplitThreadAgent => include_str!("memgpt.md"),
        AgentType::LettaV1Agent => include_str!("letta_v1.md"),
        AgentType::ReactAgent => include_str!("react.md"),
        AgentType::WorkflowAgent => include_str!("workflow.md"),
        AgentType::SleeptimeAgent => include_str!("sleeptime.md"),
        AgentType::VoiceConvoAgent => include_str!("voice_convo.md"),
        AgentType::VoiceSleeptimeAgent => include_str!("voice_sleeptime.md"),
    };
    text.trim_end()
}

/// The instructions of the summarizer, without a line break at the end.
pub fn summarizer() -> &'static str {
    include_str!("summarizer.md").trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_whole_and_of_a_fit_length() {
        for agent_type in AgentType::ALL {
            let text = system(agent_type);
            let words = text.split_whitespace().count();
            assert!((120..=450).contains(&words), "{agent_type:?} has {words} words");
            assert!(
                text.starts_with("<base_instructions>") && text.ends_with("</base_instructions>"),
                "{agent_type:?}"
            );
        }
        assert!((100..=450).contains(&summarizer().split_whitespace().count()));
    }

    #[test]
    fn agents_are_told_how_their_words_reach_the_user() {
        assert!(
            system(AgentType::MemgptAgent).contains("send_message")
                && system(AgentType::MemgptAgent).contains("request_heartbeat")
        );
        for silent in [AgentType::LettaV1Agent, AgentType::ReactAgent, AgentType::WorkflowAgent] {
            assert!(!system(silent).contains("send_message") && !system(silent).contains("heartbeat"), "{silent:?}");
        }
    }
}
