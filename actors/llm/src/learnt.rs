//! What refusals have taught about a model.
//!
//! Servers of one protocol differ in what they take, and few say so before they refuse a request. A refusal whose
//! words are understood is answered with a request that avoids what was refused. What has helped is kept for the model, in
//! memory: a new process learns it again with its first request.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use parking_lot::Mutex;

/// Models that something is kept of, at one provider. Far more than anybody uses: a guard against made-up names.
const MOST_MODELS: usize = 256;
/// Texts and images that are kept as refused, of one model.
const MOST_REFUSED: usize = 4_096;
/// Requests that one call sends because it has learnt something.
pub(crate) const MOST_LESSONS: usize = 8;

/// What is known of a model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Learnt {
    /// Members of a request that it refuses.
    pub(crate) left_out: BTreeSet<&'static str>,
    /// How it is told how long its answer may be.
    pub(crate) limit: Limit,
    /// What it can be told about which tool to call.
    pub(crate) choice: Choice,
    /// The thoughts that it must get back.
    pub(crate) thoughts: Thoughts,
    /// Which messages may follow each other.
    pub(crate) roles: Roles,
    /// Whether calls that came without a signature need one that stands for "none" (Gemini).
    pub(crate) placeholder_signatures: bool,
    /// Hashes of texts and images that it refused. They are replaced by a note.
    pub(crate) refused: HashSet<u64>,
}

/// The member that limits an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Limit {
    /// The one that goes by the name of the model.
    #[default]
    Usual,
    /// The other one.
    Other,
    /// None.
    Unsaid,
}

/// What a model can be told about which tool to call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Choice {
    /// What the protocol has.
    #[default]
    Any,
    /// That it must call one, and not which.
    Unnamed,
    /// Nothing.
    Free,
}

/// Which of its own thoughts a model must get back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Thoughts {
    /// As its provider usually has it.
    #[default]
    Usual,
    /// Those that led to calls, under this name.
    WithCalls(&'static str),
    /// All of them, under this name.
    All(&'static str),
}

/// Which messages may follow each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Roles {
    /// Any.
    #[default]
    Any,
    /// One system message, then user and assistant in turns.
    InTurns,
    /// User and assistant in turns, and no system message.
    InTurnsWithoutSystem,
}

impl Learnt {
    /// Keeps the hash of something refused. A full memory begins anew: what is still in use will be refused again.
    pub(crate) fn refuse(&mut self, hash: u64) {
        if self.refused.len() >= MOST_REFUSED {
            self.refused.clear();
        }
        self.refused.insert(hash);
    }
}

/// What is known of the models of one provider.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<HashMap<String, Arc<Learnt>>>);

impl Memory {
    pub(crate) fn of(&self, model: &str) -> Arc<Learnt> {
        self.0.lock().get(model).cloned().unwrap_or_default()
    }

    pub(crate) fn keep(&self, model: &str, learnt: Arc<Learnt>) {
        let mut models = self.0.lock();
        if models.len() >= MOST_MODELS && !models.contains_key(model) {
            models.clear();
        }
        models.insert(model.to_owned(), learnt);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_has_a_bound() {
        let memory = Memory::default();
        for n in 0..2 * MOST_MODELS {
            memory.keep(&n.to_string(), Arc::default());
        }
        assert!(memory.0.lock().len() <= MOST_MODELS);
        let mut learnt = Learnt::default();
        (0..2 * MOST_REFUSED as u64).for_each(|hash| learnt.refuse(hash));
        assert!(learnt.refused.len() <= MOST_REFUSED);
    }
}
