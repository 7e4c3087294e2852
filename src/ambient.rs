//! The real clock and the real source of ids: the one place that may ask the system for them.

use std::time::Instant;

use chrono::{SubsecRound as _, Utc};
use engram_core::ports::{Clock, Ids};
use engram_domain::Time;
use uuid::Uuid;

/// The system's clock.
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time counts from now.
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        #[expect(clippy::disallowed_methods, reason = "this is the port's implementation")]
        let now = Utc::now();
        // What Postgres keeps.
        now.trunc_subsecs(6)
    }

    fn monotonic_ns(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_nanos()).unwrap_or(i64::MAX)
    }
}

/// Random ids.
pub struct RandomIds;

impl Ids for RandomIds {
    fn uuid(&self) -> Uuid {
        #[expect(clippy::disallowed_methods, reason = "this is the port's implementation")]
        Uuid::new_v4()
    }
}
