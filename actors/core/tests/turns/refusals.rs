//! Providers that refuse a request, and clients that try again.

use engram_core::ports::{ChatReply, ChatRequest, LlmError, LlmErrorKind, llm::Purpose};
use engram_domain::{AgentType, RunStatus};

use crate::play::Play;

/// A model that refuses a prompt of more than so many characters without saying why.
fn small(most: usize) -> impl Fn(&ChatRequest) -> Result<ChatReply, LlmError> {
    move |request| {
        let size = format!("{:?}", request.messages).len();
        if request.purpose == Purpose::AgentStep && size > most {
            return Err(LlmError::new(LlmErrorKind::Unexplained, "Bad request"));
        }
        Ok(ChatReply { text: Some("ok".into()), ..ChatReply::default() })
    }
}

fn refuses(request: &ChatRequest) -> Result<ChatReply, LlmError> {
    match request.purpose {
        Purpose::AgentStep => Err(LlmError::new(LlmErrorKind::Unexplained, "Bad request")),
        Purpose::Summarization => Ok(ChatReply { text: Some("They talked.".into()), ..ChatReply::default() }),
    }
}

/// How often the model was shown these words in the last request.
fn shown(w: &Play, words: &str) -> usize {
    format!("{:?}", w.prompts.last().expect("a request").messages).matches(words).count()
}

#[test]
fn a_refusal_without_a_reason_may_be_an_overflow() {
    let mut w = Play::new(AgentType::LettaV1Agent, 128_000);
    for i in 0..8 {
        w.accept(&format!("note {i} {}", "lorem ipsum dolor ".repeat(200)), 50);
        w.settle(&small(usize::MAX));
    }
    let size = format!("{:?}", w.prompts.last().expect("a request").messages).len();
    let run = w.accept("still there?", 50);
    w.settle(&small(size * 3 / 4));
    assert_eq!(w.runs[&run].status, RunStatus::Completed);
    // A refusal that goes on after one compaction is something else.
    let before = w.prompts.len();
    w.accept(&"again ".repeat(6_000), 50);
    w.settle(&refuses);
    let steps = w.prompts[before..].iter().filter(|p| p.purpose == Purpose::AgentStep).count();
    assert_eq!((steps, w.ends.last().map(|end| end.status)), (2, Some(RunStatus::Failed)));
}

#[test]
fn a_short_conversation_is_not_compacted_for_a_refusal() {
    let mut w = Play::new(AgentType::LettaV1Agent, 128_000);
    for text in ["hi", "there"] {
        w.accept(text, 50);
        w.settle(&refuses);
    }
    assert!(w.prompts.iter().all(|p| p.purpose == Purpose::AgentStep));
    assert_eq!(w.prompts.len(), 2);
}

#[test]
fn what_a_client_tries_again_is_shown_once() {
    let mut w = Play::new(AgentType::LettaV1Agent, 128_000);
    w.accept("hello", 50);
    w.settle(&small(usize::MAX));
    for _ in 0..3 {
        w.accept("please try", 50);
        w.settle(&refuses);
        assert_eq!(shown(&w, "please try"), 1);
    }
    // What somebody says twice is another matter.
    w.accept("please try", 50);
    w.settle(&small(usize::MAX));
    assert_eq!(shown(&w, "please try"), 1);
    w.accept("please try", 50);
    w.settle(&small(usize::MAX));
    assert_eq!((shown(&w, "please try"), shown(&w, "hello")), (2, 1));
    assert_eq!(w.messages.values().filter(|m| m.content.plain_text() == "please try").count(), 5, "stored as it came");
}
