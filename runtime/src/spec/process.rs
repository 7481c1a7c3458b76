use super::null_as_default;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The user's process (`config.md`, Process), for the container's init and for `exec --process`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// Whether a pseudoterminal is attached.
    #[serde(default)]
    pub terminal: bool,
    /// Size of that terminal in characters; ignored without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console_size: Option<ConsoleSize>,
    /// Who it runs as.
    #[serde(default)]
    pub user: User,
    /// `argv`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub args: Vec<String>,
    /// `environ`, each `NAME=value`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub env: Vec<String>,
    /// Working directory, absolute.
    #[serde(default)]
    pub cwd: PathBuf,
    /// Capability sets; absent means that the sets are left alone for root and emptied by the kernel for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
    /// `setrlimit(2)`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub rlimits: Vec<Rlimit>,
    /// `prctl(PR_SET_NO_NEW_PRIVS)`.
    #[serde(default)]
    pub no_new_privileges: bool,
    /// AppArmor profile to change to at execve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apparmor_profile: Option<String>,
    /// −1000 to 1000, `proc_pid_oom_score_adj(5)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oom_score_adj: Option<i32>,
    /// SELinux label of the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selinux_label: Option<String>,
    /// `sched_setattr(2)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<Scheduler>,
    /// `ioprio_set(2)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub io_priority: Option<IoPriority>,
    /// CPU affinity of exec'd processes only (runtime-spec 1.2).
    #[serde(default, rename = "execCPUAffinity", skip_serializing_if = "Option::is_none")]
    pub exec_cpu_affinity: Option<ExecCpuAffinity>,
}

/// Size of a terminal in characters.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct ConsoleSize {
    /// Rows.
    pub height: u16,
    /// Columns.
    pub width: u16,
}

/// Who the process runs as; numbers only, names are the caller's business.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// User ID in the container's user namespace.
    #[serde(default)]
    pub uid: u32,
    /// Group ID in the container's user namespace.
    #[serde(default)]
    pub gid: u32,
    /// `umask(2)`; 0022 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub umask: Option<u32>,
    /// `setgroups(2)`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub additional_gids: Vec<u32>,
}

/// The five capability sets, names as in `capabilities(7)`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Capabilities {
    /// Bounding set.
    #[serde(default, deserialize_with = "null_as_default")]
    pub bounding: Vec<String>,
    /// Effective set.
    #[serde(default, deserialize_with = "null_as_default")]
    pub effective: Vec<String>,
    /// Inheritable set.
    #[serde(default, deserialize_with = "null_as_default")]
    pub inheritable: Vec<String>,
    /// Permitted set.
    #[serde(default, deserialize_with = "null_as_default")]
    pub permitted: Vec<String>,
    /// Ambient set.
    #[serde(default, deserialize_with = "null_as_default")]
    pub ambient: Vec<String>,
}

/// One resource limit, `getrlimit(2)`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Rlimit {
    /// `RLIMIT_NOFILE` and so on.
    #[serde(rename = "type")]
    pub kind: String,
    /// Soft limit; `u64::MAX` is RLIM_INFINITY.
    pub soft: u64,
    /// Hard limit; `u64::MAX` is RLIM_INFINITY.
    pub hard: u64,
}

/// Scheduling policies, `sched(7)`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(clippy::enum_variant_names, reason = "the specification's and the kernel's names")]
pub enum SchedulerPolicy {
    /// Round-robin time sharing.
    #[default]
    SchedOther,
    /// First-in first-out real time.
    SchedFifo,
    /// Round-robin real time.
    SchedRr,
    /// Batch.
    SchedBatch,
    /// In the kernel's headers, never implemented.
    SchedIso,
    /// Very low priority background.
    SchedIdle,
    /// Earliest deadline first.
    SchedDeadline,
}

/// `struct sched_attr` as the specification spells it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Scheduler {
    /// The policy.
    pub policy: SchedulerPolicy,
    /// −20 to 19, for OTHER and BATCH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nice: Option<i32>,
    /// 1 to 99, for FIFO and RR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    /// `SCHED_FLAG_*`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// Nanoseconds of DEADLINE runtime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<u64>,
    /// Nanoseconds of DEADLINE relative deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<u64>,
    /// Nanoseconds of DEADLINE period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<u64>,
}

/// I/O scheduling class, `ioprio_set(2)`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(clippy::enum_variant_names, reason = "the specification's and the kernel's names")]
pub enum IoPriorityClass {
    /// Real time.
    IoprioClassRt,
    /// Best effort.
    IoprioClassBe,
    /// Idle.
    IoprioClassIdle,
}

/// I/O priority.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct IoPriority {
    /// The class.
    pub class: IoPriorityClass,
    /// 0 (highest) to 7.
    #[serde(default)]
    pub priority: i32,
}

/// CPU lists for `exec`: before and after the process has joined the cgroup.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct ExecCpuAffinity {
    /// Affinity until the process is in the container's cgroup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<String>,
    /// Affinity from then on.
    #[serde(default, rename = "final", skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
}
