//! Which CPUs a process may use, `sched_setaffinity(2)`.

use super::Error;
use nix::errno::Errno;
use nix::unistd::Pid;
use rtrun_hooks::CpuSet;

const ONLINE: &str = "/sys/devices/system/cpu/online";
/// Words of a mask for the kernel's own largest `CONFIG_NR_CPUS`.
const WORDS: usize = 8192 / 64;

/// The CPUs online on this host.
///
/// # Errors
/// [`Error::Read`], [`Error::List`].
pub fn online_cpus() -> Result<CpuSet, Error> {
    let text = std::fs::read_to_string(ONLINE)
        .map_err(|error| Error::Read { path: ONLINE, errno: crate::sys::errno(error) })?;
    Ok(CpuSet::parse(text.trim())?)
}

/// Confirms that the host has all these CPUs: `sched_setaffinity(2)` would leave missing ones out in silence.
///
/// # Errors
/// [`Error::NoSuchCpu`], and those of [`online_cpus`].
pub fn check_online(cpus: &CpuSet) -> Result<(), Error> {
    let online = online_cpus()?;
    let missing = cpus.without(&online);
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::NoSuchCpu { asked: cpus.to_string(), missing: missing.to_string(), online: online.to_string() })
}

/// Confines a process (its thread of that id) to these CPUs, all of which must exist.
///
/// # Errors
/// [`Error::NoSuchCpu`], [`Error::SetAffinity`].
pub fn set_affinity(pid: Pid, cpus: &CpuSet) -> Result<(), Error> {
    check_online(cpus)?;
    let mask = cpus.words();
    // SAFETY: the mask is live and as long as said.
    let result = unsafe { libc::syscall(libc::SYS_sched_setaffinity, pid.as_raw(), size_of_val(mask), mask.as_ptr()) };
    Errno::result(result).map(drop).map_err(|errno| Error::SetAffinity {
        pid: pid.as_raw(),
        cpus: cpus.to_string(),
        errno,
    })
}

/// The CPUs that a process may use.
///
/// # Errors
/// [`Error::GetAffinity`].
pub fn get_affinity(pid: Pid) -> Result<CpuSet, Error> {
    let mut words = [0u64; WORDS];
    // SAFETY: the buffer is live and as long as said.
    let result =
        unsafe { libc::syscall(libc::SYS_sched_getaffinity, pid.as_raw(), size_of_val(&words), words.as_mut_ptr()) };
    Errno::result(result).map_err(|errno| Error::GetAffinity { pid: pid.as_raw(), errno })?;
    let bit = |cpu: &u32| words[*cpu as usize / 64] & 1 << (cpu % 64) != 0;
    Ok((0..WORDS as u32 * 64).filter(bit).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn affinity_is_set_and_read_back() {
        let own = Pid::from_raw(0);
        let before = get_affinity(own).unwrap();
        let one: CpuSet = before.iter().take(1).collect();
        set_affinity(own, &one).unwrap();
        assert_eq!(get_affinity(own).unwrap(), one);
        set_affinity(own, &before).unwrap();
    }

    #[test]
    fn a_missing_cpu_is_named_with_those_that_exist() {
        let online = online_cpus().unwrap();
        let error = set_affinity(Pid::from_raw(0), &CpuSet::parse("0,8190").unwrap()).unwrap_err().to_string();
        assert_eq!(error, format!("CPUs 0,8190: no CPU 8190 here; online are {online}"));
    }
}
