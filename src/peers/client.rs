//! Asking another node.

use std::time::Duration;

use async_trait::async_trait;
use engram_core::ports::Peer;
use engram_engine::peer::{PeerError, PeerEvents, PeerFrame, PeerReply, PeerRequest, Peers};
use futures::StreamExt;
use reqwest::{Client, Response};

use super::{PATH, SECRET};

/// How long a connection may take. Nodes are close to each other.
const CONNECT: Duration = Duration::from_secs(1);
/// A node gives a sign of life every second; a silent one is gone or frozen.
const SILENCE: Duration = Duration::from_millis(2_500);

/// How long a connection is kept. Shorter than the other node does, so that none is closed under a request.
const IDLE: Duration = Duration::from_secs(30);

/// Speaks to other nodes over HTTP.
pub struct HttpPeers {
    client: Client,
}

impl HttpPeers {
    /// With a pool of connections of its own. Proxies of the environment are for the world outside.
    pub fn new() -> Result<Self, reqwest::Error> {
        let client =
            Client::builder().no_proxy().connect_timeout(CONNECT).tcp_nodelay(true).pool_idle_timeout(IDLE).build()?;
        Ok(Self { client })
    }

    async fn post(&self, peer: &Peer, request: &PeerRequest) -> Result<Response, PeerError> {
        let sent = self.client.post(format!("{}{PATH}", peer.url)).header(SECRET, &peer.secret).json(request);
        let response = sent.send().await.map_err(failed)?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(PeerError(format!("status {}", response.status())))
        }
    }
}

fn failed(error: reqwest::Error) -> PeerError {
    PeerError(error.without_url().to_string())
}

#[async_trait]
impl Peers for HttpPeers {
    async fn follow(&self, peer: &Peer, request: PeerRequest) -> Result<PeerEvents, PeerError> {
        let response = self.post(peer, &request).await?;
        Ok(events(response).boxed())
    }

    async fn ask(&self, peer: &Peer, request: PeerRequest, patience: Duration) -> Result<PeerReply, PeerError> {
        let asked = async {
            let response = self.post(peer, &request).await?;
            response.json().await.map_err(failed)
        };
        tokio::time::timeout(patience, asked).await.unwrap_or_else(|_| Err(PeerError("no answer in time".into())))
    }
}

/// Bytes of one event. A message may hold pictures.
const LONGEST_LINE: usize = 64 << 20;

/// The events of an answer, until it ends, breaks off or falls silent.
fn events(response: Response) -> impl futures::Stream<Item = (i64, engram_engine::StreamEvent)> + Send {
    async_stream::stream! {
        let mut chunks = response.bytes_stream();
        let mut buffer: Vec<u8> = Vec::new();
        while let Ok(Some(Ok(chunk))) = tokio::time::timeout(SILENCE, chunks.next()).await {
            // What came before is a part of one line, and was looked through: a line may have megabytes, and comes in
            // small pieces.
            let mut from = buffer.len();
            let mut begin = 0;
            buffer.extend_from_slice(&chunk);
            while let Some(length) = buffer[from..].iter().position(|byte| *byte == b'\n') {
                let line = &buffer[begin..from + length];
                (begin, from) = (from + length + 1, from + length + 1);
                if line.is_empty() {
                    continue;
                }
                match serde_json::from_slice(line) {
                    Ok(PeerFrame::Event(number, event)) => yield (number, event),
                    Ok(PeerFrame::Moved) => return,
                    Err(error) => {
                        tracing::warn!(%error, "an event of another node cannot be read");
                        return;
                    }
                }
            }
            buffer.drain(..begin);
            if buffer.len() > LONGEST_LINE {
                tracing::warn!("another node sends an event that has no end");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use engram_domain::{ConversationId, NodeId, RunId};
    use uuid::Uuid;
    use wiremock::{
        Mock, MockServer, ResponseTemplate,
        matchers::{header, method, path},
    };

    use super::*;

    fn peer(url: String) -> Peer {
        Peer { id: NodeId(Uuid::nil()), url, secret: "hush".into() }
    }

    fn cancel() -> PeerRequest {
        PeerRequest::Cancel { owner: ConversationId(Uuid::nil()).into(), run: RunId(Uuid::nil()) }
    }

    #[tokio::test]
    async fn a_node_is_asked_with_its_secret_and_no_longer_than_patience_lasts() {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .and(path(PATH))
            .and(header(SECRET, "hush"))
            .respond_with(ResponseTemplate::new(200).set_body_json(PeerReply::Cancelled(true)))
            .up_to_n_times(1)
            .mount(&server)
            .await;
        let peers = HttpPeers::new().expect("a client");
        let reply = peers.ask(&peer(server.uri()), cancel(), Duration::from_secs(5)).await;
        assert!(matches!(reply, Ok(PeerReply::Cancelled(true))), "{reply:?}");
        // The mock answers 404 from now on: that is no answer.
        assert!(peers.ask(&peer(server.uri()), cancel(), Duration::from_secs(5)).await.is_err());
        let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(30));
        Mock::given(method("POST")).respond_with(slow).mount(&server).await;
        let started = std::time::Instant::now();
        assert!(peers.ask(&peer(server.uri()), cancel(), Duration::from_millis(100)).await.is_err());
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[tokio::test]
    async fn frames_are_read_across_chunks_and_end_with_the_move() {
        let server = MockServer::start().await;
        let body = "\n{\"event\":[7,{\"delta\":{\"message_id\":\"message-00000000-0000-0000-0000-000000000000\",\
                    \"step_id\":\"step-00000000-0000-0000-0000-000000000000\",\"at\":\"2026-01-01T00:00:00Z\",\
                    \"delta\":{\"text\":\"é\\n\"}}}]}\n\n\"moved\"\n{\"never\":\"read\"}\n";
        Mock::given(method("POST")).respond_with(ResponseTemplate::new(200).set_body_string(body)).mount(&server).await;
        let peers = HttpPeers::new().expect("a client");
        let events = peers.follow(&peer(server.uri()), cancel()).await.expect("an answer");
        let numbers: Vec<i64> = events.map(|(number, _)| number).collect().await;
        assert_eq!(numbers, [7]);
    }
}
