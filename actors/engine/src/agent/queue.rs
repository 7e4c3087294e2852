//! Which run is next: the runs that wait in a conversation, and those that are over.

use std::collections::VecDeque;

use engram_domain::RunId;

/// Finished runs that are remembered, so that a pointer that comes late starts nothing.
const REMEMBERED: usize = 128;

/// Runs of one conversation, each with a row `R` where that came along with its pointer. Does nothing by itself.
///
/// Invariant: no run is in it twice, and none that is remembered as over is in it.
#[derive(Debug)]
pub(crate) struct RunQueue<R> {
    waiting: VecDeque<(RunId, Option<R>)>,
    /// Runs that wait until somebody has decided on what waits for approval.
    deferred: VecDeque<RunId>,
    over: VecDeque<RunId>,
}

impl<R> RunQueue<R> {
    /// The runs that were accepted and not finished, oldest first.
    pub(crate) fn new(open: impl IntoIterator<Item = RunId>) -> Self {
        Self {
            waiting: open.into_iter().map(|run| (run, None)).collect(),
            deferred: VecDeque::new(),
            over: VecDeque::new(),
        }
    }

    /// How many runs wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + self.deferred.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the run is remembered as over.
    pub(crate) fn is_over(&self, run: RunId) -> bool {
        self.over.contains(&run)
    }

    /// Puts a run at the end, unless it is known. One that is known was read from the database: a row that comes along
    /// now may be older, so it is dropped.
    pub(crate) fn push(&mut self, run: RunId, row: Option<R>) {
        let known = self.waiting.iter().any(|(waiting, _)| *waiting == run) || self.deferred.contains(&run);
        if !known && !self.is_over(run) {
            self.waiting.push_back((run, row));
        }
    }

    /// Takes the next run out.
    pub(crate) fn pop(&mut self) -> Option<(RunId, Option<R>)> {
        self.waiting.pop_front()
    }

    /// Has a run wait until [`RunQueue::readmit`].
    pub(crate) fn defer(&mut self, run: RunId) {
        self.deferred.push_back(run);
    }

    /// Puts the deferred runs before all others, in their order.
    pub(crate) fn readmit(&mut self) {
        for run in self.deferred.drain(..).rev() {
            self.waiting.push_front((run, None));
        }
    }

    /// Has a run's row read again when its turn comes.
    pub(crate) fn forget_row(&mut self, run: RunId) {
        if let Some((_, row)) = self.waiting.iter_mut().find(|(waiting, _)| *waiting == run) {
            *row = None;
        }
    }

    /// The run is over: it does not wait, and does not come back.
    pub(crate) fn finish(&mut self, run: RunId) {
        self.waiting.retain(|(waiting, _)| *waiting != run);
        self.deferred.retain(|deferred| *deferred != run);
        if self.over.len() == REMEMBERED {
            self.over.pop_front();
        }
        self.over.push_back(run);
    }

    /// Takes all runs out. Their rows are not to be used any more.
    pub(crate) fn drain(&mut self) -> Vec<RunId> {
        self.waiting.drain(..).map(|(run, _)| run).chain(self.deferred.drain(..)).collect()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn run(n: u128) -> RunId {
        RunId(Uuid::from_u128(n))
    }

    fn order(queue: &mut RunQueue<&'static str>) -> Vec<(RunId, Option<&'static str>)> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn what_was_open_comes_first_and_nothing_twice() {
        let mut queue = RunQueue::new([run(1), run(2)]);
        queue.push(run(2), Some("an older row"));
        queue.push(run(3), Some("row"));
        queue.push(run(3), None);
        assert_eq!(queue.len(), 3);
        assert_eq!(order(&mut queue), [(run(1), None), (run(2), None), (run(3), Some("row"))]);
    }

    #[test]
    fn a_pointer_to_a_run_that_is_over_starts_nothing() {
        let mut queue = RunQueue::new([run(1)]);
        queue.push(run(2), Some("row"));
        queue.defer(run(3));
        for n in 1..=3 {
            queue.finish(run(n));
            queue.push(run(n), Some("late"));
        }
        assert!(queue.is_empty() && queue.is_over(run(2)));
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut queue = RunQueue::<()>::new([]);
        (0..=REMEMBERED as u128).for_each(|n| queue.finish(run(n)));
        assert!(!queue.is_over(run(0)) && queue.is_over(run(1)));
    }

    #[test]
    fn deferred_runs_come_back_before_the_others_in_their_order() {
        let mut queue = RunQueue::new([run(1), run(2), run(3)]);
        for _ in 0..2 {
            let (first, _) = queue.pop().expect("there are three");
            queue.defer(first);
        }
        queue.push(run(1), Some("again"));
        assert_eq!(queue.len(), 3, "a deferred run is known");
        queue.readmit();
        assert_eq!(order(&mut queue), [(run(1), None), (run(2), None), (run(3), None)]);
    }

    #[test]
    fn a_row_in_doubt_is_read_again() {
        let mut queue = RunQueue::new([]);
        queue.push(run(1), Some("row"));
        queue.forget_row(run(1));
        assert_eq!(order(&mut queue), [(run(1), None)]);
    }

    #[test]
    fn what_is_drained_is_in_order() {
        let mut queue = RunQueue::new([run(1)]);
        queue.defer(run(3));
        queue.push(run(2), Some("row"));
        assert_eq!(queue.drain(), [run(1), run(2), run(3)]);
        assert!(queue.is_empty());
    }
}
