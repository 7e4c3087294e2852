//! Values that are in memory once for all who hold them, and forgotten when nobody does.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Weak},
};

/// Entries that are kept before those that nobody holds are looked for.
pub const FEW: usize = 256;

/// A map that keeps nothing alive. Looking for entries that nobody holds costs a constant for each insertion, on average:
/// it happens when the map has doubled since the last time.
#[derive(Debug)]
pub struct WeakCache<K, V> {
    entries: HashMap<K, Weak<V>>,
    sweep_at: usize,
}

impl<K, V> Default for WeakCache<K, V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), sweep_at: FEW }
    }
}

impl<K: Eq + Hash, V> WeakCache<K, V> {
    /// The value of the key, if somebody still holds it.
    pub fn get(&self, key: &K) -> Option<Arc<V>> {
        self.entries.get(key).and_then(Weak::upgrade)
    }

    /// Makes a value known, in the place of what the key had.
    pub fn insert(&mut self, key: K, value: &Arc<V>) {
        if self.entries.len() >= self.sweep_at {
            self.entries.retain(|_, value| value.strong_count() > 0);
            self.sweep_at = (self.entries.len() * 2).max(FEW);
        }
        self.entries.insert(key, Arc::downgrade(value));
    }

    /// How many entries there are, those that nobody holds any more included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_found_and_what_nobody_holds_is_forgotten() {
        let mut cache = WeakCache::default();
        let held: Vec<Arc<usize>> = (0..2 * FEW).map(Arc::new).collect();
        for value in &held {
            cache.insert(**value, value);
        }
        for n in 10 * FEW..20 * FEW {
            cache.insert(n, &Arc::new(n));
        }
        assert!(held.iter().all(|value| cache.get(value).is_some_and(|found| Arc::ptr_eq(&found, value))));
        assert!(cache.get(&(10 * FEW)).is_none());
        assert!(cache.len() <= 4 * FEW, "{}", cache.len());
    }
}
