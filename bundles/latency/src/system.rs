//! The machine: which CPUs may be used, and what is set on it while measuring.

use std::fs::{File, OpenOptions};
use std::io::Write;

use nix::errno::Errno;
use nix::sched::sched_getaffinity;
use nix::unistd::Pid;

use crate::error::{Error, Result};

/// CPUs that this process may run on, ascending.
///
/// # Errors
/// As `sched_getaffinity(2)`.
pub fn allowed_cpus() -> Result<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0)).map_err(|errno| Error::Clock { step: "sched_getaffinity", errno })?;
    Ok((0..nix::sched::CpuSet::count()).filter(|&cpu| set.is_set(cpu).unwrap_or(false)).collect())
}

/// `0,2-3` as numbers, ascending, each once.
///
/// # Errors
/// A part that is no number or range.
pub fn parse_cpus(list: &str) -> Result<Vec<usize>> {
    let problem = |part: &str| Error::CpuList {
        list: list.to_owned(),
        problem: format!("{part:?} is neither a CPU nor a range as in 0,2-3"),
    };
    let mut cpus = std::collections::BTreeSet::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.trim().parse::<usize>(), last.trim().parse::<usize>()) {
            (Ok(first), Ok(last)) if first <= last && last < nix::sched::CpuSet::count() => cpus.extend(first..=last),
            _ => return Err(problem(part)),
        }
    }
    Ok(cpus.into_iter().collect())
}

/// Holds `/dev/cpu_dma_latency` (Documentation/power/pm_qos_interface.rst) at `microseconds` for as long as it lives.
/// `None` where the machine has no such device: there are no idle states to be bounded then, or none of ours to bound.
///
/// # Errors
/// The device is there and refuses.
pub fn hold_dma_latency(microseconds: u32) -> Result<Option<File>> {
    match OpenOptions::new().write(true).open("/dev/cpu_dma_latency") {
        Ok(mut device) => {
            device.write_all(&microseconds.to_ne_bytes()).map_err(Error::DmaLatency)?;
            Ok(Some(device))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::DmaLatency(error)),
    }
}

/// All pages now and to come stay in memory.
///
/// # Errors
/// ENOMEM or EPERM: RLIMIT_MEMLOCK.
pub fn lock_memory() -> Result<()> {
    // SAFETY: takes flags only.
    let locked = unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) };
    Errno::result(locked).map(drop).map_err(Error::Lock)
}

/// MSR_SMI_COUNT (0x34, Intel SDM volume 4) of a CPU, by the `msr` module's node; `None` where that can't be read.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
pub fn smi_count(cpu: usize) -> Option<u64> {
    use std::os::unix::fs::FileExt;
    let mut value = [0; 8];
    File::open(format!("/dev/cpu/{cpu}/msr")).ok()?.read_exact_at(&mut value, 0x34).ok()?;
    Some(u64::from_ne_bytes(value))
}

/// Only x86 has system management interrupts.
#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
pub fn smi_count(_cpu: usize) -> Option<u64> {
    None
}

/// Whether the kernel is PREEMPT_RT (`/sys/kernel/realtime`).
pub fn is_realtime() -> bool {
    std::fs::read_to_string("/sys/kernel/realtime").is_ok_and(|text| text.trim() == "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_the_kernel_writes_them() {
        assert_eq!(parse_cpus("3,0-1,1").unwrap(), [0, 1, 3]);
        for list in ["", "a", "2-1", "1,,2", "-1", "99999999"] {
            assert!(parse_cpus(list).is_err(), "{list:?}");
        }
    }
}
