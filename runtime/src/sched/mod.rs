//! How the kernel runs a process: policy, CPUs, I/O priority, NUMA policy, personality, limits.

mod affinity;
mod attr;
mod error;
mod ioprio;
mod mempolicy;
mod personality;
mod refusal;
mod rlimits;

pub use affinity::{check_online, get_affinity, online_cpus, set_affinity};
pub use attr::{SchedAttr, policy_name};
pub use error::Error;
pub use ioprio::set_io_priority;
pub use mempolicy::MemPolicy;
pub use personality::Persona;
pub use rlimits::{Rlimits, get_limit};
pub use rtrun_hooks::CpuSet;

use crate::spec::Process;

/// Refuses at `create` what could not be set at `start` or `exec`, whatever the kernel says then.
///
/// # Errors
/// [`Error::Field`], [`Error::List`].
pub fn check(process: &Process) -> Result<(), Error> {
    process.scheduler.as_ref().map(SchedAttr::plan).transpose()?;
    process.io_priority.as_ref().map(ioprio::io_priority).transpose()?;
    let affinity = process.exec_cpu_affinity.as_ref();
    let lists = affinity.map(|affinity| [&affinity.initial, &affinity.last]);
    lists.into_iter().flatten().flatten().try_for_each(|list| Ok(CpuSet::parse(list).map(drop)?))
}
