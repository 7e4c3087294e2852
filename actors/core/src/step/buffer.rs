//! The short context of an agent whose companions keep its memory.
//!
//! Decided here, at the end of a turn and in the commit that ends it, so that what is in context is never in two minds:
//! an actor that is awake and one that is woken see the same. Whoever tells the companions only reads how far it has
//! come.

use super::{Env, State};
use crate::{compact, ports::store::ContextMark};

/// Has the older messages leave when there are too many. Returns where the context begins then, for the commit. Not in
/// the middle of anything: a request that waits for its approval stays with what led to it.
pub(super) fn evict(state: &mut State, env: &Env<'_>) -> Option<ContextMark> {
    let buffer = state.snapshot.buffer?;
    let own = state.conversation.id == state.snapshot.agent.id.default_conversation();
    if !own || state.window.len() <= buffer.most || state.pending_approval().is_some() {
        return None;
    }
    let cut = compact::cut_to_buffer(&state.window.to_vec(), buffer.most, buffer.least)?;
    state.window.take_front(cut);
    state.conversation.context_from = state.window.first().map_or(state.conversation.next_seq, |m| m.seq);
    // The prompt says how many messages are out of context.
    state.ensure_prompt(true, env);
    Some(state.mark())
}
