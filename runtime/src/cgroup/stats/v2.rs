//! Figures of the v2 tree.

use super::super::knob;
use super::{Blkio, BlkioEntry, Hugetlb, Psi, PsiData, Stats, list, number, page_sizes, table};
use std::path::Path;

/// On a hybrid host (`unified` false) only the controllers that the v2 tree has there, such as hugetlb, are read.
pub(super) fn read(dir: &Path, unified: bool, stats: &mut Stats) {
    for size in page_sizes(dir, ".current") {
        let usage = number(dir, &format!("hugetlb.{size}.current")).unwrap_or(0);
        let failcnt = table(dir, &format!("hugetlb.{size}.events")).get("max").copied().unwrap_or(0);
        stats.hugetlb.insert(size, Hugetlb { usage, max: 0, failcnt });
    }
    if !unified {
        return;
    }
    cpu(dir, stats);
    memory(dir, stats);
    stats.pids.current = number(dir, "pids.current").unwrap_or(0);
    stats.pids.limit = number(dir, "pids.max").filter(|&limit| limit != u64::MAX).unwrap_or(0);
    stats.blkio = io(&knob::get(&dir.join("io.stat")).unwrap_or_default());
    stats.blkio.psi = psi(dir, "io.pressure");
}

fn cpu(dir: &Path, stats: &mut Stats) {
    let table = table(dir, "cpu.stat");
    let nanoseconds = |key| table.get(key).copied().unwrap_or(0) * 1000;
    stats.cpu.usage.total = nanoseconds("usage_usec");
    stats.cpu.usage.kernel = nanoseconds("system_usec");
    stats.cpu.usage.user = nanoseconds("user_usec");
    stats.cpu.throttling.periods = table.get("nr_periods").copied().unwrap_or(0);
    stats.cpu.throttling.throttled_periods = table.get("nr_throttled").copied().unwrap_or(0);
    stats.cpu.throttling.throttled_time = nanoseconds("throttled_usec");
    stats.cpu.psi = psi(dir, "cpu.pressure");
    let text = |file| knob::get(&dir.join(file)).unwrap_or_default();
    stats.cpuset.cpus = list(&text("cpuset.cpus.effective"));
    stats.cpuset.mems = list(&text("cpuset.mems.effective"));
}

fn memory(dir: &Path, stats: &mut Stats) {
    let memory = &mut stats.memory;
    memory.raw = table(dir, "memory.stat");
    memory.cache = memory.raw.get("file").copied().unwrap_or(0);
    memory.usage.usage = number(dir, "memory.current").unwrap_or(0);
    memory.usage.limit = number(dir, "memory.max").unwrap_or(0);
    memory.usage.max = number(dir, "memory.peak").unwrap_or(0);
    memory.usage.failcnt = table(dir, "memory.events").get("max").copied().unwrap_or(0);
    // Of memory and swap together, as on v1.
    memory.swap.usage = number(dir, "memory.swap.current").unwrap_or(0).saturating_add(memory.usage.usage);
    memory.swap.limit = number(dir, "memory.swap.max").unwrap_or(0).saturating_add(memory.usage.limit);
    memory.swap.max = number(dir, "memory.swap.peak").unwrap_or(0).saturating_add(memory.usage.max);
    memory.psi = psi(dir, "memory.pressure");
}

/// Lines `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6`.
fn io(text: &str) -> Blkio {
    let mut blkio = Blkio::default();
    for line in text.lines() {
        let mut fields = line.split(' ');
        let Some((major, minor)) = fields.next().and_then(|device| device.split_once(':')) else { continue };
        let (Ok(major), Ok(minor)) = (major.parse(), minor.parse()) else { continue };
        for (key, value) in fields.filter_map(|field| field.split_once('=')) {
            let (target, op) = match key {
                "rbytes" => (&mut blkio.io_service_bytes_recursive, "Read"),
                "wbytes" => (&mut blkio.io_service_bytes_recursive, "Write"),
                "rios" => (&mut blkio.io_serviced_recursive, "Read"),
                "wios" => (&mut blkio.io_serviced_recursive, "Write"),
                _ => continue,
            };
            target.push(BlkioEntry { major, minor, op: op.into(), value: value.parse().unwrap_or(0) });
        }
    }
    blkio
}

/// Absent where the kernel was built or booted without.
fn psi(dir: &Path, file: &str) -> Option<Psi> {
    let text = knob::get(&dir.join(file)).ok()?;
    let mut psi = Psi::default();
    for line in text.lines() {
        let Some((name, figures)) = line.split_once(' ') else { continue };
        match name {
            "some" => psi.some = pressure(figures),
            "full" => psi.full = pressure(figures),
            _ => {}
        }
    }
    Some(psi)
}

/// `avg10=0.00 avg60=0.00 avg300=0.00 total=0`.
fn pressure(figures: &str) -> PsiData {
    let get = |key: &str| figures.split(' ').find_map(|field| field.strip_prefix(key)?.strip_prefix('='));
    let percent = |key| get(key).and_then(|value| value.parse().ok()).unwrap_or(0.0);
    PsiData {
        avg10: percent("avg10"),
        avg60: percent("avg60"),
        avg300: percent("avg300"),
        total: get("total").and_then(|value| value.parse().ok()).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_and_pressure_lines() {
        let blkio = io("8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n");
        assert_eq!(blkio.io_service_bytes_recursive[1].value, 20);
        assert_eq!(blkio.io_serviced_recursive[0].op, "Read");
        let figures = pressure("avg10=1.50 avg60=0.20 avg300=0.00 total=42");
        assert!(figures.avg10 > 1.4 && figures.total == 42);
    }
}
