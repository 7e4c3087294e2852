//! Time and identity, so that any run can be replayed.

use engram_domain::Time;
use uuid::Uuid;

/// The clock of everything that is not a lease (leases go by the database's clock).
pub trait Clock: Send + Sync + 'static {
    /// Now, in microseconds precision: what is read back from the database equals what was written.
    fn now(&self) -> Time;
    /// A clock that never goes back, in nanoseconds from an arbitrary start, for durations.
    fn monotonic_ns(&self) -> i64;
}

/// The source of new ids and of randomness.
pub trait Ids: Send + Sync + 'static {
    /// A version 4 UUID.
    fn uuid(&self) -> Uuid;
}
