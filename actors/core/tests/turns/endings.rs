//! How a turn ends when the model's answer was not whole, or there was none.

use engram_core::ports::{ChatReply, ChatRequest, LlmError, llm::Ending};
use engram_domain::{AgentType, RunStatus, StopReason};

use crate::play::Play;

fn says(text: Option<&str>, ending: Ending) -> impl Fn(&ChatRequest) -> Result<ChatReply, LlmError> {
    move |_| Ok(ChatReply { text: text.map(str::to_owned), ending, ..ChatReply::default() })
}

#[test]
fn a_cut_answer_is_kept_and_its_turn_says_that_it_was_cut() {
    for (ending, reason) in [
        (Ending::Whole, StopReason::EndTurn),
        (Ending::Length, StopReason::MaxTokensExceeded),
        (Ending::Filter, StopReason::LlmApiError),
    ] {
        let mut w = Play::new(AgentType::LettaV1Agent, 32_000);
        let run = w.accept("hi", 50);
        w.settle(&says(Some("forty-tw"), ending));
        assert_eq!(w.runs[&run].stop_reason, Some(reason));
        assert_eq!(w.ends[0].error, None, "it is an answer");
        assert_eq!(w.story().last().map(String::as_str), Some("assistant: forty-tw []"));
    }
}

#[test]
fn an_answer_that_a_filter_stopped_at_once_is_not_asked_for_again() {
    let mut w = Play::new(AgentType::LettaV1Agent, 32_000);
    let run = w.accept("hi", 50);
    w.settle(&says(None, Ending::Filter));
    assert_eq!(w.runs[&run].status, RunStatus::Failed);
    assert_eq!(w.prompts.len(), 1);
    let error = w.ends[0].error.as_ref().expect("a reason");
    assert!(error.message.contains("content filter"), "{}", error.message);
    assert_eq!(error.kind.as_str(), "llm_bad_request");
}

#[test]
fn a_workflow_agent_forgets_after_a_cut_answer_too() {
    let mut w = Play::new(AgentType::WorkflowAgent, 32_000);
    for text in ["first", "second"] {
        w.accept(text, 50);
        w.settle(&says(Some("so"), Ending::Length));
    }
    let shown = format!("{:?}", w.prompts[1].messages);
    assert!(shown.contains("second") && !shown.contains("first"));
}
