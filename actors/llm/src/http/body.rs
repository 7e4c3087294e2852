//! Bodies with a size limit.

use bytes::{Buf, Bytes, BytesMut};
use reqwest::Response;

use crate::{endpoint::Endpoint, http::Failure};

/// Bytes that an answer may have. Far above any real one: a guard against endless streams.
pub(crate) const MAX_BODY: usize = 64 << 20;

/// The byte order mark that some servers put before their JSON.
pub(crate) const MARK: &[u8] = b"\xEF\xBB\xBF";

/// The beginning of a body, up to the first byte that is no white space: enough to tell what it is. Empty when there is
/// nothing else.
pub(crate) async fn begin(endpoint: &Endpoint, response: &mut Response) -> Result<Bytes, Failure> {
    let mut all = BytesMut::new();
    while let Some(chunk) = next(endpoint, response, all.len()).await? {
        all.extend_from_slice(&chunk);
        if !chunk.trim_ascii().is_empty() {
            break;
        }
    }
    Ok(all.freeze())
}

/// The whole body, whose beginning was read, without a byte order mark.
pub(crate) async fn rest(endpoint: &Endpoint, begun: Bytes, mut response: Response) -> Result<Bytes, Failure> {
    let mut all = BytesMut::from(begun);
    while let Some(chunk) = next(endpoint, &mut response, all.len()).await? {
        all.extend_from_slice(&chunk);
    }
    if all.starts_with(MARK) {
        all.advance(MARK.len());
    }
    Ok(all.freeze())
}

/// The whole body, without a byte order mark.
pub(crate) async fn read(endpoint: &Endpoint, response: Response) -> Result<Bytes, Failure> {
    rest(endpoint, Bytes::new(), response).await
}

async fn next(endpoint: &Endpoint, response: &mut Response, read: usize) -> Result<Option<Bytes>, Failure> {
    let chunk = response.chunk().await.map_err(|e| Failure::broke_off(endpoint, Some(e)))?;
    if chunk.as_ref().is_some_and(|chunk| read + chunk.len() > MAX_BODY) {
        return Err(Failure::too_large(endpoint));
    }
    Ok(chunk)
}

/// The beginning of a body that explains a failure; whatever goes wrong, what is there is enough.
pub(crate) async fn read_some(mut response: Response) -> BytesMut {
    const ENOUGH: usize = 64 << 10;
    let mut some = BytesMut::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = ENOUGH - some.len();
        some.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if some.len() >= ENOUGH {
            break;
        }
    }
    some
}

/// Whether a body is a web page: what a proxy, a login page or a wrong base URL answers with.
pub(crate) fn is_html(content_type: &str, body: &[u8]) -> bool {
    let start = body.trim_ascii_start();
    let start = &start[..start.len().min(32)].to_ascii_lowercase();
    content_type.contains("html") || start.starts_with(b"<!doctype") || start.starts_with(b"<html")
}
