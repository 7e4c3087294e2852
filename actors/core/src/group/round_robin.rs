//! One after the other.

use super::{Discussion, Next};

pub(super) fn next(discussion: &Discussion, max_turns: Option<usize>) -> Next {
    let done = discussion.turns.len();
    match discussion.members.get(done % discussion.members.len()) {
        Some(member) if done < discussion.turns_allowed(max_turns) => discussion.ask_member(member.id),
        _ => Next::Over,
    }
}
