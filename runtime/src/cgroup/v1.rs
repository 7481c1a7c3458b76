//! Limits as the files of cgroup v1 (`Documentation/admin-guide/cgroup-v1/`).

use super::setting::Setting;
use super::{Error, knob};
use crate::spec::{BlockIo, Cpu, HugepageLimit, Memory, Network, Pids, Resources};
use std::path::Path;

/// What `resources` asks for. Zero means "not set" where Go callers can't say it otherwise (runc's rule).
pub(super) fn settings(resources: &Resources) -> Vec<Setting> {
    let mut out = Vec::new();
    if let Some(cpu) = &resources.cpu {
        self::cpu(cpu, &mut out);
    }
    if let Some(memory) = &resources.memory {
        self::memory(memory, &mut out);
    }
    if let Some(pids) = &resources.pids {
        self::pids(pids, &mut out);
    }
    if let Some(block_io) = &resources.block_io {
        blkio(block_io, &mut out);
    }
    resources.hugepage_limits.iter().for_each(|limit| hugetlb(limit, &mut out));
    if let Some(network) = &resources.network {
        self::network(network, &mut out);
    }
    rdma(resources, &mut out);
    out
}

/// The files that both versions have.
pub(super) fn cpuset(cpu: &Cpu, out: &mut Vec<Setting>) {
    let lists = [
        (&cpu.cpus, "linux.resources.cpu.cpus", "cpuset.cpus"),
        (&cpu.mems, "linux.resources.cpu.mems", "cpuset.mems"),
    ];
    for (list, field, file) in lists {
        if let Some(list) = list.as_ref().filter(|list| !list.is_empty()) {
            out.push(Setting::new("cpuset", field, file, list));
        }
    }
}

fn cpu(cpu: &Cpu, out: &mut Vec<Setting>) {
    cpuset(cpu, out);
    let mut set = |controller, field, file, value: String| out.push(Setting::new(controller, field, file, value));
    // The kernel refuses a weight for an idle group, whose weight is fixed.
    if let Some(shares) = cpu.shares.filter(|&shares| shares != 0 && cpu.idle != Some(1)) {
        set("cpu", "linux.resources.cpu.shares", "cpu.shares", shares.to_string());
    }
    if let Some(period) = cpu.period.filter(|&period| period != 0) {
        set("cpu", "linux.resources.cpu.period", "cpu.cfs_period_us", period.to_string());
    }
    if let Some(quota) = cpu.quota.filter(|&quota| quota != 0) {
        set("cpu", "linux.resources.cpu.quota", "cpu.cfs_quota_us", quota.to_string());
    }
    if let Some(burst) = cpu.burst {
        set("cpu", "linux.resources.cpu.burst", "cpu.cfs_burst_us", burst.to_string());
    }
    if let Some(period) = cpu.realtime_period.filter(|&period| period != 0) {
        set("cpu", "linux.resources.cpu.realtimePeriod", "cpu.rt_period_us", period.to_string());
    }
    if let Some(idle) = cpu.idle {
        let setting = Setting::new("cpu", "linux.resources.cpu.idle", "cpu.idle", idle);
        out.push(setting.moot_if(idle == 0));
    }
}

