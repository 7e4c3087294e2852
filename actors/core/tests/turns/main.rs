//! Whole turns through the step function: a world in memory, a brain that is a function of the
//! request, crashes after any effect.

mod brain;
mod crashes;
mod loops;
mod play;
mod random;
mod world;
