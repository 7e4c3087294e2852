//! The nodes of one test, as they reach each other.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use engram_core::ports::Peer;
use engram_domain::NodeId;
use engram_engine::{
    Engine,
    peer::{PeerError, PeerEvents, PeerReply, PeerRequest, Peers},
};
use futures::{StreamExt, stream};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// How long a node may be silent before it counts as gone.
const SILENCE: Duration = Duration::from_millis(2_500);
/// How often whoever lets another node listen looks whether the run is still there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Whether a process runs.
#[async_trait]
pub trait Link: Send + Sync + 'static {
    /// Returns when the process runs: later while it is stopped, never when it is dead.
    async fn running(&self);
    /// Fires when it dies.
    fn dead(&self) -> &CancellationToken;
    /// The time of one way between this process and another.
    async fn distance(&self) {}
}

/// A node, and whether its process runs.
type Reached = (Engine, Arc<dyn Link>);

/// Which nodes there are.
#[derive(Default)]
pub struct Net {
    nodes: Mutex<BTreeMap<NodeId, Reached>>,
}

impl Net {
    pub fn join(&self, id: NodeId, engine: &Engine, link: Arc<dyn Link>) {
        self.nodes.lock().insert(id, (engine.clone(), link));
    }

    /// Forgets all of them.
    pub fn clear(&self) {
        self.nodes.lock().clear();
    }

    fn find(&self, id: NodeId) -> Result<Reached, PeerError> {
        let found = self.nodes.lock().get(&id).cloned();
        found.filter(|(_, link)| !link.dead().is_cancelled()).ok_or_else(|| PeerError("refused".into()))
    }
}

/// One node's way to the others.
pub struct Wire {
    pub net: Arc<Net>,
    pub me: Arc<dyn Link>,
}

#[async_trait]
impl Peers for Wire {
    async fn follow(&self, peer: &Peer, request: PeerRequest) -> Result<PeerEvents, PeerError> {
        let PeerRequest::Follow { owner, run, after } = request else {
            return Err(PeerError("no such stream".into()));
        };
        self.me.running().await;
        self.me.distance().await;
        let (engine, link) = self.net.find(peer.id)?;
        let dead = link.dead().clone();
        let found = tokio::select! {
            biased;
            () = dead.cancelled() => return Err(PeerError("broken".into())),
            found = async { link.running().await; engine.follow_here(owner, run, after) } => found,
        };
        let Some(local) = found else { return Ok(stream::empty().boxed()) };
        let events = stream::unfold((local, link), |(mut local, link)| async move {
            let next = async {
                loop {
                    match tokio::time::timeout(LOOK_EVERY, local.next()).await {
                        Ok(next) => break next,
                        Err(_) if local.is_here() => {}
                        Err(_) => break None,
                    }
                }
            };
            let next = tokio::select! {
                biased;
                () = link.dead().cancelled() => None,
                next = async {
                    let next = next.await;
                    tokio::time::timeout(SILENCE, link.running()).await.ok()?;
                    link.distance().await;
                    next
                } => next,
            };
            next.map(|event| (event, (local, link)))
        });
        Ok(events.boxed())
    }

    async fn ask(&self, peer: &Peer, request: PeerRequest, patience: Duration) -> Result<PeerReply, PeerError> {
        let asked = async {
            self.me.running().await;
            self.me.distance().await;
            let (engine, link) = self.net.find(peer.id)?;
            let dead = link.dead().clone();
            let work = async {
                link.running().await;
                let reply = match request {
                    PeerRequest::Cancel { owner, run } => match engine.cancel_here(owner, run).await {
                        Some(Ok(ended)) => PeerReply::Cancelled(ended),
                        Some(Err(error)) => PeerReply::Unavailable(error.to_string()),
                        None => PeerReply::NotHere,
                    },
                    PeerRequest::Command { conversation, command } => {
                        engine.command_here(conversation, command).await.into()
                    }
                    PeerRequest::Activity => PeerReply::Activity(engine.activity()),
                    PeerRequest::Follow { .. } => return Err(PeerError("that is a stream".into())),
                };
                link.running().await;
                link.distance().await;
                Ok(reply)
            };
            tokio::select! {
                biased;
                () = dead.cancelled() => Err(PeerError("broken".into())),
                reply = work => reply,
            }
        };
        tokio::time::timeout(patience, asked).await.unwrap_or_else(|_| Err(PeerError("no answer in time".into())))
    }
}
