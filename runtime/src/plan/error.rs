use crate::{cgroup, device, host, profile, sched};

/// Why a container's wishes can't be had on this host. Nothing has been done then.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The wishes by themselves.
    #[error(transparent)]
    Profile(#[from] profile::Error),
    /// The host can't be looked at.
    #[error(transparent)]
    Host(#[from] host::Error),
    /// A device.
    #[error(transparent)]
    Device(#[from] Box<device::Error>),
    /// The cgroup.
    #[error(transparent)]
    Cgroup(#[from] cgroup::Error),
    /// A clock that nobody here can ask.
    #[error(transparent)]
    Clock(#[from] Box<rtrun_hooks::clock::Error>),
    /// Interrupts.
    #[error(transparent)]
    Irq(#[from] rtrun_hooks::irq::Error),
    /// CPUs that this host doesn't have, or a policy.
    #[error(transparent)]
    Sched(#[from] sched::Error),
    /// What this host can't give.
    #[error("{asked}: {problem}; {remedy}")]
    Impossible {
        /// The annotation or the field of config.json.
        asked: String,
        /// What stands against it here.
        problem: String,
        /// What mends it.
        remedy: &'static str,
    },
}
