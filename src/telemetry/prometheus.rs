//! The numbers of this process, in Prometheus's text format.

use std::{sync::LazyLock, time::Duration};

use metrics::{Unit, describe_gauge, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::{http::observe, pressure};

/// Upper ends of the buckets of every histogram, in seconds: from a commit to a model that thinks for minutes.
const BUCKETS: [f64; 18] =
    [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];

/// Recorded values wait in a list until somebody scrapes. Should nobody do, they are counted this often.
const UPKEEP: Duration = Duration::from_secs(5);

const BUILD: &str = "engram_build_info";
const RESIDENT: &str = "process_resident_memory_bytes";

/// The one recorder of this process. The facade knows only global ones.
static RECORDER: LazyLock<PrometheusHandle> = LazyLock::new(|| {
    // It fails only for an empty list.
    let builder = PrometheusBuilder::new();
    let builder = builder.set_buckets(&BUCKETS).unwrap_or_else(|_| PrometheusBuilder::new());
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("another recorder is installed: GET /metrics has nothing to show");
    }
    describe_gauge!(BUILD, "1, with the version of the program");
    describe_gauge!(RESIDENT, Unit::Bytes, "Memory that this process has in use");
    engram_engine::metrics::describe();
    observe::describe();
    let upkeep = handle.clone();
    // It holds nothing, so nobody has to end it.
    let spawned = std::thread::Builder::new().name("metrics".into()).spawn(move || {
        loop {
            std::thread::sleep(UPKEEP);
            upkeep.run_upkeep();
        }
    });
    if let Err(error) = spawned {
        tracing::warn!(%error, "no thread for the upkeep of metrics: they grow until somebody scrapes");
    }
    handle
});

/// Makes sure that what is recorded from now on is kept.
pub fn install() {
    LazyLock::force(&RECORDER);
}

/// Everything that was recorded in this process.
pub fn render() -> String {
    gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    if let Some(bytes) = pressure::resident_bytes() {
        gauge!(RESIDENT).set(bytes as f64);
    }
    RECORDER.render()
}
