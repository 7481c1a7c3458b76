//! What a container has used, in the shape of runc's `events --stats`, which callers decode into Go structs.

mod v1;
mod v2;

use super::{Cgroup, Error, knob};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The `data` object of a `stats` event.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Stats {
    /// CPU time.
    pub cpu: Cpu,
    /// CPUs and nodes in effect.
    pub cpuset: Cpuset,
    /// Memory.
    pub memory: Memory,
    /// Tasks.
    pub pids: Pids,
    /// Block devices.
    pub blkio: Blkio,
    /// Huge pages by size.
    pub hugetlb: BTreeMap<String, Hugetlb>,
    /// Cache and memory bandwidth of a resctrl group; empty here, as the group is not a cgroup.
    pub intel_rdt: IntelRdt,
    /// Interfaces; runc fills it in for its own bridge only.
    pub network_interfaces: Option<()>,
}

/// CPU time.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Cpu {
    /// Time used.
    pub usage: CpuUsage,
    /// Time refused by the quota.
    pub throttling: Throttling,
    /// Pressure stall information.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<Psi>,
}

/// Nanoseconds of CPU time.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CpuUsage {
    /// In all.
    #[serde(skip_serializing_if = "is_zero")]
    pub total: u64,
    /// By CPU; v1 only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub percpu: Vec<u64>,
    /// In the kernel, by CPU; v1 only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub percpu_kernel: Vec<u64>,
    /// In user mode, by CPU; v1 only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub percpu_user: Vec<u64>,
    /// In the kernel.
    pub kernel: u64,
    /// In user mode.
    pub user: u64,
}

/// What the quota has refused.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Throttling {
    /// Periods passed.
    #[serde(skip_serializing_if = "is_zero")]
    pub periods: u64,
    /// Periods in which the quota was used up.
    #[serde(skip_serializing_if = "is_zero")]
    pub throttled_periods: u64,
    /// Nanoseconds of waiting.
    #[serde(skip_serializing_if = "is_zero")]
    pub throttled_time: u64,
}

/// CPUs and nodes in effect.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Cpuset {
    /// CPUs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cpus: Vec<u16>,
    /// 1 if exclusive.
    pub cpu_exclusive: u64,
    /// Nodes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mems: Vec<u16>,
    /// 1 if kernel allocations are bound too.
    pub mem_hardwall: u64,
    /// 1 if exclusive.
    pub mem_exclusive: u64,
    /// 1 if pages follow a change of nodes.
    pub memory_migrate: u64,
    /// 1 if the page cache is spread.
    pub memory_spread_page: u64,
    /// 1 if slabs are spread.
    pub memory_spread_slab: u64,
    /// Rate of reclaim.
    pub memory_pressure: u64,
    /// 1 if the scheduler balances.
    pub sched_load_balance: u64,
    /// Level of the balancing.
    pub sched_relax_domain_level: i64,
}

/// Memory.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Memory {
    /// Bytes of page cache.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache: u64,
    /// All memory.
    pub usage: MemoryEntry,
    /// Memory and swap.
    pub swap: MemoryEntry,
    /// Kernel memory; v1 only.
    pub kernel: MemoryEntry,
    /// Kernel TCP memory; v1 only.
    #[serde(rename = "kernelTCP")]
    pub kernel_tcp: MemoryEntry,
    /// `memory.stat`.
    pub raw: BTreeMap<String, u64>,
    /// Pressure stall information.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<Psi>,
}

/// One account of memory, bytes.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct MemoryEntry {
    /// Most that may be used; the greatest number if unlimited.
    pub limit: u64,
    /// Used now.
    #[serde(skip_serializing_if = "is_zero")]
    pub usage: u64,
    /// Most that was used.
    #[serde(skip_serializing_if = "is_zero")]
    pub max: u64,
    /// How often the limit was hit.
    pub failcnt: u64,
}

/// Tasks.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Pids {
    /// How many there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub current: u64,
    /// How many there may be; 0 if unlimited.
    #[serde(skip_serializing_if = "is_zero")]
    pub limit: u64,
}

/// Block devices.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Blkio {
    /// Bytes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_service_bytes_recursive: Vec<BlkioEntry>,
    /// Requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_serviced_recursive: Vec<BlkioEntry>,
    /// Requests that wait.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_queued_recursive: Vec<BlkioEntry>,
    /// Nanoseconds of service.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_service_time_recursive: Vec<BlkioEntry>,
    /// Nanoseconds of waiting.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_wait_time_recursive: Vec<BlkioEntry>,
    /// Requests merged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_merged_recursive: Vec<BlkioEntry>,
    /// Milliseconds of disk time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_time_recursive: Vec<BlkioEntry>,
    /// Sectors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sectors_recursive: Vec<BlkioEntry>,
    /// Pressure stall information.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<Psi>,
}

