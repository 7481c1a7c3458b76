use super::dbus::BusError;
use nix::errno::Errno;
use std::path::PathBuf;

/// Why a cgroup operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The host's hierarchies can't be found.
    #[error("{path}: {errno}: no cgroup hierarchy there; mount cgroup2 on /sys/fs/cgroup, or v1 hierarchies below it")]
    Layout {
        /// What was looked at.
        path: PathBuf,
        /// What the kernel said.
        errno: Errno,
    },
    /// `linux.cgroupsPath` can't be used.
    #[error("linux.cgroupsPath: {path:?}: {reason}")]
    Path {
        /// The value.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Somebody lives in the container's cgroup already.
    #[error(
        "container's cgroup {path} is not empty: {count} process(es) are in it; end them or choose another linux.cgroupsPath"
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// How many processes it has.
        count: usize,
    },
    /// A step on a cgroup directory or file failed.
    #[error("{step} {path}: {errno}")]
    Io {
        /// What was tried.
        step: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the kernel said.
        errno: Errno,
    },
    /// The kernel refused a limit.
    #[error("{field}: writing {value:?} to {path}: {errno}{hint}")]
    Refused {
        /// Field of config.json.
        field: String,
        /// What was written.
        value: String,
        /// Where.
        path: PathBuf,
        /// What the kernel said.
        errno: Errno,
        /// What to do, or nothing.
        hint: &'static str,
    },
    /// This host can't honour a field.
    #[error("{field}: {reason}")]
    Unsupported {
        /// Field of config.json.
        field: String,
        /// Why not.
        reason: String,
    },
    /// The container's cgroup is gone or was never made.
    #[error("container's cgroup does not exist: {0} (cgroups disabled, rootless without delegation, or removed)")]
    Absent(&'static str),
    /// Not all tasks stopped.
    #[error("freezing {path}: still {state:?} after {seconds} s; a task sleeps uninterruptibly")]
    NotFrozen {
        /// The directory.
        path: PathBuf,
        /// Last state read.
        state: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The kernel refused the eBPF program of the device rules.
    #[error(
        "linux.resources.devices: loading the eBPF program: {errno}; it needs CAP_BPF, CONFIG_CGROUP_BPF, and before \
             Linux 5.11 RLIMIT_MEMLOCK; verifier: {log:?}"
    )]
    Program {
        /// What the kernel said.
        errno: Errno,
        /// The verifier's log.
        log: String,
    },
    /// systemd was not reached, or refused.
    #[error("systemd: {step} {unit}: {source}")]
    Bus {
        /// The method.
        step: &'static str,
        /// Which scope.
        unit: String,
        /// Why.
        source: BusError,
    },
    /// A job of systemd ended badly.
    #[error("systemd: {step} {unit}: the job ended as {result:?}; journalctl -u {unit} says why")]
    Job {
        /// The method.
        step: &'static str,
        /// Which scope.
        unit: String,
        /// `failed`, `canceled`, `timeout`, `dependency`, `skipped`.
        result: String,
    },
    /// systemd makes a scope around a process, and none was given.
    #[error("the systemd manager needs the container's init before it can make a scope")]
    NoInit,
    /// A partition was refused.
    #[error("org.rtrun.cpus.partition: writing {value:?} to {path}: {errno}{why}")]
    Partition {
        /// What was written.
        value: String,
        /// Where.
        path: PathBuf,
        /// What the kernel said.
        errno: Errno,
        /// Who has the CPUs as well, or nothing.
        why: String,
    },
    /// Real-time bandwidth was refused.
    #[error(
        "real-time budget of {budget_us} us: writing {value} to {path}: {errno}; \
         the root allows kernel.sched_rt_runtime_us for all cgroups together: lower the budget or free another's"
    )]
    Realtime {
        /// What was asked for, microseconds a period.
        budget_us: i64,
        /// What was written.
        value: i64,
        /// Where.
        path: PathBuf,
        /// What the kernel said.
        errno: Errno,
    },
}

impl Error {
    pub(super) fn unsupported(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Unsupported { field: field.into(), reason: reason.into() }
    }
}
