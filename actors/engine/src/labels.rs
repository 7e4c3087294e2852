//! Labels whose values come from outside, kept to a bounded number: every value is a time series for ever.

use std::sync::Arc;

use dashmap::DashSet;
use metrics::SharedString;

/// What a value is counted as when it is not known and there is no room for another.
const OTHER: &str = "other";

/// The values that one label has taken.
pub(crate) struct Bounded {
    seen: std::sync::LazyLock<DashSet<Arc<str>>>,
    most: usize,
}

/// Providers that were called.
pub(crate) static PROVIDERS: Bounded = Bounded::new(32);
/// Models that were called.
pub(crate) static MODELS: Bounded = Bounded::new(128);
/// Tools that come with the server.
pub(crate) static TOOLS: Bounded = Bounded::new(128);

impl Bounded {
    /// Room for `most` values.
    pub(crate) const fn new(most: usize) -> Self {
        Self { seen: std::sync::LazyLock::new(DashSet::new), most }
    }

    /// The label for a value. One that is not `known` to be real gets no room of its own.
    pub(crate) fn label(&self, value: &str, known: bool) -> SharedString {
        if let Some(seen) = self.seen.get(value) {
            return SharedString::from(seen.key().clone());
        }
        // Two at once may go over the bound by one each; what matters is that there is one.
        if !known || self.seen.len() >= self.most {
            return OTHER.into();
        }
        let value: Arc<str> = value.into();
        self.seen.insert(value.clone());
        value.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_makes_more_values_than_there_is_room_for() {
        let labels = Bounded::new(2);
        assert_eq!(&*labels.label("made up", false), "other");
        assert_eq!(&*labels.label("a", true), "a");
        assert_eq!(&*labels.label("b", true), "b");
        assert_eq!(&*labels.label("c", true), "other");
        // What has its room keeps it.
        assert_eq!(&*labels.label("a", false), "a");
    }
}
