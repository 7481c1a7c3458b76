use super::{Resources, Seccomp, null_as_default};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The Linux section (`config-linux.md`).
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Linux {
    /// Namespaces to create or join; the others are the caller's.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<Namespace>,
    /// User namespace mapping.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub uid_mappings: Vec<IdMapping>,
    /// User namespace mapping.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub gid_mappings: Vec<IdMapping>,
    /// `time_namespaces(7)` offsets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_offsets: Option<TimeOffsets>,
    /// Device nodes to make besides the default ones.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
    /// Network devices to move into the container's network namespace, by host name (runtime-spec 1.3).
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub net_devices: BTreeMap<String, NetDevice>,
    /// Path of the cgroup, manager-dependent; absent means one of our choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroups_path: Option<String>,
    /// Limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Resource director technology.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intel_rdt: Option<IntelRdt>,
    /// NUMA memory policy (runtime-spec 1.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_policy: Option<MemoryPolicy>,
    /// Kernel parameters by dotted name.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub sysctl: BTreeMap<String, String>,
    /// System call filter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<Seccomp>,
    /// Propagation of the root mount: shared, slave, private, unbindable, with `r` for recursive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rootfs_propagation: Option<String>,
    /// Paths hidden from the container.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub masked_paths: Vec<PathBuf>,
    /// Paths made read-only in the container.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub readonly_paths: Vec<PathBuf>,
    /// SELinux label of the mounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount_label: Option<String>,
    /// `personality(2)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personality: Option<Personality>,
}

/// The eight kinds of `namespaces(7)`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NamespaceType {
    /// Process IDs.
    Pid,
    /// Network stack.
    Network,
    /// Mount table.
    Mount,
    /// System V IPC and POSIX message queues.
    Ipc,
    /// Host and domain name.
    Uts,
    /// User and group IDs.
    User,
    /// Cgroup root.
    Cgroup,
    /// Boot and monotonic clocks.
    Time,
}

/// One namespace.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Namespace {
    /// Which kind.
    #[serde(rename = "type")]
    pub kind: NamespaceType,
    /// An existing one to join, absolute; absent or empty makes a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
}

/// A line of `uid_map` or `gid_map`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IdMapping {
    /// First ID inside.
    #[serde(rename = "containerID")]
    pub container_id: u32,
    /// First ID outside.
    #[serde(rename = "hostID")]
    pub host_id: u32,
    /// How many.
    pub size: u32,
}

/// Offsets of the time namespace's clocks.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct TimeOffsets {
    /// CLOCK_MONOTONIC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monotonic: Option<TimeOffset>,
    /// CLOCK_BOOTTIME.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boottime: Option<TimeOffset>,
}

/// One clock's offset.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct TimeOffset {
    /// Whole seconds, may be negative.
    #[serde(default)]
    pub secs: i64,
    /// Nanoseconds, 0 to 999,999,999.
    #[serde(default)]
    pub nanosecs: u32,
}

/// Kinds of device nodes, `mknod(1)`'s letters.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum DeviceType {
    /// All kinds; in cgroup rules only.
    #[serde(rename = "a")]
    All,
    /// Block.
    #[serde(rename = "b")]
    Block,
    /// Character.
    #[serde(rename = "c")]
    Char,
    /// Unbuffered character, the same as `c` on Linux.
    #[serde(rename = "u")]
    Unbuffered,
    /// FIFO.
    #[serde(rename = "p")]
    Fifo,
}

/// A device node to make in the container.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// Path inside the container.
    pub path: PathBuf,
    /// Kind of node.
    #[serde(rename = "type")]
    pub kind: DeviceType,
    /// Major number; not for FIFOs.
    #[serde(default)]
    pub major: i64,
    /// Minor number; not for FIFOs.
    #[serde(default)]
    pub minor: i64,
    /// Permission bits; 0666 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_mode: Option<u32>,
    /// Owner inside the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Group inside the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
}

/// What a moved network device is called inside.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct NetDevice {
    /// Name inside the container; absent keeps the host's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// `resctrl` group of the container (`config-linux.md`, IntelRdt).
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IntelRdt {
    /// Name of the class of service; absent means the container's ID.
    #[serde(default, rename = "closID", skip_serializing_if = "Option::is_none")]
    pub clos_id: Option<String>,
    /// Lines for the `schemata` file (runtime-spec 1.3).
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub schemata: Vec<String>,
    /// `L3:` line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l3_cache_schema: Option<String>,
    /// `MB:` line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mem_bw_schema: Option<String>,
    /// Make a monitoring group (runtime-spec 1.3).
    #[serde(default)]
    pub enable_monitoring: bool,
}

/// Modes of `set_mempolicy(2)`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(clippy::enum_variant_names, reason = "the specification's and the kernel's names")]
pub enum MemoryPolicyMode {
    /// MPOL_DEFAULT.
    MpolDefault,
    /// MPOL_BIND.
    MpolBind,
    /// MPOL_INTERLEAVE.
    MpolInterleave,
    /// MPOL_WEIGHTED_INTERLEAVE.
    MpolWeightedInterleave,
    /// MPOL_PREFERRED.
    MpolPreferred,
    /// MPOL_PREFERRED_MANY.
    MpolPreferredMany,
    /// MPOL_LOCAL.
    MpolLocal,
}

/// NUMA memory policy.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct MemoryPolicy {
    /// The mode.
    pub mode: MemoryPolicyMode,
    /// Nodes in list format.
    #[serde(default)]
    pub nodes: String,
    /// `MPOL_F_*`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
}

/// Execution domains of `personality(2)`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum PersonalityDomain {
    /// PER_LINUX.
    #[serde(rename = "LINUX")]
    Linux,
    /// PER_LINUX32.
    #[serde(rename = "LINUX32")]
    Linux32,
}

/// `personality(2)`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Personality {
    /// The domain.
    pub domain: PersonalityDomain,
    /// None is defined by the specification as yet.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
}
