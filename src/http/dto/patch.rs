//! Members of requests that change something: absent, null and a value are three things.

use serde::{Deserialize, Deserializer};

/// `None` leaves the member as it is, `Some(None)` clears it, and a value is its new one. Read with [`present`].
pub type Patch<T> = Option<Option<T>>;

/// Tells `null` (clear it) from absent (leave it).
pub fn present<'de, T, D>(d: D) -> Result<Patch<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(d).map(Some)
}
