//! Reading what nobody reads. A request that is refused before its body was read would take the
//! connection with it: the rest of the body stands where the next request should begin.

use std::time::Duration;

use axum::body::Body;
use futures::StreamExt;

/// A larger body is not worth reading for the sake of its connection.
const MOST: usize = 256 * 1024;
/// Neither is a slow one.
const PATIENCE: Duration = Duration::from_secs(1);

/// Reads a body to its end, if that is near.
pub async fn drain(body: Body) {
    let mut pieces = body.into_data_stream();
    let read = async {
        let mut left = MOST;
        while let Some(Ok(piece)) = pieces.next().await {
            let Some(rest) = left.checked_sub(piece.len()) else { return };
            left = rest;
        }
    };
    // Too slow is as good as too large: the connection closes.
    let _ = tokio::time::timeout(PATIENCE, read).await;
}
