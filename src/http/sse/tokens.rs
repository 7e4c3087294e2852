//! From pieces of a model's answer to pieces of API messages.
//!
//! What it does: words and thoughts pass as they are; a call becomes a first piece with its name and
//! then pieces of its arguments, without the thoughts that travel in them (those become a reasoning
//! message); the call of the tool that speaks becomes the words it says.
//!
//! Invariant: all pieces of one API message carry the same `id` and `otid`.

use std::collections::BTreeMap;

use engram_core::ports::Delta;
use engram_domain::{MessageId, RunId, StepId, Time};

use super::partial_json::{Event, Reader};
use crate::http::dto::messages::{
    Body, LettaMessage, Options, Slot, ToolCallDto, ToolCalls, letta::message_date, pieces::otid,
};

/// Arguments that hold the model's thoughts, in the spellings of both generations.
const THOUGHTS: [&str; 2] = ["inner_thoughts", "thinking"];

/// What is known of the message that is being written.
#[derive(Debug)]
pub struct Writing {
    id: MessageId,
    /// Parts in the order in which they appeared; the place gives the `otid`.
    slots: Vec<Slot>,
    calls: BTreeMap<usize, Call>,
}

#[derive(Debug)]
struct Call {
    id: String,
    name: String,
    speaks: bool,
    reader: Reader,
    member: Member,
    /// Whether the first piece, with the name, was sent. It waits for the first argument, so that
    /// thoughts that lead the arguments come before it, as they do in the committed message.
    named: bool,
    /// Members of the arguments that were shown.
    shown: usize,
}

/// What the value that comes now is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Words,
    Thoughts,
    Argument,
    Hidden,
}

/// Where a piece belongs.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// The run.
    pub run_id: RunId,
    /// The step.
    pub step_id: StepId,
    /// When the piece came.
    pub at: Time,
}

impl Writing {
    /// Nothing is known yet.
    pub fn new(id: MessageId) -> Self {
        Self { id, slots: Vec::new(), calls: BTreeMap::new() }
    }

    /// The message.
    pub fn id(&self) -> MessageId {
        self.id
    }

    /// Whether this part was shown, so that the committed message need not show it again.
    pub fn covers(&self, slot: Slot) -> bool {
        slot != Slot::Whole && self.slots.contains(&slot)
    }

    /// The pieces that this delta becomes.
    pub fn delta(&mut self, delta: Delta, origin: Origin, options: &Options) -> Vec<LettaMessage> {
        let mut out = Vec::new();
        match delta {
            Delta::Text(content) => self.push(&mut out, origin, Slot::Text, Body::AssistantMessage { content }),
            Delta::Reasoning(text) => self.push(&mut out, origin, Slot::Reasoning, reasoning("reasoner_model", text)),
            Delta::CallStart { index, id, name } => {
                let speaks = options.speaks(&name);
                let reader = Reader::default();
                let call = Call { id, name, speaks, reader, member: Member::Hidden, named: false, shown: 0 };
                self.calls.insert(index, call);
            }
            Delta::CallArgs { index, piece } => {
                let Some(mut call) = self.calls.remove(&index) else { return out };
                for event in call.reader.push(&piece) {
                    self.event(&mut out, origin, index, &mut call, event, options);
                }
                self.calls.insert(index, call);
            }
        }
        out
    }

    fn event(
        &mut self,
        out: &mut Vec<LettaMessage>,
        origin: Origin,
        index: usize,
        call: &mut Call,
        event: Event,
        options: &Options,
    ) {
        match event {
            Event::Key(key) => {
                call.member = match key.as_str() {
                    key if THOUGHTS.contains(&key) => Member::Thoughts,
                    key if call.speaks && key == options.assistant_message_tool_kwarg => Member::Words,
                    _ if call.speaks => Member::Hidden,
                    _ => Member::Argument,
                };
                if call.member == Member::Argument {
                    let before = if call.shown == 0 { "{" } else { ", " };
                    let text = format!("{before}{}: ", serde_json::Value::from(key));
                    call.shown += 1;
                    self.arguments(out, origin, index, call, text);
                }
            }
            Event::Value { raw, text } => match call.member {
                Member::Words if !text.is_empty() => {
                    self.push(out, origin, Slot::Call(index), Body::AssistantMessage { content: text });
                }
                Member::Thoughts if !text.is_empty() => {
                    self.push(out, origin, Slot::Reasoning, reasoning("non_reasoner_model", text));
                }
                Member::Argument => self.arguments(out, origin, index, call, raw),
                _ => {}
            },
            Event::End if !call.speaks => {
                let text = if call.shown == 0 { "{}" } else { "}" };
                self.arguments(out, origin, index, call, text.to_owned());
            }
            Event::Broken(rest) if !call.speaks => self.arguments(out, origin, index, call, rest),
            Event::End | Event::Broken(_) => {}
        }
    }

    fn arguments(&mut self, out: &mut Vec<LettaMessage>, origin: Origin, index: usize, call: &mut Call, text: String) {
        if !call.named {
            call.named = true;
            self.push(out, origin, Slot::Call(index), piece(call, Some(call.name.clone()), None));
        }
        // Pieces of one provider's piece are put together again: fewer frames, same text.
        if let Some(LettaMessage { body: Body::ToolCallMessage { tool_call, tool_calls }, .. }) = out.last_mut()
            && tool_call.tool_call_id == call.id
            && let Some(arguments) = &mut tool_call.arguments
        {
            arguments.push_str(&text);
            *tool_calls = ToolCalls::Piece(tool_call.clone());
            return;
        }
        self.push(out, origin, Slot::Call(index), piece(call, None, Some(text)));
    }

    fn push(&mut self, out: &mut Vec<LettaMessage>, origin: Origin, slot: Slot, body: Body) {
        let index = self.slots.iter().position(|s| *s == slot).unwrap_or_else(|| {
            self.slots.push(slot);
            self.slots.len() - 1
        });
        out.push(LettaMessage {
            id: self.id.to_string(),
            date: message_date(origin.at),
            name: None,
            otid: Some(otid(self.id, index)),
            sender_id: None,
            step_id: Some(origin.step_id.to_string()),
            is_err: None,
            seq_id: None,
            run_id: Some(origin.run_id.to_string()),
            body,
        });
    }
}

fn reasoning(source: &'static str, reasoning: String) -> Body {
    Body::ReasoningMessage { source, reasoning, signature: None }
}

fn piece(call: &Call, name: Option<String>, arguments: Option<String>) -> Body {
    let tool_call = ToolCallDto { name, arguments, tool_call_id: call.id.clone() };
    Body::ToolCallMessage { tool_calls: ToolCalls::Piece(tool_call.clone()), tool_call }
}
