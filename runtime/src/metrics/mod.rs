//! Figures of the containers and of the clock, as OpenMetrics 1.0 (<https://prometheus.io/docs/specs/om/open_metrics_spec/>)
//! or, for node_exporter's textfile collector, as Prometheus text 0.0.4.
//!
//! [`FAMILIES`] is the one definition: what is written, and what `rtrun metrics --describe` says of it.

mod container;
mod exposition;
mod family;
mod node;
mod thread;

pub use container::container;
pub use exposition::{Exposition, Syntax};
pub use family::{FAMILIES, Family, Kind};
pub use node::node;
