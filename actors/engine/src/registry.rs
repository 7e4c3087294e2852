//! Which conversations are live on this node, and waking those that are not.

use std::sync::Arc;

use dashmap::{DashMap, Entry};
use engram_core::step::RunError;
use engram_domain::{ConversationId, RunId, StopReason};
use ractor::{ActorId, ActorRef, MessagingErr};

use crate::{Inner, agent, effects, insight, supervisor};

enum Slot {
    /// Being claimed and loaded; what is sent meanwhile waits here.
    Waking(Vec<agent::Msg>),
    Live(ActorRef<agent::Msg>),
}

/// The live conversations.
#[derive(Default)]
pub(crate) struct Registry {
    slots: DashMap<ConversationId, Slot>,
}

impl Registry {
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
    pub(crate) fn tell_all(&self, message: impl Fn() -> agent::Msg) {
        for slot in &self.slots {
            if let Slot::Live(actor) = slot.value() {
                let _ = actor.send_message(message());
            }
        }
    }
}

/// Sends a message to the conversation's actor, waking it if need be. What cannot be delivered is
/// dropped: a run is in the database and is found there, a command's caller sees its answer's channel
/// close.
pub(crate) fn send(inner: &Arc<Inner>, conversation: ConversationId, message: agent::Msg) {
    let mut message = message;
    loop {
        match inner.registry.slots.entry(conversation) {
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
                let inner = inner.clone();
                inner.tasks.clone().spawn(async move { wake(&inner, conversation).await });
                return;
            }
        }
    }
}

/// Sends a message to the conversation's actor if it has one, or will have one in a moment.
pub(crate) fn send_if_here(inner: &Arc<Inner>, conversation: ConversationId, message: agent::Msg) -> bool {
    match inner.registry.slots.get_mut(&conversation).as_deref_mut() {
        Some(Slot::Waking(waiting)) => {
            waiting.push(message);
            true
        }
        Some(Slot::Live(actor)) => actor.send_message(message).is_ok(),
        None => false,
    }
}

/// Makes the conversation live if it is not, so that its actor finds its open runs.
pub(crate) fn ensure(inner: &Arc<Inner>, conversation: ConversationId) {
    if let Entry::Vacant(slot) = inner.registry.slots.entry(conversation) {
        slot.insert(Slot::Waking(Vec::new()));
        let inner = inner.clone();
        inner.tasks.clone().spawn(async move { wake(&inner, conversation).await });
    }
}

/// Has the conversation's actor look at a run that it may not have heard of.
pub(crate) fn look(inner: &Arc<Inner>, conversation: ConversationId, run: RunId) {
    send(inner, conversation, agent::Msg::Look { run });
}

async fn wake(inner: &Arc<Inner>, conversation: ConversationId) {
    let arguments = agent::Arguments { inner: inner.clone(), conversation };
    match supervisor::spawn_agent(&inner.supervisor, arguments).await {
        Ok(actor) => {
            // Under the slot's lock, so that nothing that is sent from now on overtakes what waited. The
            // actor begins nothing before it is told to, so it cannot have ended yet.
            if let Entry::Occupied(mut slot) = inner.registry.slots.entry(conversation) {
                let _ = actor.send_message(agent::Msg::Begin);
                if let Slot::Waking(waiting) = slot.insert(Slot::Live(actor.clone())) {
                    for message in waiting {
                        let _ = actor.send_message(forgetful(message));
                    }
                }
            }
            if inner.closing.is_cancelled() {
                let _ = actor.send_message(agent::Msg::Close { hand_over: inner.is_draining() });
            }
        }
        Err(error) => {
            tracing::debug!(%error, %conversation, "an agent did not wake");
            let gone = not_woken(inner, conversation).await;
            insight::activation(if gone { "gone" } else { "owned" });
            let waiting = match inner.registry.slots.remove(&conversation) {
                Some((_, Slot::Waking(waiting))) => waiting,
                _ => Vec::new(),
            };
            agent::refuse(inner, waiting, if gone { agent::Refusal::Gone } else { agent::Refusal::Elsewhere });
        }
    }
}

/// A run's row is only good for an actor that lived when it was read: while this one was waking, another
/// node may have carried the run out.
fn forgetful(message: agent::Msg) -> agent::Msg {
    match message {
        agent::Msg::Run { run, .. } => agent::Msg::Look { run: run.id },
        other => other,
    }
}

/// Somebody else owns the conversation, it is gone, or the database is away. Its runs must not hang:
/// those of a conversation that is gone end here, the others are tried again.
/// Returns whether it is gone.
async fn not_woken(inner: &Arc<Inner>, conversation: ConversationId) -> bool {
    let store = &inner.ports.store;
    let (open, gone) = match (store.open_runs(conversation).await, store.load(conversation).await) {
        (Ok(open), Ok(loaded)) => (open, loaded.is_none()),
        _ => (Vec::new(), false),
    };
    if !gone {
        inner.orphans.insert(conversation);
        return false;
    }
    for run in open {
        let error = RunError::new("not_found", "The conversation was deleted.");
        if let Err(error) = effects::end_unowned(inner, run, StopReason::Error, Some(error)).await {
            tracing::warn!(%error, %run, "a run of a deleted conversation could not be ended");
        }
    }
    true
}
