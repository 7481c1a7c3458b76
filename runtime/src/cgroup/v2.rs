//! Limits as the files of cgroup v2 (`Documentation/admin-guide/cgroup-v2.rst`), and the enabling of controllers.

use super::setting::Setting;
use super::{Error, knob, v1};
use crate::spec::{BlockIo, Cpu, HugepageLimit, Memory, Resources};
use std::borrow::Cow;
use std::path::Path;

/// What `resources` asks for, v1's units converted. Zero means "not set" as in [`v1::settings`].
pub(super) fn settings(resources: &Resources) -> Vec<Setting> {
    let mut out = Vec::new();
    if let Some(cpu) = &resources.cpu {
        self::cpu(cpu, &mut out);
    }
    if let Some(memory) = &resources.memory {
        self::memory(memory, &mut out);
    }
    if let Some(pids) = &resources.pids {
        v1::pids(pids, &mut out);
    }
    if let Some(block_io) = &resources.block_io {
        io(block_io, &mut out);
    }
    resources.hugepage_limits.iter().for_each(|limit| hugetlb(limit, &mut out));
    if let Some(network) = &resources.network {
        let reason = "cgroup v2 has no such controller; mark packets with iptables or nftables by cgroup path";
        if network.class_id.is_some_and(|class| class != 0) {
            out.push(Setting::impossible("net_cls", "linux.resources.network.classID", reason));
        }
        if !network.priorities.is_empty() {
            out.push(Setting::impossible("net_prio", "linux.resources.network.priorities", reason));
        }
    }
    v1::rdma(resources, &mut out);
    out
}

/// `linux.resources.unified`: file names as they are, each in the tree that is mounted as v2.
pub(super) fn unified(resources: &Resources) -> Result<Vec<Setting>, Error> {
    let setting = |(file, value): (&String, &String)| {
        let field = format!("linux.resources.unified[{file}]");
        if file.contains('/') || !file.contains('.') {
            return Err(Error::unsupported(field, "not the name of a cgroup v2 file"));
        }
        Ok(Setting::new("", field, file.clone(), value))
    };
    resources.unified.iter().map(setting).collect()
}

fn cpu(cpu: &Cpu, out: &mut Vec<Setting>) {
    v1::cpuset(cpu, out);
    let mut set = |controller, field, file, value: String| out.push(Setting::new(controller, field, file, value));
    // The kernel refuses a weight for an idle group, whose weight is fixed.
    if let Some(shares) = cpu.shares.filter(|&shares| shares != 0 && cpu.idle != Some(1)) {
        set("cpu", "linux.resources.cpu.shares", "cpu.weight", cpu_weight(shares).to_string());
    }
    let (quota, period) = (cpu.quota.filter(|&quota| quota != 0), cpu.period.filter(|&period| period != 0));
    if quota.is_some() || period.is_some() {
        let field = if quota.is_some() { "linux.resources.cpu.quota" } else { "linux.resources.cpu.period" };
        set("cpu", field, "cpu.max", cpu_max(quota, period));
    }
    if let Some(burst) = cpu.burst {
        set("cpu", "linux.resources.cpu.burst", "cpu.max.burst", burst.to_string());
    }
    if let Some(idle) = cpu.idle {
        let setting = Setting::new("cpu", "linux.resources.cpu.idle", "cpu.idle", idle);
        out.push(setting.moot_if(idle == 0));
    }
    let reason = "cgroup v2 has no real-time bandwidth; real-time tasks share kernel.sched_rt_runtime_us";
    if cpu.realtime_runtime.is_some_and(|runtime| runtime != 0) {
        out.push(Setting::impossible("cpu", "linux.resources.cpu.realtimeRuntime", reason));
    }
    if cpu.realtime_period.is_some_and(|period| period != 0) {
        out.push(Setting::impossible("cpu", "linux.resources.cpu.realtimePeriod", reason));
    }
}

/// `cpu.weight` (1 to 10,000) of `cpu.shares` (2 to 262,144): the quadratic in log2 that runc 1.4 and crun 1.23 use,
/// through (2, 1), (1024, 100) and (262144, 10000), so that the default stays the default.
pub(super) fn cpu_weight(shares: u64) -> u64 {
    match shares {
        0..=2 => 1,
        262_144.. => 10_000,
        _ => {
            let log = (shares as f64).log2();
            let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;

            10f64.powf(exponent).ceil() as u64
        }
    }
}

