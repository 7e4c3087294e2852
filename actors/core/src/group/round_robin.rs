//! One after the other.

use super::{Next, Play};

pub(super) fn next(play: &Play, max_turns: Option<usize>) -> Next {
    let done = play.turns.len();
    match play.members.get(done % play.members.len()) {
        Some(member) if done < play.turns_allowed(max_turns) => play.ask_member(member.id),
        _ => Next::Over,
    }
}
