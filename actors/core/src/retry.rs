//! How long is paused before something is tried again.

use std::time::Duration;

use crate::ports::Ids;

/// Pauses between attempts, each for the attempt after it. Whoever runs out of them gives up, or goes on with the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pauses(&'static [Duration]);

impl Pauses {
    /// For a write while the database cannot be reached: three seconds in all.
    pub const DATABASE: Self = Self(&[
        Duration::from_millis(50),
        Duration::from_millis(200),
        Duration::from_millis(750),
        Duration::from_secs(2),
    ]);

    /// For a change of what others change as well, each time on the newest value: the more of them, the longer.
    pub const CONFLICT: Self = Self(&[
        Duration::from_millis(5),
        Duration::from_millis(20),
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(200),
    ]);

    /// For a server that is busy or broken for a moment: each twice as long as the one before.
    pub const SERVER: Self = Self(&[
        Duration::from_millis(500),
        Duration::from_secs(1),
        Duration::from_secs(2),
        Duration::from_secs(4),
        Duration::from_secs(8),
        Duration::from_secs(16),
        Duration::from_secs(32),
    ]);

    /// All of them, in order.
    pub fn iter(self) -> impl Iterator<Item = Duration> + Send {
        self.0.iter().copied()
    }

    /// The pause after so many failed attempts, counted from 0; the last one for all that come later. `fraction`, from 0 to
    /// 1, spreads it between half and the whole of its length, so that many that failed together do not come back together.
    pub fn spread(self, failed: u32, fraction: f64) -> Duration {
        let index = usize::try_from(failed).unwrap_or(usize::MAX).min(self.0.len().saturating_sub(1));
        self.0.get(index).copied().unwrap_or_default().mul_f64(0.5 + fraction / 2.0)
    }

    /// As [`Pauses::spread`], by chance.
    pub fn by_chance(self, failed: u32, ids: &dyn Ids) -> Duration {
        let [.., a, b, c, d] = ids.uuid().into_bytes();
        self.spread(failed, f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_last_and_are_spread_over_its_second_half() {
        assert_eq!(Pauses::SERVER.spread(0, 1.0), Duration::from_millis(500));
        assert_eq!(Pauses::SERVER.spread(0, 0.0), Duration::from_millis(250));
        assert_eq!(Pauses::SERVER.spread(2, 1.0), Duration::from_secs(2));
        assert_eq!(Pauses::SERVER.spread(40, 1.0), Duration::from_secs(32));
        assert_eq!(Pauses::DATABASE.iter().sum::<Duration>(), Duration::from_secs(3));
    }
}
