//! The bundle's `config.json`: the types of OCI runtime-spec 1.3 for Linux, loading, and validation.
//!
//! The types are our own because callers write configurations that stricter libraries refuse: `null` lists (Go's
//! `encoding/json`), capability and rlimit names newer than the library, scheduler flags spelled as in the kernel.

mod default;
mod features;
mod hooks;
mod linux;
mod load;
mod mount;
pub mod names;
mod process;
mod resources;
mod seccomp;
pub mod validate;

pub use default::{default, rootless};
pub use features::{Features, features};
pub use hooks::{Hook, Hooks};
pub use linux::{
    Device, DeviceType, IdMapping, IntelRdt, Linux, MemoryPolicy, MemoryPolicyMode, Namespace, NamespaceType,
    NetDevice, Personality, PersonalityDomain, TimeOffset, TimeOffsets,
};
pub use load::{Error, load, load_process, parse, parse_process, parse_resources, read};
pub use mount::{Mount, Root};
pub use process::{
    Capabilities, ConsoleSize, ExecCpuAffinity, IoPriority, IoPriorityClass, Process, Rlimit, Scheduler,
    SchedulerPolicy, User,
};
pub use resources::{
    BlockIo, Cpu, DeviceRule, HugepageLimit, InterfacePriority, Memory, Network, Pids, Rdma, Resources, ThrottleDevice,
    WeightDevice,
};
pub use seccomp::{Seccomp, SeccompAction, SeccompArch, SeccompArg, SeccompOperator, SeccompSyscall};

use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// A whole `config.json` (runtime-spec `config.md`). Unknown properties are ignored, as the specification demands.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// Version of the specification that the bundle follows; any `1.x` is accepted.
    pub oci_version: String,
    /// The container's root filesystem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<Root>,
    /// The user's process. Needed by `start`, not by `create`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// `sethostname(2)` in the container's UTS namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// `setdomainname(2)` in the container's UTS namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domainname: Option<String>,
    /// Mounts beyond the root, in order.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
    /// Commands at the lifecycle's points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hooks: Option<Hooks>,
    /// Arbitrary metadata; `org.rtrun.*` is ours.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The Linux section.
    #[serde(default, deserialize_with = "null_as_default")]
    pub linux: Linux,
}

/// Reads Go's `null` for an empty list, map or section as the default value.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
