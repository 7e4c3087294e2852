//! Whole turns through the step function: a world in memory, a brain that is a function of the
//! request, crashes after any effect.

mod at_once;
mod brain;
mod crashes;
mod edits;
mod endings;
mod loops;
mod play;
mod random;
mod refusals;
mod storm;
mod voice;
