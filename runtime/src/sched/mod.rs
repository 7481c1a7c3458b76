//! How the kernel runs a process: policy, CPUs, I/O priority, NUMA policy, personality, limits.

mod affinity;
mod attr;
mod error;
mod ioprio;
mod mempolicy;
mod personality;
mod refusal;
mod rlimits;

pub use affinity::CpuSet;
pub use attr::SchedAttr;
pub use error::Error;
pub use ioprio::set_io_priority;
pub use mempolicy::MemPolicy;
pub use personality::Persona;
pub use rlimits::Rlimits;
