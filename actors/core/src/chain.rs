//! A list that is cheap to clone and to append to: what a live agent has in context.
//!
//! A state is cloned before every event and a request shares its messages with the state, so a list of a
//! thousand messages must not be copied for one more. What is old lies behind one shared pointer; only the
//! newest few are copied, and join the old ones when they have become [`RECENT`].

use std::{fmt, sync::Arc};

/// Items that a clone copies at most (their pointers). A higher number makes clones dearer, a lower one appends.
const RECENT: usize = 32;

/// The list.
pub struct Chain<T> {
    head: Option<Arc<T>>,
    old: Arc<Vec<Arc<T>>>,
    recent: Vec<Arc<T>>,
}

impl<T> Chain<T> {
    /// How many there are.
    pub fn len(&self) -> usize {
        usize::from(self.head.is_some()) + self.old.len() + self.recent.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends one.
    pub fn push(&mut self, item: impl Into<Arc<T>>) {
        if self.recent.len() >= RECENT {
            Arc::make_mut(&mut self.old).append(&mut self.recent);
        }
        self.recent.push(item.into());
    }

    /// The same list with one before it. Shares the rest.
    #[must_use]
    pub fn headed(&self, head: impl Into<Arc<T>>) -> Self {
        let mut headed = match &self.head {
            // The old head is an item like any other now.
            Some(_) => self.shared().cloned().collect(),
            None => self.clone(),
        };
        headed.head = Some(head.into());
        headed
    }

    /// The items, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + Clone {
        self.shared().map(|item| &**item)
    }

    /// The items, oldest first, to be shared.
    pub fn shared(&self) -> impl DoubleEndedIterator<Item = &Arc<T>> + Clone {
        self.head.iter().chain(self.old.iter()).chain(&self.recent)
    }

    /// The items from a place on.
    pub fn since(&self, at: usize) -> impl DoubleEndedIterator<Item = &Arc<T>> + Clone {
        let heads = usize::from(self.head.is_some());
        let head = if at == 0 { self.head.as_ref() } else { None };
        let at = at.saturating_sub(heads);
        let old = self.old.get(at..).unwrap_or_default();
        let recent = self.recent.get(at.saturating_sub(self.old.len())..).unwrap_or_default();
        head.into_iter().chain(old).chain(recent)
    }

    /// The last one.
    pub fn last(&self) -> Option<&Arc<T>> {
        self.recent.last().or_else(|| self.old.last()).or(self.head.as_ref())
    }
}

impl<T> std::ops::Index<usize> for Chain<T> {
    type Output = T;

    fn index(&self, at: usize) -> &T {
        match &self.head {
            Some(head) if at == 0 => head,
            head => {
                let at = at - usize::from(head.is_some());
                self.old.get(at).unwrap_or_else(|| &self.recent[at - self.old.len()])
            }
        }
    }
}

impl<T> Default for Chain<T> {
    fn default() -> Self {
        Self { head: None, old: Arc::default(), recent: Vec::new() }
    }
}

impl<T> Clone for Chain<T> {
    fn clone(&self) -> Self {
        Self { head: self.head.clone(), old: self.old.clone(), recent: self.recent.clone() }
    }
}

impl<T, I: Into<Arc<T>>> FromIterator<I> for Chain<T> {
    fn from_iter<L: IntoIterator<Item = I>>(items: L) -> Self {
        let old: Vec<Arc<T>> = items.into_iter().map(Into::into).collect();
        Self { head: None, old: Arc::new(old), recent: Vec::new() }
    }
}

impl<T: PartialEq> PartialEq for Chain<T> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<T: fmt::Debug> fmt::Debug for Chain<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_list(start in 0..100usize, ops in prop::collection::vec(0..10u8, 0..200), at in 0..300usize) {
            let mut chain: Chain<usize> = (0..start).collect();
            let mut list: Vec<usize> = (0..start).collect();
            let mut kept = Vec::new();
            for (n, op) in ops.into_iter().enumerate() {
                match op {
                    0 => kept.push((chain.clone(), list.clone())),
                    1 => {
                        chain = chain.headed(1_000 + n);
                        list.insert(0, 1_000 + n);
                    }
                    _ => {
                        chain.push(n);
                        list.push(n);
                    }
                }
            }
            kept.push((chain, list));
            for (chain, list) in kept {
                prop_assert_eq!(chain.len(), list.len());
                prop_assert_eq!(chain.is_empty(), list.is_empty());
                prop_assert!(chain.iter().copied().eq(list.iter().copied()));
                prop_assert!(chain.iter().rev().copied().eq(list.iter().rev().copied()));
                prop_assert!(chain.since(at).map(|n| **n).eq(list.iter().skip(at).copied()));
                prop_assert_eq!(chain.last().map(|n| **n), list.last().copied());
                if at < list.len() {
                    prop_assert_eq!(chain[at], list[at]);
                }
            }
        }
    }

    #[test]
    fn what_is_old_is_shared() {
        let mut chain: Chain<usize> = (0..1_000).collect();
        chain.push(1);
        let other = chain.headed(7);
        assert!(Arc::ptr_eq(&chain.old, &other.old));
        assert_eq!(chain.recent.len(), 1);
    }
}
