use nix::errno::Errno;

/// Why a process can't be run as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field's value is out of its range, or contradicts another.
    #[error("{field}: {problem}")]
    Field {
        /// Which field of the configuration.
        field: &'static str,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// A list such as `0-3,7` can't be read.
    #[error(transparent)]
    List(#[from] rtrun_hooks::cpus::ListError),
    /// A CPU that this host doesn't have, or has taken offline.
    #[error("CPUs {asked}: no CPU {missing} here; online are {online}")]
    NoSuchCpu {
        /// What was asked for.
        asked: String,
        /// Those missing.
        missing: String,
        /// Those there.
        online: String,
    },
    /// A file of the kernel can't be read.
    #[error("reading {path}: {errno}")]
    Read {
        /// The file.
        path: &'static str,
        /// What the kernel said.
        errno: Errno,
    },
    /// `sched_setattr(2)` was refused.
    #[error("process.scheduler: sched_setattr of {asked} on pid {pid}: {errno}: {why}")]
    SetAttr {
        /// The policy and its figures.
        asked: String,
        /// Of whom.
        pid: i32,
        /// What the kernel said.
        errno: Errno,
        /// What that means here, and what to do.
        why: String,
    },
    /// `sched_getattr(2)` was refused.
    #[error("sched_getattr of pid {pid}: {errno}")]
    GetAttr {
        /// Of whom.
        pid: i32,
        /// What the kernel said.
        errno: Errno,
    },
    /// `sched_setaffinity(2)` was refused.
    #[error(
        "sched_setaffinity of pid {pid} to CPUs {cpus}: {errno} (EINVAL: none of them is in the cpuset of the process's cgroup)"
    )]
    SetAffinity {
        /// Of whom.
        pid: i32,
        /// The CPUs.
        cpus: String,
        /// What the kernel said.
        errno: Errno,
    },
    /// `sched_getaffinity(2)` was refused.
    #[error("sched_getaffinity of pid {pid}: {errno}")]
    GetAffinity {
        /// Of whom.
        pid: i32,
        /// What the kernel said.
        errno: Errno,
    },
    /// `ioprio_set(2)` was refused.
    #[error("process.ioPriority: ioprio_set of {asked} on pid {pid}: {errno} (class RT needs CAP_SYS_NICE)")]
    IoPriority {
        /// Class and level.
        asked: String,
        /// Of whom.
        pid: i32,
        /// What the kernel said.
        errno: Errno,
    },
    /// `set_mempolicy(2)` was refused.
    #[error("linux.memoryPolicy: set_mempolicy of {asked}: {errno}: {why}")]
    MemPolicy {
        /// Mode, flags and nodes.
        asked: String,
        /// What the kernel said.
        errno: Errno,
        /// What that means here.
        why: &'static str,
    },
    /// `personality(2)` was refused.
    #[error("linux.personality: personality({persona:#x}): {errno}")]
    Personality {
        /// What was asked for.
        persona: libc::c_ulong,
        /// What the kernel said.
        errno: Errno,
    },
    /// `setrlimit(2)` was refused.
    #[error(
        "process.rlimits: {name} soft {soft} hard {hard}: {errno} (raising a hard limit needs CAP_SYS_RESOURCE; it is {current})"
    )]
    Rlimit {
        /// Which limit.
        name: &'static str,
        /// Asked for.
        soft: u64,
        /// Asked for.
        hard: u64,
        /// The hard limit in force.
        current: u64,
        /// What the kernel said.
        errno: Errno,
    },
    /// `getrlimit(2)` was refused.
    #[error("reading {name} of pid {pid}: {errno}")]
    GetRlimit {
        /// Which limit.
        name: &'static str,
        /// Of whom.
        pid: i32,
        /// What the kernel said.
        errno: Errno,
    },
}
