//! A process: its power switch, its engine, and who starts it again.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use engram_core::ports::{NodeInfo, StoreError};
use engram_domain::NodeId;
use engram_engine::{Duty, Engine, EngineSettings, Ports, Ticker};
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    brain::Brain,
    fault::Kind,
    net::{Link, Wire},
    port::{Fate, Port, Weather},
    sim::Sim,
    ticker,
};

/// Whether a process runs. Nothing that it does after its death comes out of it.
pub struct Power {
    sim: Arc<Sim>,
    name: String,
    dead: CancellationToken,
    frozen_until: Mutex<Option<Instant>>,
}

/// A process.
pub struct Node {
    pub engine: Engine,
    pub power: Arc<Power>,
}

impl Power {
    /// `kill -9`, or the end of the process.
    pub fn off(&self) {
        self.dead.cancel();
    }

    /// Whether something happened to it.
    pub fn was_frozen(&self) -> bool {
        self.frozen_until.lock().is_some()
    }

    async fn weather(&self) {
        let most = self.sim.plan.store_ms;
        let pause = self.sim.draw(|rng| if rng.chance(60) { Duration::ZERO } else { rng.millis(0, most) });
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
}

#[async_trait]
impl Link for Power {
    async fn running(&self) {
        loop {
            if self.dead.is_cancelled() {
                std::future::pending::<()>().await;
            }
            let thaw = *self.frozen_until.lock();
            match thaw.filter(|thaw| *thaw > Instant::now()) {
                Some(thaw) => tokio::time::sleep_until(thaw).await,
                None => return,
            }
        }
    }
    fn dead(&self) -> &CancellationToken {
        &self.dead
    }
    async fn distance(&self) {
        self.weather().await;
    }
}

#[async_trait]
impl Weather for Power {
    async fn before(&self, call: &'static str, writes: bool) -> Fate {
        self.weather().await;
        self.running().await;
        if !writes {
            return Fate::Happens;
        }
        let Some(kind) = self.sim.effect(&self.name, call) else { return Fate::Happens };
        match kind {
            Kind::KilledBefore | Kind::KilledAfter => {
                self.off();
                if kind == Kind::KilledBefore { Fate::Vanishes } else { Fate::HappensUnseen }
            }
            Kind::Lost => Fate::Lost,
            Kind::Refused => Fate::Fails(StoreError::Unavailable("try again".into())),
            Kind::Frozen => {
                let pause = self.sim.draw(|rng| rng.millis(500, 8_000));
                *self.frozen_until.lock() = Some(Instant::now() + pause);
                self.running().await;
                Fate::Happens
            }
        }
    }

    async fn after(&self) {
        self.weather().await;
        self.running().await;
    }
}

/// Starts the process in a place of the cluster.
async fn start(sim: &Arc<Sim>, name: String) -> Option<Node> {
    let power = Arc::new(Power {
        sim: sim.clone(),
        name: name.clone(),
        dead: CancellationToken::new(),
        frozen_until: Mutex::default(),
    });
    let port = Arc::new(Port { db: sim.db.clone(), weather: power.clone() });
    let brain = Arc::new(Brain { sim: sim.clone(), power: power.clone() });
    let id = NodeId(sim.db.uuid());
    let url = format!("http://{name}");
    let info = NodeInfo { id, name, url, secret: "hush".into(), version: "sim".into() };
    let ports = Ports {
        store: port.clone(),
        llm: brain.clone(),
        tools: brain,
        peers: Arc::new(Wire { net: sim.net.clone(), me: power.clone() }),
        clock: port.clone(),
        ids: port,
    };
    let sleepy = sim.plan.sleepy;
    let settings = EngineSettings {
        pressure: sleepy.then(|| Arc::new(|| true) as _),
        ticker: Ticker::Manual,
        ..EngineSettings::new(info)
    };
    let engine = Engine::start(ports, settings).await.ok()?;
    ticker::start(&engine, &power.dead, Duty::Reconcile.every());
    sim.net.join(id, &engine, power.clone());
    Some(Node { engine, power })
}

/// Keeps a process running in a place of the cluster.
pub async fn keep(sim: Arc<Sim>, place: usize) {
    let mut name = format!("node{place}");
    loop {
        if let Some(node) = start(&sim, name.clone()).await {
            let node = Arc::new(node);
            sim.places[place].lock().replace(node.clone());
            node.power.dead.cancelled().await;
            sim.places[place].lock().take();
        }
        let (pause, elsewhere) = sim.draw(|rng| (rng.millis(10, 1_500), rng.chance(50)));
        tokio::time::sleep(pause).await;
        if elsewhere {
            // On another machine: nobody knows that its predecessor is dead.
            name.push('\'');
        }
    }
}

/// Takes a node out in order. The process ends when it has given everything back.
pub async fn drain(sim: Arc<Sim>, place: usize, at: Duration) {
    tokio::time::sleep(at).await;
    let Some(node) = sim.places[place].lock().clone() else { return };
    sim.tell(|| format!("{} drains", node.power.name));
    tokio::select! {
        biased;
        () = node.power.dead.cancelled() => {}
        () = node.engine.shutdown() => {
            sim.tell(|| format!("{} is out", node.power.name));
            node.power.off();
        }
    }
}