fn cpu_max(quota: Option<i64>, period: Option<u64>) -> String {
    let quota = quota.filter(|&quota| quota > 0).map_or_else(|| "max".to_owned(), |quota| quota.to_string());
    match period {
        Some(period) => format!("{quota} {period}"),
        None => quota,
    }
}

fn memory(memory: &Memory, out: &mut Vec<Setting>) {
    let limit = memory.limit.filter(|&limit| limit != 0);
    let mut set = |field, file, value: i64| {
        let text = if value < 0 { "max".to_owned() } else { value.to_string() };
        out.push(Setting::new("memory", field, file, text).moot_if(value < 0));
    };
    if let Some(limit) = limit {
        set("linux.resources.memory.limit", "memory.max", limit);
    }
    match (limit, memory.swap.filter(|&swap| swap != 0)) {
        (Some(limit), Some(swap)) if limit > 0 && swap >= limit => {
            let setting = Setting::new("memory", "linux.resources.memory.swap", "memory.swap.max", swap - limit);
            // Without swap in the kernel, none is used.
            out.push(setting.moot_if(swap == limit));
        }
        (Some(limit), None) if limit < 0 => set("linux.resources.memory.swap", "memory.swap.max", -1),
        (_, Some(swap)) if swap < 0 => set("linux.resources.memory.swap", "memory.swap.max", -1),
        (_, None) => {}
        (None, Some(_)) => {
            let reason = "counts memory and swap together: on cgroup v2 it needs linux.resources.memory.limit";
            out.push(Setting::impossible("memory", "linux.resources.memory.swap", reason));
        }
        (Some(_), Some(_)) => {
            let reason = "counts memory and swap together: it can't be less than linux.resources.memory.limit";
            out.push(Setting::impossible("memory", "linux.resources.memory.swap", reason));
        }
    }
    if let Some(reservation) = memory.reservation.filter(|&reservation| reservation != 0) {
        let text = if reservation < 0 { "max".to_owned() } else { reservation.to_string() };
        out.push(Setting::new("memory", "linux.resources.memory.reservation", "memory.low", text));
    }
    let mut impossible = |asked: bool, field, reason| {
        if asked {
            out.push(Setting::impossible("memory", field, reason));
        }
    };
    impossible(
        memory.kernel_tcp.is_some_and(|tcp| tcp > 0),
        "linux.resources.memory.kernelTCP",
        "cgroup v2 counts it in memory.max",
    );
    impossible(
        memory.swappiness.is_some(),
        "linux.resources.memory.swappiness",
        "cgroup v2 has no swappiness of a cgroup; use linux.resources.memory.swap",
    );
    impossible(
        memory.disable_oom_killer == Some(true),
        "linux.resources.memory.disableOOMKiller",
        "cgroup v2 can't turn the OOM killer off",
    );
    impossible(
        memory.use_hierarchy == Some(false),
        "linux.resources.memory.useHierarchy",
        "cgroup v2 is always hierarchical",
    );
}

/// `io.weight` (1 to 10,000) of `blkio.weight` (10 to 1,000), linear, as the kernel's documentation of v1 suggests and
/// runc and crun do.
pub(super) fn io_weight(weight: u16) -> u64 {
    1 + (u64::from(weight.clamp(10, 1000)) - 10) * 9999 / 990
}

fn io(io: &BlockIo, out: &mut Vec<Setting>) {
    if let Some(weight) = io.weight.filter(|&weight| weight != 0) {
        let setting = Setting::new("blkio", "linux.resources.blockIO.weight", "io.bfq.weight", weight);
        out.push(setting.or("io.weight", io_weight(weight)));
    }
    if io.leaf_weight.is_some_and(|weight| weight != 0) {
        let reason = "cgroup v2 has no leaf weight";
        out.push(Setting::impossible("blkio", "linux.resources.blockIO.leafWeight", reason));
    }
    for device in &io.weight_device {
        let (major, minor) = (device.major, device.minor);
        if let Some(weight) = device.weight.filter(|&weight| weight != 0) {
            let field = "linux.resources.blockIO.weightDevice";
            let setting = Setting::new("blkio", field, "io.bfq.weight", format!("{major}:{minor} {weight}"));
            out.push(setting.or("io.weight", format!("{major}:{minor} {}", io_weight(weight))));
        }
    }
    let throttles = [
        (&io.throttle_read_bps_device, "throttleReadBpsDevice", "rbps"),
        (&io.throttle_write_bps_device, "throttleWriteBpsDevice", "wbps"),
        (&io.throttle_read_iops_device, "throttleReadIOPSDevice", "riops"),
        (&io.throttle_write_iops_device, "throttleWriteIOPSDevice", "wiops"),
    ];
    for (devices, field, key) in throttles {
        for device in devices {
            let rate = if device.rate == 0 { "max".to_owned() } else { device.rate.to_string() };
            let line = format!("{}:{} {key}={rate}", device.major, device.minor);
            out.push(Setting::new("blkio", format!("linux.resources.blockIO.{field}"), "io.max", line));
        }
    }
}

