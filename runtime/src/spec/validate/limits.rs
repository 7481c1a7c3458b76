use super::{Error, in_range};
use crate::spec::{BlockIo, Cpu, Memory, Resources};

/// Checks the resources of a configuration, or of an update.
pub(super) fn check(resources: &Resources) -> Result<(), Error> {
    for (index, rule) in resources.devices.iter().enumerate() {
        let field = format!("linux.resources.devices[{index}]");
        let access = rule.access.as_deref().unwrap_or_default();
        if !access.chars().all(|letter| "rwm".contains(letter)) {
            let why = "only the letters r, w and m are allowed";
            return Err(Error::Form { field: format!("{field}.access"), value: access.into(), why });
        }
        in_range(rule.major.unwrap_or(-1), -1, i64::from(u32::MAX), || format!("{field}.major"))?;
        in_range(rule.minor.unwrap_or(-1), -1, i64::from(u32::MAX), || format!("{field}.minor"))?;
    }
    resources.memory.as_ref().map_or(Ok(()), memory)?;
    resources.cpu.as_ref().map_or(Ok(()), cpu)?;
    resources.block_io.as_ref().map_or(Ok(()), block_io)?;
    for (index, page) in resources.hugepage_limits.iter().enumerate() {
        let digits = page.page_size.trim_end_matches("KB").trim_end_matches("MB").trim_end_matches("GB");
        let well_formed = digits.len() + 2 == page.page_size.len() && digits.bytes().all(|b| b.is_ascii_digit());
        if !well_formed || digits.is_empty() || digits.starts_with('0') {
            let field = format!("linux.resources.hugepageLimits[{index}].pageSize");
            let why = "must be a number with KB, MB or GB, as 2MB";
            return Err(Error::Form { field, value: page.page_size.clone(), why });
        }
    }
    match resources.unified.keys().find(|name| name.contains('/') || !name.contains('.') || name.contains("..")) {
        Some(name) => {
            let why = "is no name of a cgroup v2 file";
            Err(Error::Form { field: "linux.resources.unified".into(), value: name.clone(), why })
        }
        None => Ok(()),
    }
}

fn memory(memory: &Memory) -> Result<(), Error> {
    let field = |name| move || format!("linux.resources.memory.{name}");
    in_range(memory.swappiness.unwrap_or(0), 0, 100, field("swappiness"))?;
    let limits = [("limit", memory.limit), ("reservation", memory.reservation), ("swap", memory.swap)];
    for (name, limit) in limits {
        in_range(limit.unwrap_or(0), -1, i64::MAX, field(name))?;
    }
    match (memory.limit, memory.swap) {
        // memory.memsw.limit_in_bytes counts both
        (Some(limit), Some(swap)) if limit > 0 && swap > 0 && swap < limit => {
            in_range(swap, limit, i64::MAX, field("swap"))
        }
        _ => Ok(()),
    }
}

fn cpu(cpu: &Cpu) -> Result<(), Error> {
    let field = |name| move || format!("linux.resources.cpu.{name}");
    in_range(cpu.idle.unwrap_or(0), 0, 1, field("idle"))?;
    in_range(cpu.quota.unwrap_or(0), -1, i64::MAX, field("quota"))?;
    in_range(cpu.realtime_runtime.unwrap_or(0), -1, i64::MAX, field("realtimeRuntime"))?;
    list(cpu.cpus.as_deref().unwrap_or_default(), "linux.resources.cpu.cpus")?;
    list(cpu.mems.as_deref().unwrap_or_default(), "linux.resources.cpu.mems")
}

fn block_io(block_io: &BlockIo) -> Result<(), Error> {
    let field = |name| move || format!("linux.resources.blockIO.{name}");
    let weights = [("weight", block_io.weight), ("leafWeight", block_io.leaf_weight)];
    let devices = block_io.weight_device.iter().map(|device| ("weightDevice", device.weight));
    for (name, weight) in weights.into_iter().chain(devices) {
        // 0 is what Go callers write for "not set"
        if let Some(weight) = weight.filter(|weight| *weight != 0) {
            in_range(weight, 10, 1000, field(name))?;
        }
    }
    Ok(())
}

/// Checks the kernel's list format (`cpuset(7)`): `0-3,8,10-14:2/1`; empty is a list.
pub(super) fn list(text: &str, field: &str) -> Result<(), Error> {
    let number = |text: &str| text.parse::<u32>().ok();
    let item = |item: &str| {
        let (range, stride) = item.split_once(':').map_or((item, None), |(range, stride)| (range, Some(stride)));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let stride = stride.is_none_or(|s| s.split_once('/').is_some_and(|(a, b)| number(a) <= number(b)));
        stride && matches!((number(first), number(last)), (Some(first), Some(last)) if first <= last)
    };
    if text.trim().is_empty() || text.trim().split(',').all(item) {
        return Ok(());
    }
    Err(Error::Form { field: field.into(), value: text.into(), why: "is no list in kernel format, as 0-3,8" })
}
