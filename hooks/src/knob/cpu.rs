//! A CPU's frequency governor and the latency that it may sleep with.

use crate::cpus::CpuSet;
use crate::host::{self, Host};
use nix::errno::Errno;
use std::path::PathBuf;

pub(super) fn governor(host: &Host, cpu: u32) -> Result<String, Errno> {
    host::read(&cpufreq(host, cpu).join("scaling_governor"))
}

pub(super) fn set_governor(host: &Host, cpu: u32, governor: &str) -> Result<(), Errno> {
    host::write(&cpufreq(host, cpu).join("scaling_governor"), governor)
}

/// These CPUs and those that change their frequency with them: they have one governor.
pub(crate) fn with_related(host: &Host, cpus: &CpuSet) -> CpuSet {
    let related = |cpu| host::read(&cpufreq(host, cpu).join("related_cpus")).ok();
    // The file's list has blanks between, not commas.
    let sets = cpus.iter().filter_map(related).filter_map(|text| CpuSet::parse(&text.replace(' ', ",")).ok());
    sets.fold(cpus.clone(), |all, set| all.or(&set))
}

fn cpufreq(host: &Host, cpu: u32) -> PathBuf {
    host.path(format!("sys/devices/system/cpu/cpu{cpu}/cpufreq"))
}

/// `Documentation/ABI/testing/sysfs-devices-power`: 0 is no limit, `n/a` is no latency at all.
pub(super) fn latency(host: &Host, cpu: u32) -> Result<Option<u32>, Errno> {
    match host::read(&resume_latency(host, cpu))?.as_str() {
        "0" => Ok(None),
        "n/a" => Ok(Some(0)),
        number => number.parse().map(Some).map_err(|_| Errno::EPROTO),
    }
}

pub(super) fn set_latency(host: &Host, cpu: u32, limit: Option<u32>) -> Result<(), Errno> {
    let text = match limit {
        None => "0".to_owned(),
        Some(0) => "n/a".to_owned(),
        Some(micros) => micros.to_string(),
    };
    host::write(&resume_latency(host, cpu), &text)
}

fn resume_latency(host: &Host, cpu: u32) -> PathBuf {
    host.path(format!("sys/devices/system/cpu/cpu{cpu}/power/pm_qos_resume_latency_us"))
}
