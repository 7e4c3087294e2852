//! What the process tells whoever runs it: log lines, metrics, traces.
//!
//! What it does: [`start`] sends spans and log lines to stderr and, where a collector is named, spans to it by OTLP;
//! [`prometheus`] keeps the numbers that `GET /metrics` shows.
//!
//! Invariants: nothing here waits for anybody, and a collector that is away costs nothing but its spans; no text of a
//! message, no header, no secret is in a label or a span; only spans of this program are exported, and not its log
//! lines. To add a metric of the HTTP side: [`crate::http::observe`]; of the engine: `engram_engine::metrics`.

#[cfg(feature = "otlp")]
mod otlp;
pub mod prometheus;

use std::io::IsTerminal as _;

use tokio::runtime::Handle;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::config::Settings;

type Layer = Box<dyn tracing_subscriber::Layer<Registry> + Send + Sync>;

/// What must be ended before the process does.
#[must_use = "spans are lost unless it is stopped"]
pub struct Telemetry {
    #[cfg(feature = "otlp")]
    traces: Option<otlp::Traces>,
}

#[cfg(feature = "otlp")]
impl Telemetry {
    fn connect(settings: &Settings, runtime: &Handle) -> Self {
        let start = |collector| {
            otlp::Traces::start(collector, runtime)
                .inspect_err(|error| eprintln!("engram: no traces are exported: {error}"))
                .ok()
        };
        Self { traces: settings.traces.as_ref().and_then(start) }
    }

    fn layer(&self) -> Option<Layer> {
        self.traces.as_ref().map(otlp::Traces::layer)
    }

    /// Sends what has not been sent, for a moment at most. Blocks; the runtime must still be there.
    pub fn stop(self) {
        if let Some(traces) = self.traces {
            traces.stop();
        }
    }
}

#[cfg(not(feature = "otlp"))]
#[expect(clippy::unused_self, reason = "the same signatures as with the feature")]
impl Telemetry {
    fn connect(settings: &Settings, _runtime: &Handle) -> Self {
        if settings.traces.is_some() {
            eprintln!("engram: no traces are exported: this build is without the feature `otlp`");
        }
        Self {}
    }

    fn layer(&self) -> Option<Layer> {
        None
    }

    /// There is nothing to end.
    pub fn stop(self) {}
}

/// Starts log and traces. What is wrong with a setting goes to stderr and stops nothing.
pub fn start(settings: &Settings, runtime: &Handle) -> Telemetry {
    let telemetry = Telemetry::connect(settings, runtime);
    let layers: Vec<Layer> = std::iter::once(log(settings)).chain(telemetry.layer()).collect();
    // A second subscriber (in tests) is not an error.
    let _ = tracing_subscriber::registry().with(layers).try_init();
    telemetry
}

/// Log lines on stderr, each with the spans it was written in.
fn log(settings: &Settings) -> Layer {
    let filter = EnvFilter::try_new(&settings.log.filter).unwrap_or_else(|error| {
        eprintln!("engram: ENGRAM_LOG is not a valid filter ({error}); using `info`");
        EnvFilter::new("info")
    });
    let lines =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    if settings.log.json { lines.json().with_filter(filter).boxed() } else { lines.with_filter(filter).boxed() }
}
