//! Sending: retries, size limits, and errors in plain words.
//!
//! Invariants: an attempt says itself whether it may be made again ([`Failure::retry`]). Cancelling is dropping the
//! future: that closes the connection.

pub(crate) mod body;
pub(crate) mod failure;
mod retry;

use bytes::Bytes;
use reqwest::{RequestBuilder, Response, Url, header::CONTENT_TYPE};

use crate::endpoint::Endpoint;

pub(crate) use failure::Failure;
pub(crate) use retry::with_retries;

impl Endpoint {
    /// A request with a JSON body.
    pub(crate) fn post(&self, url: Url, body: Bytes) -> RequestBuilder {
        self.client.post(url).header(CONTENT_TYPE, "application/json").body(body)
    }

    /// Sends and returns an answer whose status is a success. The caller limits the time.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = request.send().await.map_err(|e| Failure::unreachable(self, e))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(Failure::refused(self, response).await)
    }
}
