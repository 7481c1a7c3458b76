//! OpenMetrics for a real-time agent.
//!
//! The agent's thread only adds to atomics: no lock, no allocation, no system call, so that a scrape can't delay it.
//! Encoding and publishing happen on threads of this crate, which leave the real-time policy that they inherit.
//!
//! ```
//! use rtrun_agent_metrics::Metrics;
//! use std::time::Duration;
//!
//! let mut metrics = Metrics::new("pump", [("line", "3")]);
//! let misses = metrics.counter("deadline_misses", "Strokes that came after their deadline");
//! let jitter = metrics.histogram("release_jitter", "How late a stroke began");
//! let exporter = metrics.exporter();
//!
//! jitter.observe(Duration::from_micros(12)); // these two may stand in a SCHED_FIFO loop
//! misses.inc();
//!
//! let text = exporter.text();
//! assert!(text.contains("pump_deadline_misses_total{line=\"3\"} 1"));
//! assert!(text.contains("pump_release_jitter_seconds_count{line=\"3\"} 1"));
//! assert!(text.ends_with("# EOF\n"));
//! ```

mod histogram;
mod http;
mod publish;

pub use histogram::Histogram;
pub use publish::{Address, PublishError, Publisher, leave_real_time};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A count that only grows; an atomic, shared with the exporter.
pub type Counter = prometheus_client::metrics::counter::Counter;
/// A value that goes up and down, in the base unit of its name; an atomic, shared with the exporter.
pub type Gauge = prometheus_client::metrics::gauge::Gauge<f64, std::sync::atomic::AtomicU64>;

/// The metrics of one agent while they are being declared.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
}

impl Metrics {
    /// No metrics yet. `prefix` begins each one's name, `labels` stand on each one.
    pub fn new<N: Into<String>, V: Into<String>>(prefix: &str, labels: impl IntoIterator<Item = (N, V)>) -> Self {
        let labels = labels.into_iter().map(|(name, value)| (Cow::Owned(name.into()), Cow::Owned(value.into())));
        Metrics { registry: Registry::with_prefix_and_labels(prefix, labels) }
    }

    /// Declares a counter; `_total` is appended to its name.
    pub fn counter(&mut self, name: &str, help: &str) -> Counter {
        let counter = Counter::default();
        self.registry.register(name, help, counter.clone());
        counter
    }

    /// Declares a counter for each value of `label`, in their order.
    pub fn counters<const N: usize>(&mut self, name: &str, help: &str, label: &str, values: [&str; N]) -> [Counter; N] {
        let family = Family::<Vec<(String, String)>, Counter>::default();
        self.registry.register(name, help, family.clone());
        values.map(|value| family.get_or_create_owned(&vec![(label.into(), value.into())]))
    }

    /// Declares a gauge, without a unit.
    pub fn gauge(&mut self, name: &str, help: &str) -> Gauge {
        let gauge = Gauge::default();
        self.registry.register(name, help, gauge.clone());
        gauge
    }

    /// Declares a gauge in seconds; `_seconds` is appended to its name.
    pub fn gauge_seconds(&mut self, name: &str, help: &str) -> Gauge {
        let gauge = Gauge::default();
        self.registry.register_with_unit(name, help, Unit::Seconds, gauge.clone());
        gauge
    }

    /// Declares a histogram of durations; `_seconds` is appended to its name.
    pub fn histogram(&mut self, name: &str, help: &str) -> Histogram {
        let histogram = Histogram::default();
        self.registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
        histogram
    }

    /// Ends the declarations.
    pub fn exporter(self) -> Exporter {
        Exporter { registry: Arc::new(self.registry) }
    }
}

/// What encodes an agent's metrics, and publishes them: [`Exporter::to_file`], [`Exporter::serve`].
#[derive(Clone)]
pub struct Exporter {
    registry: Arc<Registry>,
}

impl Exporter {
    /// The metrics now, as OpenMetrics text 1.0.
    pub fn text(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            // A String takes all that is written, and no metric of this crate fails to encode.
            Err(fmt::Error) => String::from("# EOF\n"),
        }
    }
}
