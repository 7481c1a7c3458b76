//! What a real-time container asks of its node, usable by any OCI runtime: the `org.rtrun.*` annotations, the node-wide
//! ledger of IRQ masks, governors and leases, the steering of interrupts, and the clock gate.
//!
//! `rtrun` calls this library in-process; `rtrun-hook` drives the same code as OCI hooks, so that crun and runc get it too.

pub mod annotation;
pub mod clock;
pub mod cpus;
mod host;
pub mod irq;
mod knob;
pub mod ledger;
mod nearest;

pub use cpus::CpuSet;
pub use host::Host;
pub use knob::{Target, Value};
pub use nearest::nearest;
