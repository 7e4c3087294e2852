//! Members of requests that change something: absent, null and a value are three things.

use serde::{Deserialize, Deserializer};

/// Tells `null` (clear it) from absent (leave it).
pub fn present<'de, T, D>(d: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(d).map(Some)
}