fn hugetlb(limit: &HugepageLimit, out: &mut Vec<Setting>) {
    let size = &limit.page_size;
    let field = format!("linux.resources.hugepageLimits[{size}]");
    out.push(Setting::new("hugetlb", field.clone(), format!("hugetlb.{size}.max"), limit.limit));
    // Kernels before 5.7 have no separate limit for reservations.
    out.push(Setting::new("hugetlb", field, format!("hugetlb.{size}.rsvd.max"), limit.limit).moot_if(true));
}

/// Enables on every ancestor of `path` what the root of the tree has. What can't be enabled (real-time tasks outside
/// the root stop `cpu`, an undelegated parent stops all) is left out here and named by the limit that needs it.
pub(super) fn enable_controllers(mountpoint: &Path, path: &Path) -> Result<(), Error> {
    let available = knob::read_text(mountpoint.join("cgroup.controllers"))?;
    if knob::read_text(mountpoint.join(path).join("cgroup.controllers"))? == available {
        return Ok(());
    }
    let all: Vec<String> = available.split_whitespace().map(|controller| format!("+{controller}")).collect();
    let mut dir = mountpoint.to_owned();
    for component in path.components() {
        let file = dir.join("cgroup.subtree_control");
        if knob::set(&file, &all.join(" ")).is_err() {
            // One that is refused must not take the others with it.
            let _ = all.iter().map(|one| knob::set(&file, one)).filter(Result::is_ok).count();
        }
        dir.push(component);
    }
    Ok(())
}

/// An invalid partition is no error of write(2): the kernel says so in the file.
pub(super) fn check_partition(dir: &Path, resources: &Resources) -> Result<(), Error> {
    const FILE: &str = "cpuset.cpus.partition";
    if !resources.unified.contains_key(FILE) {
        return Ok(());
    }
    let state = knob::read_text(dir.join(FILE))?;
    if state.contains("invalid") {
        return Err(Error::unsupported(format!("linux.resources.unified[{FILE}]"), state.trim()));
    }
    Ok(())
}

/// `checkBeforeUpdate`: v1 refuses a limit below the present use, v2 would kill.
pub(super) fn check_memory(dir: &Path, resources: &Resources) -> Result<(), Error> {
    let Some(memory) = resources.memory.as_ref().filter(|memory| memory.check_before_update == Some(true)) else {
        return Ok(());
    };
    let used = knob::read_text(dir.join("memory.current"))?;
    match (memory.limit, used.trim().parse::<i64>()) {
        (Some(limit), Ok(used)) if limit > 0 && limit < used => Err(Error::unsupported(
            "linux.resources.memory.limit",
            format!("{limit} is less than the {used} bytes in use"),
        )),
        _ => Ok(()),
    }
}

/// Of a quota and a period one may be updated alone, but `cpu.max` is both: the other one is taken from the file.
pub(super) fn complete_quota(dir: &Path, resources: &mut Cow<Resources>) -> Result<(), Error> {
    let Some(cpu) = &resources.cpu else { return Ok(()) };
    let given = |value: Option<i64>| value.is_some_and(|value| value != 0);
    let (has_quota, has_period) = (given(cpu.quota), cpu.period.is_some_and(|period| period != 0));
    if has_quota == has_period {
        return Ok(());
    }
    let (quota, period) = quota_and_period(&knob::read_text(dir.join("cpu.max"))?);
    if let Some(cpu) = &mut resources.to_mut().cpu {
        if has_quota {
            cpu.period = period;
        } else {
            cpu.quota = quota;
        }
    }
    Ok(())
}

