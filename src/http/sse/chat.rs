//! From the events of a run to the words that the agent speaks, and these as chunks of a chat completion.
//!
//! Invariants: the words in pieces are the words of the whole answer; two messages of one turn are two
//! paragraphs; neither thoughts nor calls of tools are shown.

use bytes::Bytes;
use engram_domain::{MessageId, Role, RunId};
use engram_engine::{RunEnd, StreamEvent};

use super::{
    Convert, frames,
    tokens::{Origin, Writing},
};
use crate::http::dto::{
    chat::{ChatError, Chunk, Head},
    messages::{Body, LettaMessage, Options, is_output, pieces_of},
};

/// What separates two messages of one answer.
const PARAGRAPH: &str = "\n\n";

/// Takes the agent's words out of the events of a run.
#[derive(Debug)]
pub struct Words {
    run_id: RunId,
    options: Options,
    writing: Option<Writing>,
    /// The `otid` of the message whose words came last.
    last: Option<String>,
    /// The message whose calls wait for a person's word.
    asked: Option<MessageId>,
}

impl Words {
    /// Of a run that begins.
    pub fn new(run_id: RunId) -> Self {
        Self { run_id, options: Options::default(), writing: None, last: None, asked: None }
    }

    /// The words that an event brings; mostly none.
    pub fn of(&mut self, event: &StreamEvent) -> String {
        if let StreamEvent::Message(message) = event
            && message.role == Role::Approval
            && !message.content.calls().is_empty()
        {
            self.asked = Some(message.id);
        }
        let messages = match event {
            StreamEvent::Delta { message_id, step_id, at, delta } => {
                let origin = Origin { run_id: self.run_id, step_id: *step_id, at: *at };
                let options = self.options.clone();
                self.writing(*message_id).delta(delta.clone(), origin, &options)
            }
            StreamEvent::Message(message) if is_output(message, &self.options) => {
                let written = self.writing.take_if(|w| w.id() == message.id);
                pieces_of(message, &self.options)
                    .into_iter()
                    .filter(|piece| !written.as_ref().is_some_and(|w| w.covers(piece.slot)))
                    .map(|piece| piece.message)
                    .collect()
            }
            StreamEvent::Message(_) | StreamEvent::Ended(_) => Vec::new(),
        };
        let mut words = String::new();
        for message in messages {
            self.append(&mut words, message);
        }
        words
    }

    /// Why there is no answer, once the run is over.
    pub fn refusal(&self, end: &RunEnd) -> Option<ChatError> {
        ChatError::of_run(end, self.asked)
    }

    fn writing(&mut self, id: MessageId) -> &mut Writing {
        if self.writing.as_ref().is_none_or(|w| w.id() != id) {
            self.writing = None;
        }
        self.writing.get_or_insert_with(|| Writing::new(id))
    }

    fn append(&mut self, words: &mut String, message: LettaMessage) {
        let Body::AssistantMessage { content } = message.body else { return };
        if content.is_empty() {
            return;
        }
        if self.last.is_some() && self.last != message.otid {
            words.push_str(PARAGRAPH);
        }
        self.last = message.otid;
        words.push_str(&content);
    }
}

/// Turns events into chunks.
#[derive(Debug)]
pub struct Chunks {
    head: Head,
    words: Words,
    wants_usage: bool,
    spoken: bool,
    done: bool,
}

impl Chunks {
    /// Of a run that begins.
    pub fn new(head: Head, wants_usage: bool) -> Self {
        Self { words: Words::new(head.run), head, wants_usage, spoken: false, done: false }
    }

    fn end(&mut self, end: &RunEnd) -> Vec<Bytes> {
        self.done = true;
        let done = Bytes::from_static(frames::DONE.as_bytes());
        if let Some(error) = self.words.refusal(end) {
            return vec![frames::data(&error.frame()), done];
        }
        let mut out = vec![frames::data(&Chunk::end(&self.head, end.stop_reason))];
        if self.wants_usage {
            out.push(frames::data(&Chunk::usage(&self.head, end.usage)));
        }
        out.push(done);
        out
    }
}

impl Convert for Chunks {
    fn event(&mut self, event: StreamEvent) -> Vec<Bytes> {
        if let StreamEvent::Ended(end) = &event {
            return self.end(end);
        }
        let words = self.words.of(&event);
        if words.is_empty() {
            return Vec::new();
        }
        let first = !std::mem::replace(&mut self.spoken, true);
        vec![frames::data(&Chunk::words(&self.head, words, first))]
    }

    fn is_done(&self) -> bool {
        self.done
    }
}

#[cfg(test)]
#[path = "chat_tests.rs"]
mod tests;
