//! Figures of the v1 hierarchies.

use super::super::{Hierarchy, knob};
use super::{BlkioEntry, Hugetlb, MemoryEntry, Stats, list, number, page_sizes, table};
use std::path::Path;

pub(super) fn read(hierarchy: &Hierarchy, dir: &Path, stats: &mut Stats) {
    for controller in hierarchy.name().split(',') {
        match controller {
            "cpu" => throttling(dir, stats),
            "cpuacct" => usage(dir, stats),
            "cpuset" => cpuset(dir, stats),
            "memory" => memory(dir, stats),
            "pids" => {
                stats.pids.current = number(dir, "pids.current").unwrap_or(0);
                stats.pids.limit = number(dir, "pids.max").filter(|&limit| limit != u64::MAX).unwrap_or(0);
            }
            "blkio" => blkio(dir, stats),
            "hugetlb" => hugetlb(dir, stats),
            _ => {}
        }
    }
}

fn throttling(dir: &Path, stats: &mut Stats) {
    let table = table(dir, "cpu.stat");
    let get = |key| table.get(key).copied().unwrap_or(0);
    stats.cpu.throttling.periods = get("nr_periods");
    stats.cpu.throttling.throttled_periods = get("nr_throttled");
    stats.cpu.throttling.throttled_time = get("throttled_time");
}

fn usage(dir: &Path, stats: &mut Stats) {
    let usage = &mut stats.cpu.usage;
    usage.total = number(dir, "cpuacct.usage").unwrap_or(0);
    usage.kernel = number(dir, "cpuacct.usage_sys").unwrap_or(0);
    usage.user = number(dir, "cpuacct.usage_user").unwrap_or(0);
    // Header "cpu user system", then a line a CPU.
    let all = knob::get(&dir.join("cpuacct.usage_all")).unwrap_or_default();
    for line in all.lines().skip(1) {
        let mut fields = line.split(' ').skip(1).map(|field| field.parse::<u64>().unwrap_or(0));
        if let (Some(user), Some(kernel)) = (fields.next(), fields.next()) {
            usage.percpu_user.push(user);
            usage.percpu_kernel.push(kernel);
            usage.percpu.push(user + kernel);
        }
    }
}

fn cpuset(dir: &Path, stats: &mut Stats) {
    let text = |file| knob::get(&dir.join(file)).unwrap_or_default();
    let flag = |file| number(dir, file).unwrap_or(0);
    let cpuset = &mut stats.cpuset;
    cpuset.cpus = list(&text("cpuset.cpus"));
    cpuset.mems = list(&text("cpuset.mems"));
    cpuset.cpu_exclusive = flag("cpuset.cpu_exclusive");
    cpuset.mem_hardwall = flag("cpuset.mem_hardwall");
    cpuset.mem_exclusive = flag("cpuset.mem_exclusive");
    cpuset.memory_migrate = flag("cpuset.memory_migrate");
    cpuset.memory_spread_page = flag("cpuset.memory_spread_page");
    cpuset.memory_spread_slab = flag("cpuset.memory_spread_slab");
    cpuset.memory_pressure = flag("cpuset.memory_pressure");
    cpuset.sched_load_balance = flag("cpuset.sched_load_balance");
    cpuset.sched_relax_domain_level = text("cpuset.sched_relax_domain_level").trim().parse().unwrap_or(0);
}

fn memory(dir: &Path, stats: &mut Stats) {
    let entry = |name: &str| MemoryEntry {
        limit: number(dir, &format!("{name}.limit_in_bytes")).unwrap_or(0),
        usage: number(dir, &format!("{name}.usage_in_bytes")).unwrap_or(0),
        max: number(dir, &format!("{name}.max_usage_in_bytes")).unwrap_or(0),
        failcnt: number(dir, &format!("{name}.failcnt")).unwrap_or(0),
    };
    stats.memory.raw = table(dir, "memory.stat");
    stats.memory.cache = stats.memory.raw.get("cache").copied().unwrap_or(0);
    stats.memory.usage = entry("memory");
    stats.memory.swap = entry("memory.memsw");
    stats.memory.kernel = entry("memory.kmem");
    stats.memory.kernel_tcp = entry("memory.kmem.tcp");
}

/// bfq's files where it is in use, else those of throttling, which always count.
fn blkio(dir: &Path, stats: &mut Stats) {
    let read = |names: [&str; 2]| {
        let found = names.iter().map(|name| entries(&knob::get(&dir.join(name)).unwrap_or_default()));
        found.into_iter().find(|entries| !entries.is_empty()).unwrap_or_default()
    };
    stats.blkio.io_service_bytes_recursive =
        read(["blkio.bfq.io_service_bytes_recursive", "blkio.throttle.io_service_bytes_recursive"]);
    stats.blkio.io_serviced_recursive =
        read(["blkio.bfq.io_serviced_recursive", "blkio.throttle.io_serviced_recursive"]);
    stats.blkio.io_queued_recursive = read(["blkio.bfq.io_queued_recursive", "blkio.io_queued_recursive"]);
    stats.blkio.io_service_time_recursive =
        read(["blkio.bfq.io_service_time_recursive", "blkio.io_service_time_recursive"]);
    stats.blkio.io_wait_time_recursive = read(["blkio.bfq.io_wait_time_recursive", "blkio.io_wait_time_recursive"]);
    stats.blkio.io_merged_recursive = read(["blkio.bfq.io_merged_recursive", "blkio.io_merged_recursive"]);
    stats.blkio.io_time_recursive = read(["blkio.bfq.time_recursive", "blkio.time_recursive"]);
    stats.blkio.sectors_recursive = read(["blkio.bfq.sectors_recursive", "blkio.sectors_recursive"]);
}

/// Lines `8:0 Read 4096`, or `8:0 4096`; the last one, `Total 4096`, has no device.
fn entries(text: &str) -> Vec<BlkioEntry> {
    let parse = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (device, op, value) = match fields.as_slice() {
            [device, op, value] => (device, (*op).to_owned(), value),
            [device, value] => (device, String::new(), value),
            _ => return None,
        };
        let (major, minor) = device.split_once(':')?;
        Some(BlkioEntry { major: major.parse().ok()?, minor: minor.parse().ok()?, op, value: value.parse().ok()? })
    };
    text.lines().filter_map(parse).collect()
}

fn hugetlb(dir: &Path, stats: &mut Stats) {
    for size in page_sizes(dir, ".usage_in_bytes") {
        let get = |suffix| number(dir, &format!("hugetlb.{size}.{suffix}")).unwrap_or(0);
        let (usage, max, failcnt) = (get("usage_in_bytes"), get("max_usage_in_bytes"), get("failcnt"));
        stats.hugetlb.insert(size, Hugetlb { usage, max, failcnt });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttle_lines() {
        let found = entries("8:0 Read 4096\n8:0 Write 0\nTotal 4096\n");
        assert_eq!(found[0], BlkioEntry { major: 8, minor: 0, op: "Read".into(), value: 4096 });
        assert_eq!(found.len(), 2);
    }
}
