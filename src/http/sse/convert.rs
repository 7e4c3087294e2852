//! From the events of a run to the frames of one caller.
//!
//! Invariants: the same events give the same frames with the same `seq_id`s for every caller, so that
//! a stream can be resumed by running through it again; what was sent in pieces is not sent whole
//! afterwards; the last frames are always stop reason, usage or error, and the end mark.

use std::sync::Arc;

use bytes::Bytes;
use engram_domain::{Message, MessageId, RunId};
use engram_engine::{RunEnd, StreamEvent};

use super::{
    Convert, frames,
    tokens::{Origin, Writing},
};
use crate::http::{
    caller::Caller,
    dto::messages::{Body, LettaMessage, Options, StopReasonDto, UsageDto, is_output, pieces_of},
};

/// Turns events into frames.
#[derive(Debug)]
pub struct Converter {
    run_id: RunId,
    caller: Caller,
    options: Arc<Options>,
    /// Whether frames are numbered.
    numbered: bool,
    /// Frames up to this number are not sent again.
    starting_after: i64,
    seq: i64,
    writing: Option<Writing>,
    done: bool,
}

impl Converter {
    /// Of a run that begins.
    pub fn new(run_id: RunId, caller: Caller, options: Options) -> Self {
        let options = Arc::new(options);
        Self { run_id, caller, options, numbered: false, starting_after: 0, seq: 0, writing: None, done: false }
    }

    /// Numbers the frames, and leaves out those up to `starting_after`.
    #[must_use]
    pub fn numbered(mut self, starting_after: i64) -> Self {
        self.numbered = true;
        self.starting_after = starting_after;
        self
    }

    /// Begins to count behind this number, where the frames before it cannot be made again.
    #[must_use]
    pub fn counting_from(mut self, seq: i64) -> Self {
        self.seq = seq;
        self
    }

    fn writing(&mut self, id: MessageId) -> &mut Writing {
        if self.writing.as_ref().is_none_or(|w| w.id() != id) {
            self.writing = None;
        }
        self.writing.get_or_insert_with(|| Writing::new(id))
    }

    fn message(&mut self, message: &Message) -> Vec<Bytes> {
        if !is_output(message, &self.options) {
            return Vec::new();
        }
        let written = self.writing.take_if(|w| w.id() == message.id);
        pieces_of(message, &self.options)
            .into_iter()
            // Calls that turned out to wait for the client are one whole request: told in any case.
            .filter(|piece| !written.as_ref().is_some_and(|w| w.covers(piece.slot)))
            .filter_map(|piece| self.show(piece.message))
            .collect()
    }

    /// Numbers an object and sends it, unless this caller does not want it, cannot read it or has it.
    fn show(&mut self, mut message: LettaMessage) -> Option<Bytes> {
        if !self.options.wants(message.body.kind()) {
            return None;
        }
        self.seq += 1;
        if self.numbered {
            message.seq_id = Some(self.seq);
            if self.seq <= self.starting_after {
                return None;
            }
        }
        if self.caller.is_old_ts {
            message.body = for_old_typescript(message.body)?;
        }
        Some(frames::data(&message))
    }

    fn end(&mut self, end: &RunEnd) -> Vec<Bytes> {
        self.done = true;
        let stop = frames::data(&StopReasonDto::new(end.stop_reason, self.caller));
        let usage = frames::data(&UsageDto::new(end.usage, end.step_count, Some(end.context_tokens)));
        let done = Bytes::from_static(frames::DONE.as_bytes());
        match &end.error {
            None => vec![stop, usage, done],
            Some(error) if self.caller.is_v1_sdk => {
                let seq_id = self.numbered.then_some(self.seq + 1);
                if seq_id.is_some_and(|seq| seq <= self.starting_after) {
                    return vec![stop, done];
                }
                vec![stop, frames::error_message(self.run_id, &error.kind, &error.message, seq_id), done]
            }
            Some(error) => vec![stop, usage, frames::old_error(&error.message), done],
        }
    }
}

impl Convert for Converter {
    fn event(&mut self, event: StreamEvent) -> Vec<Bytes> {
        match event {
            StreamEvent::Delta { message_id, step_id, at, delta } => {
                let origin = Origin { run_id: self.run_id, step_id, at };
                let options = self.options.clone();
                let pieces = self.writing(message_id).delta(delta, origin, &options);
                pieces.into_iter().filter_map(|m| self.show(m)).collect()
            }
            StreamEvent::Message(message) => self.message(&message),
            StreamEvent::Ended(end) => self.end(&end),
        }
    }

    fn is_done(&self) -> bool {
        self.done
    }
}

/// The union of the first TypeScript client has no approvals, summaries or pings: it throws on them.
fn for_old_typescript(body: Body) -> Option<Body> {
    match body {
        Body::ApprovalRequestMessage { tool_call, tool_calls } => Some(Body::ToolCallMessage { tool_call, tool_calls }),
        Body::ApprovalResponseMessage { .. } | Body::SummaryMessage { .. } | Body::Ping => None,
        other => Some(other),
    }
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
