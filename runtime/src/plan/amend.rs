//! What an annotation asks for that a field of config.json can say: said there, so that the launch does it like any other.

use crate::cgroup::Cgroup;
use crate::profile::{BUDGET_PERIOD, Profile};
use crate::report::{Proof, Step, What};
use crate::spec::{Cpu, Rlimit, Spec};
use rtrun_hooks::annotation::MemoryLock;

/// The file by which v2 forbids swap.
const SWAP_MAX: &str = "memory.swap.max";

/// CPUs, quota, and the period of a real-time budget.
pub(super) fn cpu(spec: &mut Spec, profile: &Profile, by_ledger: bool) {
    let wanted = profile.cpus.is_some() || profile.no_quota || profile.budget.is_some();
    if !wanted {
        return;
    }
    let cpu = spec.linux.resources.get_or_insert_default().cpu.get_or_insert_with(Cpu::default);
    if let Some(cpus) = &profile.cpus {
        cpu.cpus = Some(cpus.to_string());
    }
    if profile.no_quota {
        (cpu.quota, cpu.period, cpu.burst) = (Some(-1), None, None);
    }
    if let Some(budget) = profile.budget.filter(|_| by_ledger) {
        // The runtime is a claim in the ledger, which raises the parents too and gives it back.
        cpu.realtime_runtime = None;
        let period = u64::try_from(budget.period.as_micros()).unwrap_or(u64::MAX);
        cpu.realtime_period = Some(period).filter(|_| budget.period != BUDGET_PERIOD || cpu.realtime_period.is_some());
    }
}

/// The limit of locked memory, and no swap.
pub(super) fn memory(spec: &mut Spec, profile: &Profile, cgroup: &Cgroup, steps: &mut Vec<Step>) {
    let Some(lock) = profile.memory_lock else { return };
    let name = "RLIMIT_MEMLOCK";
    let (value, shown) = match lock {
        MemoryLock::All => (u64::MAX, "unlimited".to_owned()),
        MemoryLock::Bytes(bytes) => (bytes, bytes.to_string()),
    };
    if let Some(process) = &mut spec.process {
        process.rlimits.retain(|limit| limit.kind != name);
        process.rlimits.push(Rlimit { kind: name.to_owned(), soft: value, hard: value });
    }
    let proof = Proof::Limit { name: name.to_owned(), value };
    steps.push(Step::new(What::Limit, name, shown, profile.asked("memory.lock")).proven(proof));
    let resources = spec.linux.resources.get_or_insert_default();
    let limited = resources.memory.as_ref().and_then(|memory| memory.limit).filter(|limit| *limit > 0);
    match (limited, cgroup.has_v1("memory")) {
        // What there may be of memory and swap together is what there may be of memory.
        (Some(limit), _) => resources.memory.get_or_insert_default().swap = Some(limit),
        (None, true) => resources.memory.get_or_insert_default().swappiness = Some(0),
        (None, false) => drop(resources.unified.insert(SWAP_MAX.to_owned(), "0".to_owned())),
    }
}
