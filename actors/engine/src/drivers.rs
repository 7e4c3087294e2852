//! Who drives the runs of an owner on this node: a conversation's actor, or a group's driver.

use std::sync::Arc;

use engram_domain::{RunId, RunOwner};

use crate::{Inner, groups};

/// Whether somebody on this node does.
pub(crate) fn is_here(inner: &Inner, owner: RunOwner) -> bool {
    match owner {
        RunOwner::Conversation(conversation) => inner.registry.contains(conversation),
        RunOwner::Group(group) => inner.groups.contains(group),
    }
}

/// Has it look at a run that it may not have heard of; it is started if there is none.
pub(crate) fn look(inner: &Arc<Inner>, owner: RunOwner, run: RunId) {
    match owner {
        RunOwner::Conversation(conversation) => inner.registry.look(conversation, run),
        RunOwner::Group(group) => groups::drive(inner, group, Some(run)),
    }
}
