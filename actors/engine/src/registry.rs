//! Which conversations have an actor on this node, or will have one in a moment. It knows of an actor only its mailbox;
//! how one is started is [`crate::waking`]'s.

use dashmap::{DashMap, Entry};
use engram_domain::{ConversationId, RunId};
use ractor::{ActorId, ActorRef, MessagingErr};

use crate::agent::Msg;

enum Slot {
    /// Being claimed and loaded; what is sent meanwhile waits here.
    Waking(Vec<Msg>),
    Live(ActorRef<Msg>),
}

/// The live conversations.
pub(crate) struct Registry {
    slots: DashMap<ConversationId, Slot>,
    /// Starts the actor of a conversation, in a task of its own that ends in [`Registry::awake`] or
    /// [`Registry::not_awake`].
    wake: Box<dyn Fn(ConversationId) + Send + Sync>,
}

impl Registry {
    pub(crate) fn new(wake: impl Fn(ConversationId) + Send + Sync + 'static) -> Self {
        Self { slots: DashMap::new(), wake: Box::new(wake) }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn contains(&self, conversation: ConversationId) -> bool {
        self.slots.contains_key(&conversation)
    }

    /// Takes an actor out, so that what is sent from now on wakes another one.
    pub(crate) fn remove(&self, conversation: ConversationId, id: ActorId) {
        self.slots.remove_if(&conversation, |_, slot| matches!(slot, Slot::Live(a) if a.get_id() == id));
    }

    /// As [`Registry::remove`], for an actor that could not say which conversation was its own.
    pub(crate) fn remove_actor(&self, id: ActorId) -> Option<ConversationId> {
        let is_it = |slot: &Slot| matches!(slot, Slot::Live(a) if a.get_id() == id);
        let found = self.slots.iter().find(|slot| is_it(slot.value())).map(|slot| *slot.key());
        found.filter(|conversation| self.slots.remove_if(conversation, |_, slot| is_it(slot)).is_some())
    }

    /// Tells every live actor something.
    pub(crate) fn tell_all(&self, message: impl Fn() -> Msg) {
        for slot in &self.slots {
            if let Slot::Live(actor) = slot.value() {
                let _ = actor.send_message(message());
            }
        }
    }

    /// Sends a message to the conversation's actor, waking it if need be. What cannot be delivered is
    /// dropped: a run is in the database and is found there, a command's caller sees its answer's channel
    /// close.
    pub(crate) fn send(&self, conversation: ConversationId, message: Msg) {
        let mut message = message;
        loop {
            match self.slots.entry(conversation) {
                Entry::Occupied(mut slot) => match slot.get_mut() {
                    Slot::Waking(waiting) => return waiting.push(message),
                    Slot::Live(actor) => match actor.send_message(message) {
                        // It is on its way out: wake the next one.
                        Err(MessagingErr::SendErr(back)) => {
                            message = back;
                            slot.remove();
                        }
                        Ok(()) | Err(_) => return,
                    },
                },
                Entry::Vacant(slot) => {
                    slot.insert(Slot::Waking(vec![message]));
                    return (self.wake)(conversation);
                }
            }
        }
    }

    /// Sends a message to the conversation's actor if it has one, or will have one in a moment.
    pub(crate) fn send_if_here(&self, conversation: ConversationId, message: Msg) -> bool {
        match self.slots.get_mut(&conversation).as_deref_mut() {
            Some(Slot::Waking(waiting)) => {
                waiting.push(message);
                true
            }
            Some(Slot::Live(actor)) => actor.send_message(message).is_ok(),
            None => false,
        }
    }

    /// Makes the conversation live if it is not, so that its actor finds its open runs.
    pub(crate) fn ensure(&self, conversation: ConversationId) {
        if let Entry::Vacant(slot) = self.slots.entry(conversation) {
            slot.insert(Slot::Waking(Vec::new()));
            (self.wake)(conversation);
        }
    }

    /// Has the conversation's actor look at a run that it may not have heard of.
    pub(crate) fn look(&self, conversation: ConversationId, run: RunId) {
        self.send(conversation, Msg::Look { run });
    }

    /// The actor of a conversation has started: it is told to begin, and gets what was sent meanwhile.
    pub(crate) fn awake(&self, conversation: ConversationId, actor: &ActorRef<Msg>) {
        // Under the slot's lock, so that nothing that is sent from now on overtakes what waited. The actor begins
        // nothing before it is told to, so it cannot have ended yet.
        if let Entry::Occupied(mut slot) = self.slots.entry(conversation) {
            let _ = actor.send_message(Msg::Begin);
            if let Slot::Waking(waiting) = slot.insert(Slot::Live(actor.clone())) {
                for message in waiting {
                    let _ = actor.send_message(without_row(message));
                }
            }
        }
    }

    /// The actor of a conversation did not start. What was sent to it meanwhile.
    pub(crate) fn not_awake(&self, conversation: ConversationId) -> Vec<Msg> {
        match self.slots.remove(&conversation) {
            Some((_, Slot::Waking(waiting))) => waiting,
            _ => Vec::new(),
        }
    }
}

/// A run's row is only good for an actor that lived when it was read: while this one was waking, another
/// node may have carried the run out.
fn without_row(message: Msg) -> Msg {
    match message {
        Msg::Run(accepted) => Msg::Look { run: accepted.run.id },
        other => other,
    }
}
