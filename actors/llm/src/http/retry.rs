//! When to try again, and when that is.

use std::time::Duration;

use engram_core::{ports::LlmError, retry::Pauses};

use crate::{endpoint::Endpoint, http::Failure};

/// The longest that a provider's `Retry-After` is obeyed.
const LONGEST: Duration = Duration::from_mins(1);

/// Runs attempts until one succeeds, fails for good, or the retries are used up.
pub(crate) async fn with_retries<T, F>(endpoint: &Endpoint, mut attempt: impl FnMut() -> F) -> Result<T, LlmError>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut made = 0;
    loop {
        let failure = match attempt().await {
            Ok(value) => return Ok(value),
            Err(failure) => failure,
        };
        if !failure.retry || made >= endpoint.limits.retries {
            return Err(failure.error);
        }
        let pause = pause(made, failure.error.retry_after, fraction(endpoint));
        made += 1;
        tracing::debug!(
            provider = endpoint.name(), attempt = made, pause_ms = pause.as_millis() as u64,
            error = %failure.error, "a call failed and is made again"
        );
        tokio::time::sleep(pause).await;
    }
}

/// As the provider wishes, or longer each time; spread out, so that many agents that were refused together do not come
/// back together.
fn pause(made: u32, wish: Option<Duration>, fraction: f64) -> Duration {
    match wish {
        Some(wish) => wish.min(LONGEST) + Duration::from_millis(100).mul_f64(fraction),
        None => Pauses::SERVER.spread(made, fraction),
    }
}

/// A number from 0 to 1 out of the port that all randomness comes from.
fn fraction(endpoint: &Endpoint) -> f64 {
    // The low half of a version 4 UUID holds 62 random bits under its variant.
    let (_, low) = endpoint.ids.uuid().as_u64_pair();
    (low & 0xFFFF_FFFF) as f64 / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_obey_the_provider_up_to_a_minute() {
        assert_eq!(pause(0, None, 1.0), Duration::from_millis(500));
        assert_eq!(pause(0, None, 0.0), Duration::from_millis(250));
        assert_eq!(pause(2, None, 1.0), Duration::from_secs(2));
        assert_eq!(pause(40, None, 1.0), Duration::from_secs(32));
        assert_eq!(pause(0, Some(Duration::from_secs(7)), 0.0), Duration::from_secs(7));
        assert_eq!(pause(0, Some(Duration::from_hours(1)), 0.0), LONGEST);
    }
}
