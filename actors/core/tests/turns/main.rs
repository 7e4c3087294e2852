//! Whole turns through the step function: a world in memory, a brain that is a function of the
//! request, crashes after any effect.

mod at_once;
mod brain;
mod crashes;
mod edits;
mod loops;
mod play;
mod random;
mod storm;
mod voice;
