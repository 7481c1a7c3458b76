//! What this caller may do: limits and capabilities.

use super::{Check, Context, Outcome, check, fail, ok, warn};
use crate::host::Error;
use rtrun_hooks::annotation::MemoryLock;

pub(super) const CHECKS: &[Check] = &[
    check("capabilities", capabilities, "policies, limits and affinities are set by rtrun, with its caller's rights"),
    check(
        "rlimits",
        rlimits,
        "a container can lock as much memory as its limit allows, and only CAP_SYS_RESOURCE raises it",
    ),
];

const SYS_NICE: u32 = 23;
const SYS_RESOURCE: u32 = 24;

fn capabilities(context: &Context) -> Result<Option<Outcome>, Error> {
    let nice = has(context, SYS_NICE)?;
    let resource = has(context, SYS_RESOURCE)?;
    Ok(Some(match (nice, resource) {
        (true, true) => ok("CAP_SYS_NICE and CAP_SYS_RESOURCE"),
        (true, false) => warn(
            "CAP_SYS_NICE, not CAP_SYS_RESOURCE",
            "call rtrun where limits may be raised: as root outside of a container",
        ),
        (false, _) => fail(
            "no CAP_SYS_NICE",
            "call rtrun as root; in a unit of systemd: AmbientCapabilities=CAP_SYS_NICE CAP_SYS_RESOURCE",
        ),
    }))
}

fn rlimits(context: &Context) -> Result<Option<Outcome>, Error> {
    let hard = limit(context, "Max locked memory")?;
    let found = hard.map_or("unlimited locked memory".to_owned(), |bytes| format!("{bytes} bytes of locked memory"));
    if hard.is_none() || has(context, SYS_RESOURCE)? {
        return Ok(Some(ok(found)));
    }
    let remedy =
        "echo '* hard memlock unlimited' >> /etc/security/limits.conf; in a unit of systemd: LimitMEMLOCK=infinity";
    Ok(Some(match context.wanted.annotations.memory_lock {
        Some(MemoryLock::All) => fail(found, remedy),
        Some(MemoryLock::Bytes(asked)) if hard.is_some_and(|hard| asked > hard) => fail(found, remedy),
        Some(MemoryLock::Bytes(_)) => ok(found),
        None => warn(found, remedy),
    }))
}

fn has(context: &Context, capability: u32) -> Result<bool, Error> {
    let status = context.host.text("/proc/self/status")?.unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap_or_default();
    Ok(u64::from_str_radix(mask.trim(), 16).unwrap_or(0) >> capability & 1 == 1)
}

/// A hard limit of `/proc/self/limits`; `None` is unlimited.
fn limit(context: &Context, name: &str) -> Result<Option<u64>, Error> {
    let limits = context.host.text("/proc/self/limits")?.unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    Ok(line.split_whitespace().nth(1).and_then(|hard| hard.parse().ok()))
}