/// One figure of a block device.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct BlkioEntry {
    /// Major number.
    #[serde(skip_serializing_if = "is_zero")]
    pub major: u64,
    /// Minor number.
    #[serde(skip_serializing_if = "is_zero")]
    pub minor: u64,
    /// `Read`, `Write`, …
    #[serde(skip_serializing_if = "String::is_empty")]
    pub op: String,
    /// The figure.
    #[serde(skip_serializing_if = "is_zero")]
    pub value: u64,
}

/// Huge pages of one size, bytes.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Hugetlb {
    /// Used now.
    #[serde(skip_serializing_if = "is_zero")]
    pub usage: u64,
    /// Most that was used.
    #[serde(skip_serializing_if = "is_zero")]
    pub max: u64,
    /// How often the limit was hit.
    pub failcnt: u64,
}

/// Pressure stall information (`Documentation/accounting/psi.rst`).
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Psi {
    /// At least one task waited.
    pub some: PsiData,
    /// All tasks waited.
    pub full: PsiData,
}

/// One line of a pressure file.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct PsiData {
    /// Percent of the last 10 s.
    pub avg10: f64,
    /// Percent of the last 60 s.
    pub avg60: f64,
    /// Percent of the last 300 s.
    pub avg300: f64,
    /// Microseconds in all.
    pub total: u64,
}

/// A resctrl group's figures.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct IntelRdt {}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Every figure that this host has; a file that is not there leaves its figures at zero.
pub(super) fn read(cgroup: &Cgroup) -> Result<Stats, Error> {
    let directories: Vec<_> = cgroup.hierarchies.iter().map(|hierarchy| (hierarchy, hierarchy.directory())).collect();
    if !directories.iter().any(|(_, directory)| directory.exists()) {
        return Err(Error::Absent("no figures"));
    }
    let mut stats = Stats::default();
    for (hierarchy, directory) in &directories {
        if hierarchy.name.is_empty() {
            v2::read(directory, cgroup.unified, &mut stats);
        } else {
            v1::read(hierarchy, directory, &mut stats);
        }
    }
    Ok(stats)
}

/// A single number; `max` is the greatest.
fn number(directory: &Path, file: &str) -> Option<u64> {
    let text = knob::get(&directory.join(file)).ok()?;
    match text.trim() {
        "max" => Some(u64::MAX),
        text => text.parse().ok(),
    }
}

/// Lines of `key value`.
fn table(directory: &Path, file: &str) -> BTreeMap<String, u64> {
    let text = knob::get(&directory.join(file)).unwrap_or_default();
    let pair = |line: &str| line.split_once(' ').and_then(|(key, value)| Some((key.to_owned(), value.parse().ok()?)));
    text.lines().filter_map(pair).collect()
}

/// `0-2,5` as numbers.
fn list(text: &str) -> Vec<u16> {
    let mut numbers = Vec::new();
    for range in text.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        if let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) {
            numbers.extend(first..=last);
        }
    }
    numbers
}

/// The page sizes of the cgroup: names of the files `hugetlb.<size>.<suffix>`.
fn page_sizes(directory: &Path, suffix: &str) -> Vec<String> {
    let names = std::fs::read_dir(directory).into_iter().flatten().flatten();
    names
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let size = name.strip_prefix("hugetlb.")?.strip_suffix(suffix)?;
            (!size.contains('.')).then(|| size.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_expand() {
        assert_eq!(list("0-2,5\n"), [0, 1, 2, 5]);
        assert!(list("\n").is_empty());
    }

    /// The keys that runc's `types.Stats` has, with what Go leaves out at zero left out.
    #[test]
    fn the_shape_is_runcs() {
        let mut stats = Stats::default();
        stats.memory.usage.limit = u64::MAX;
        let json = serde_json::to_value(&stats).unwrap();
        assert_eq!(json["cpu"]["usage"], serde_json::json!({"kernel": 0, "user": 0}));
        assert_eq!(json["memory"]["usage"], serde_json::json!({"limit": u64::MAX, "failcnt": 0}));
        assert!(json["memory"]["kernelTCP"].is_object() && json["pids"].is_object() && json["hugetlb"].is_object());
        assert!(json["intel_rdt"].is_object() && json["network_interfaces"].is_null());
    }
}
