//! What listeners were told.

use std::collections::{BTreeMap, BTreeSet};

use engram_core::ports::Delta;
use engram_domain::{Content, MessageId, Role, RunId};
use engram_engine::StreamEvent;
use parking_lot::Mutex;

/// What one listener was told of one run, to its end.
pub struct View {
    pub run: RunId,
    /// The events are kept under their numbers.
    pub durable: bool,
    /// It began behind this number.
    pub after: i64,
    pub events: Vec<(i64, StreamEvent)>,
}

/// Of all listeners.
#[derive(Default)]
pub struct Views {
    /// What a number of a kept run means.
    meaning: Mutex<BTreeMap<(RunId, i64), String>>,
    pub whole: Mutex<Vec<View>>,
}

/// An event without what may differ: an end that is read from the run's row knows less.
fn gist(event: &StreamEvent) -> String {
    match event {
        StreamEvent::Ended(end) => format!("end {:?} {:?}", end.status, end.stop_reason),
        other => serde_json::to_string(other).expect("it is JSON"),
    }
}

impl Views {
    /// Somebody was told this. An error when the number meant something else before.
    pub fn note(&self, run: RunId, number: i64, event: &StreamEvent) -> Result<(), String> {
        let gist = gist(event);
        let mut meaning = self.meaning.lock();
        let meant = meaning.entry((run, number)).or_insert_with(|| gist.clone());
        if *meant == gist { Ok(()) } else { Err(format!("event {number} of {run} was {meant} and is {gist}")) }
    }
}

/// Whether a message is news for a listener: what the machinery says to the model is not.
pub fn is_shown(role: Role, content: &Content) -> bool {
    role != Role::User || !engram_core::package::is_hidden(&content.plain_text())
}

impl View {
    /// The number of the last event.
    pub fn position(&self) -> i64 {
        self.events.last().map_or(self.after, |(number, _)| *number)
    }

    /// Messages that were shown, in their order.
    pub fn shown(&self) -> Vec<MessageId> {
        let message = |event: &StreamEvent| match event {
            StreamEvent::Message(m) => is_shown(m.role, &m.content).then_some(m.id),
            _ => None,
        };
        self.events.iter().filter_map(|(_, event)| message(event)).collect()
    }

    /// What is wrong with it by itself.
    pub fn check(&self) -> Result<(), String> {
        let ends = self.events.iter().filter(|(_, e)| matches!(e, StreamEvent::Ended(_))).count();
        if !matches!(self.events.last(), Some((_, StreamEvent::Ended(_)))) || ends != 1 {
            return Err(format!("a listener to {} was told {ends} ends", self.run));
        }
        if self.durable {
            let expected = self.after + 1..;
            if !self.events.iter().map(|(n, _)| *n).zip(expected).all(|(is, should)| is == should) {
                let numbers: Vec<i64> = self.events.iter().map(|(n, _)| *n).collect();
                return Err(format!("numbers of {} behind {}: {numbers:?}", self.run, self.after));
            }
        }
        self.check_pieces()
    }

    /// Pieces of a message are a beginning of it, and come before it.
    fn check_pieces(&self) -> Result<(), String> {
        let mut pieces: BTreeMap<MessageId, String> = BTreeMap::new();
        let mut whole = BTreeSet::new();
        for (_, event) in &self.events {
            match event {
                StreamEvent::Delta { message_id, .. } if whole.contains(message_id) => {
                    return Err(format!("a piece of {message_id} after it"));
                }
                StreamEvent::Delta { message_id, delta: Delta::Text(piece), .. } => {
                    pieces.entry(*message_id).or_default().push_str(piece);
                }
                StreamEvent::Message(m) => {
                    whole.insert(m.id);
                    let said = pieces.remove(&m.id).unwrap_or_default();
                    let text = m.content.plain_text();
                    // Whoever came in the middle of a message has its rest.
                    let fits = text.starts_with(&said) || self.after > 0 && text.contains(&said);
                    if !fits {
                        return Err(format!("pieces of {}: {said:?} of {text:?}", m.id));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}
