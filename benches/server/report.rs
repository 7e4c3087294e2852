//! What was measured, as a table and as JSON.

use std::time::Duration;

use serde_json::{Value, json};

/// Measured times, in milliseconds.
#[derive(Default)]
pub struct Times(Vec<f64>);

impl Times {
    /// Adds one.
    pub fn push(&mut self, took: Duration) {
        self.0.push(took.as_secs_f64() * 1e3);
    }

    /// Adds one that somebody else has measured.
    pub fn push_ms(&mut self, ms: f64) {
        self.0.push(ms);
    }

    /// Puts two together.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The share `q` of them took at most this long; NaN when there is none.
    pub fn percentile(&self, q: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(((sorted.len().max(1) - 1) as f64 * q).round() as usize).copied().unwrap_or(f64::NAN)
    }

    /// `p50 … p99 … max …`.
    pub fn words(&self) -> String {
        let [p50, p99, max] = [0.5, 0.99, 1.0].map(|q| self.percentile(q));
        format!("p50 {p50:.2} p99 {p99:.2} max {max:.2} ms")
    }
}

/// All numbers of a run, printed as they come.
#[derive(Default)]
pub struct Report(Vec<(String, String, Value)>);

impl Report {
    /// Adds a number, with what else is to be said of it.
    pub fn number(&mut self, name: &str, value: f64, unit: &str, note: impl Into<String>) {
        let note = note.into();
        let shown = if value.abs() < 10.0 { format!("{value:.2} {unit}") } else { format!("{value:.0} {unit}") };
        println!("{name:<44} {shown:>16}   {note}");
        self.0.push((name.into(), note, json!({"value": value, "unit": unit})));
    }

    /// Adds the distribution of some times.
    pub fn times(&mut self, name: &str, times: &Times, note: impl Into<String>) {
        let note = note.into();
        println!(
            "{name:<44} {:>16}   {} of {} {note}",
            format!("{:.2} ms", times.percentile(0.5)),
            times.words(),
            times.len()
        );
        let [p50, p99, max] = [0.5, 0.99, 1.0].map(|q| times.percentile(q));
        self.0.push((name.into(), note, json!({"p50": p50, "p99": p99, "max": max, "n": times.len(), "unit": "ms"})));
    }

    /// Everything, for programs.
    pub fn json(&self, about: &Value) -> Value {
        let rows = self.0.iter().map(|(name, note, value)| {
            let mut row = json!({"name": name, "note": note});
            if let (Some(row), Some(value)) = (row.as_object_mut(), value.as_object()) {
                row.extend(value.clone());
            }
            row
        });
        json!({"about": about, "numbers": rows.collect::<Vec<_>>()})
    }
}