fn memory(memory: &Memory, out: &mut Vec<Setting>) {
    let limit = memory.limit.filter(|&limit| limit != 0);
    // Without a limit on memory there can be none on memory and swap together.
    let swap = memory.swap.filter(|&swap| swap != 0).or(limit.filter(|&limit| limit < 0));
    let mut set = |field, file, value: i64| {
        out.push(Setting::new("memory", field, file, value).moot_if(value == -1));
    };
    if let Some(limit) = limit {
        set("linux.resources.memory.limit", "memory.limit_in_bytes", limit);
    }
    if let Some(swap) = swap {
        set("linux.resources.memory.swap", "memory.memsw.limit_in_bytes", swap);
    }
    if let Some(reservation) = memory.reservation.filter(|&reservation| reservation != 0) {
        set("linux.resources.memory.reservation", "memory.soft_limit_in_bytes", reservation);
    }
    if let Some(tcp) = memory.kernel_tcp.filter(|&tcp| tcp != 0) {
        set("linux.resources.memory.kernelTCP", "memory.kmem.tcp.limit_in_bytes", tcp);
    }
    if let Some(swappiness) = memory.swappiness {
        out.push(Setting::new("memory", "linux.resources.memory.swappiness", "memory.swappiness", swappiness));
    }
    if let Some(disable) = memory.disable_oom_killer {
        let value = u8::from(disable);
        let setting = Setting::new("memory", "linux.resources.memory.disableOOMKiller", "memory.oom_control", value);
        out.push(setting.moot_if(!disable));
    }
    if let Some(hierarchical) = memory.use_hierarchy {
        let value = u8::from(hierarchical);
        let setting = Setting::new("memory", "linux.resources.memory.useHierarchy", "memory.use_hierarchy", value);
        out.push(setting.moot_if(hierarchical));
    }
}

/// As in both versions.
pub(super) fn pids(pids: &Pids, out: &mut Vec<Setting>) {
    match pids.limit {
        None | Some(0) => {}
        Some(limit) if limit < 0 => {
            out.push(Setting::new("pids", "linux.resources.pids.limit", "pids.max", "max").moot_if(true));
        }
        Some(limit) => out.push(Setting::new("pids", "linux.resources.pids.limit", "pids.max", limit)),
    }
}

fn blkio(io: &BlockIo, out: &mut Vec<Setting>) {
    if let Some(weight) = io.weight.filter(|&weight| weight != 0) {
        let setting = Setting::new("blkio", "linux.resources.blockIO.weight", "blkio.bfq.weight", weight);
        out.push(setting.or("blkio.weight", weight));
    }
    if let Some(weight) = io.leaf_weight.filter(|&weight| weight != 0) {
        out.push(Setting::new("blkio", "linux.resources.blockIO.leafWeight", "blkio.leaf_weight", weight));
    }
    for device in &io.weight_device {
        let (major, minor) = (device.major, device.minor);
        if let Some(weight) = device.weight.filter(|&weight| weight != 0) {
            let (field, line) = ("linux.resources.blockIO.weightDevice", format!("{major}:{minor} {weight}"));
            let setting = Setting::new("blkio", field, "blkio.bfq.weight_device", &line);
            out.push(setting.or("blkio.weight_device", line));
        }
        if let Some(weight) = device.leaf_weight.filter(|&weight| weight != 0) {
            let line = format!("{major}:{minor} {weight}");
            let field = "linux.resources.blockIO.weightDevice.leafWeight";
            out.push(Setting::new("blkio", field, "blkio.leaf_weight_device", line));
        }
    }
    let throttles = [
        (&io.throttle_read_bps_device, "throttleReadBpsDevice", "blkio.throttle.read_bps_device"),
        (&io.throttle_write_bps_device, "throttleWriteBpsDevice", "blkio.throttle.write_bps_device"),
        (&io.throttle_read_iops_device, "throttleReadIOPSDevice", "blkio.throttle.read_iops_device"),
        (&io.throttle_write_iops_device, "throttleWriteIOPSDevice", "blkio.throttle.write_iops_device"),
    ];
    for (devices, field, file) in throttles {
        for device in devices {
            let line = format!("{}:{} {}", device.major, device.minor, device.rate);
            out.push(Setting::new("blkio", format!("linux.resources.blockIO.{field}"), file, line));
        }
    }
}

fn hugetlb(limit: &HugepageLimit, out: &mut Vec<Setting>) {
    let size = &limit.page_size;
    let field = format!("linux.resources.hugepageLimits[{size}]");
    out.push(Setting::new("hugetlb", field.clone(), format!("hugetlb.{size}.limit_in_bytes"), limit.limit));
    // Kernels before 5.7 have no separate limit for reservations.
    let reserved = Setting::new("hugetlb", field, format!("hugetlb.{size}.rsvd.limit_in_bytes"), limit.limit);
    out.push(reserved.moot_if(true));
}