/// What `cpu.max` says, no quota being -1 as in config.json.
fn quota_and_period(text: &str) -> (Option<i64>, Option<u64>) {
    let mut words = text.split_whitespace();
    let quota = words.next().and_then(|word| if word == "max" { Some(-1) } else { word.parse().ok() });
    (quota, words.next().and_then(|word| word.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_half_of_cpu_max_that_is_not_updated_stays() {
        let dir = std::env::temp_dir().join(format!("rtrun-cpu-max-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let updated = |file: &str, json: &str| {
            std::fs::write(dir.join("cpu.max"), file).unwrap();
            let resources = parse_resources(json.as_bytes(), "test").unwrap();
            let mut resources = Cow::Borrowed(&resources);
            complete_quota(&dir, &mut resources).unwrap();
            let cpu = resources.cpu.clone().unwrap_or_default();
            (cpu.quota, cpu.period)
        };
        assert_eq!(updated("10000 100000\n", r#"{"cpu":{"period":50000}}"#), (Some(10_000), Some(50_000)));
        assert_eq!(updated("max 100000\n", r#"{"cpu":{"period":50000}}"#), (Some(-1), Some(50_000)));
        assert_eq!(updated("max 70000\n", r#"{"cpu":{"quota":-1}}"#), (Some(-1), Some(70_000)));
        assert_eq!(updated("10000 100000\n", r#"{"cpu":{"quota":5000,"period":50000}}"#), (Some(5_000), Some(50_000)));
        assert_eq!(updated("10000 100000\n", r#"{"cpu":{"shares":5}}"#), (None, None));
        std::fs::remove_dir_all(&dir).unwrap();
    }
    use crate::spec::parse_resources;

    fn lines(json: &str) -> Vec<String> {
        let resources = parse_resources(json.as_bytes(), "test").unwrap();
        let line = |s: &Setting| match s.impossible {
            Some(_) => format!("impossible {}", s.field),
            None => format!("{}={}", s.writes[0].0, s.writes[0].1),
        };
        settings(&resources).iter().map(line).collect()
    }

    #[test]
    fn shares_become_weights_as_in_runc() {
        let expected = [(2, 1), (1024, 100), (262_144, 10_000), (4, 2), (512, 59), (2048, 174), (100, 17)];
        for (shares, weight) in expected {
            assert_eq!(cpu_weight(shares), weight, "{shares}");
        }
        assert_eq!((cpu_weight(0), cpu_weight(1), cpu_weight(u64::MAX)), (1, 1, 10_000));
    }

    #[test]
    fn io_weights_span_the_range() {
        assert_eq!([10, 100, 500, 1000].map(io_weight), [1, 910, 4950, 10_000]);
    }

    #[test]
    fn quota_and_period() {
        assert_eq!(lines(r#"{"cpu":{"quota":50000,"period":100000}}"#), ["cpu.max=50000 100000"]);
        assert_eq!(lines(r#"{"cpu":{"quota":50000}}"#), ["cpu.max=50000"]);
        assert_eq!(lines(r#"{"cpu":{"quota":-1,"burst":5}}"#), ["cpu.max=max", "cpu.max.burst=5"]);
    }

    #[test]
    fn swap_is_without_memory() {
        assert_eq!(
            lines(r#"{"memory":{"limit":100,"swap":300,"reservation":50}}"#),
            ["memory.max=100", "memory.swap.max=200", "memory.low=50"]
        );
        assert_eq!(lines(r#"{"memory":{"limit":100,"swap":-1}}"#), ["memory.max=100", "memory.swap.max=max"]);
        assert_eq!(lines(r#"{"memory":{"limit":-1}}"#), ["memory.max=max", "memory.swap.max=max"]);
        assert_eq!(lines(r#"{"memory":{"swap":300}}"#), ["impossible linux.resources.memory.swap"]);
        assert_eq!(
            lines(r#"{"memory":{"limit":100,"swap":30}}"#),
            ["memory.max=100", "impossible linux.resources.memory.swap"]
        );
    }

    #[test]
    fn what_v2_lacks_is_named() {
        let json = r#"{"memory":{"swappiness":0,"disableOOMKiller":true,"useHierarchy":false,"kernel":5},
            "cpu":{"realtimeRuntime":9},"network":{"classID":1,"priorities":[{"name":"lo","priority":1}]}}"#;
        assert_eq!(lines(json).iter().filter(|line| line.starts_with("impossible")).count(), 6, "{:?}", lines(json));
        let fine = r#"{"memory":{"disableOOMKiller":false,"useHierarchy":true},"cpu":{"realtimeRuntime":0}}"#;
        assert!(lines(fine).is_empty());
    }

    #[test]
    fn unified_takes_file_names_only() {
        let check = |json: &str| unified(&parse_resources(json.as_bytes(), "test").unwrap());
        assert!(check(r#"{"unified":{"../memory.max":"1"}}"#).is_err());
        assert_eq!(check(r#"{"unified":{"memory.min":"1"}}"#).unwrap().len(), 1);
    }
}
