//! How much the actors of this node hold in memory, all together.
//!
//! A live agent holds what is in its context and its blocks: some kilobytes mostly, tens of megabytes where pictures were
//! sent. So a number of agents says nothing about memory. While they hold more than they may, one that has finished its
//! work leaves at once and not when it has been idle for a while.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Bytes that all actors hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held(Arc<AtomicUsize>);

impl Held {
    /// The sum.
    pub(crate) fn total(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// An actor that holds nothing yet.
    pub(crate) fn enter(&self) -> Share {
        Share { all: self.clone(), bytes: 0 }
    }
}

/// What one actor holds; goes with it.
#[derive(Debug)]
pub(crate) struct Share {
    all: Held,
    bytes: usize,
}

impl Share {
    /// The actor holds so many bytes now.
    pub(crate) fn set(&mut self, bytes: usize) {
        if bytes >= self.bytes {
            self.all.0.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else {
            self.all.0.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_follows_every_actor_to_its_end() {
        let held = Held::default();
        let (mut a, mut b) = (held.enter(), held.enter());
        a.set(10);
        b.set(5);
        a.set(3);
        assert_eq!(held.total(), 8);
        drop(a);
        assert_eq!(held.total(), 5);
        drop(b);
        assert_eq!(held.total(), 0);
    }
}