fn network(network: &Network, out: &mut Vec<Setting>) {
    if let Some(class) = network.class_id.filter(|&class| class != 0) {
        out.push(Setting::new("net_cls", "linux.resources.network.classID", "net_cls.classid", class));
    }
    for priority in &network.priorities {
        let line = format!("{} {}", priority.name, priority.priority);
        out.push(Setting::new("net_prio", "linux.resources.network.priorities", "net_prio.ifpriomap", line));
    }
}

/// The same file and syntax in v1 and v2.
pub(super) fn rdma(resources: &Resources, out: &mut Vec<Setting>) {
    for (device, limit) in &resources.rdma {
        let mut line = device.clone();
        if let Some(handles) = limit.hca_handles {
            line.push_str(&format!(" hca_handle={handles}"));
        }
        if let Some(objects) = limit.hca_objects {
            line.push_str(&format!(" hca_object={objects}"));
        }
        out.push(Setting::new("rdma", format!("linux.resources.rdma[{device}]"), "rdma.max", line));
    }
}

/// A v1 cpuset is born without CPUs and nodes, and can take no process until it has both: they are the parent's.
/// With `cgroup.clone_children` on the parent, which [`clone_children`] sets on those of our making, the kernel
/// has done this already.
pub(super) fn inherit_cpuset(dir: &Path, mountpoint: &Path) -> Result<(), Error> {
    if inherit(dir, mountpoint, "cpuset.cpus")?.inherited {
        inherit(dir, mountpoint, "cpuset.mems")?;
    }
    Ok(())
}

struct Inheritance {
    value: String,
    inherited: bool,
}

fn inherit(dir: &Path, mountpoint: &Path, file: &str) -> Result<Inheritance, Error> {
    let value = knob::read_text(dir.join(file))?.trim().to_owned();
    match dir.parent() {
        Some(parent) if value.is_empty() && dir != mountpoint => {
            let value = inherit(parent, mountpoint, file)?.value;
            knob::write_text(dir.join(file), &value)?;
            Ok(Inheritance { value, inherited: true })
        }
        _ => Ok(Inheritance { value, inherited: false }),
    }
}

/// Makes the children of a cpuset inherit at mkdir, which saves each container six system calls.
pub(super) fn clone_children(dir: &Path) -> Result<(), Error> {
    knob::write_text(dir.join("cgroup.clone_children"), "1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::parse_resources;

    fn lines(json: &str) -> Vec<String> {
        let resources = parse_resources(json.as_bytes(), "test").unwrap();
        settings(&resources).iter().map(|s| format!("{}={}", s.writes[0].0, s.writes[0].1)).collect()
    }

    #[test]
    fn zero_is_unset() {
        let json = r#"{"memory":{"limit":0,"swap":0},"cpu":{"shares":0,"quota":0,"period":0,"cpus":""},
            "pids":{"limit":0},"blockIO":{"weight":0},"network":{"classID":0}}"#;
        assert!(lines(json).is_empty(), "{:?}", lines(json));
    }

    #[test]
    fn no_memory_limit_lifts_swap_too() {
        assert_eq!(lines(r#"{"memory":{"limit":-1}}"#), ["memory.limit_in_bytes=-1", "memory.memsw.limit_in_bytes=-1"]);
    }

    #[test]
    fn idle_group_takes_no_weight() {
        assert_eq!(lines(r#"{"cpu":{"shares":512,"idle":1}}"#), ["cpu.idle=1"]);
        assert_eq!(lines(r#"{"cpu":{"shares":512,"idle":0}}"#), ["cpu.shares=512", "cpu.idle=0"]);
    }

    #[test]
    fn each_throttle_is_a_line() {
        let json = r#"{"blockIO":{"throttleReadIOPSDevice":[{"major":8,"minor":0,"rate":9}]},
            "rdma":{"mlx5_1":{"hcaHandles":3,"hcaObjects":4}},"pids":{"limit":-1}}"#;
        assert_eq!(
            lines(json),
            ["pids.max=max", "blkio.throttle.read_iops_device=8:0 9", "rdma.max=mlx5_1 hca_handle=3 hca_object=4"]
        );
    }
}
