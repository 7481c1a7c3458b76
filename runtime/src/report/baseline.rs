use crate::host::Host;
use crate::host::irq::counters;
use crate::sched::CpuSet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What had been counted when a container started: the kernel's counters go back to the boot, or to the init's beginning.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Baseline {
    /// Minor page faults of the init.
    pub minor_faults: u64,
    /// Major page faults of the init.
    pub major_faults: u64,
    /// Interrupts on each of the container's CPUs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub interrupts: BTreeMap<u32, Interrupts>,
}

/// Interrupts on one CPU.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Interrupts {
    /// Those with a number in `/proc/interrupts`.
    pub device: u64,
    /// The local timer's.
    pub timer: u64,
    /// Those between CPUs, and the CPU's own.
    pub other: u64,
}

impl Interrupts {
    /// Each source with its name.
    pub fn sources(self) -> [(&'static str, u64); 3] {
        [("device", self.device), ("timer", self.timer), ("other", self.other)]
    }
}

impl Baseline {
    /// The counters as they are now; what can't be read is 0.
    #[must_use]
    pub fn take(host: &Host, pid: i32, cpus: Option<&CpuSet>) -> Baseline {
        let (minor_faults, major_faults) = faults(host, pid).unwrap_or_default();
        Baseline { minor_faults, major_faults, interrupts: cpus.map(|cpus| interrupts(host, cpus)).unwrap_or_default() }
    }
}

/// Interrupts on these CPUs since the boot.
pub fn interrupts(host: &Host, cpus: &CpuSet) -> BTreeMap<u32, Interrupts> {
    let mut found = BTreeMap::new();
    for line in counters(host).unwrap_or_default() {
        for (cpu, count) in line.counts.iter().filter(|(cpu, _)| cpus.contains(*cpu)) {
            let sums: &mut Interrupts = found.entry(*cpu).or_default();
            match line.name.as_str() {
                // The timer of x86 and of Arm; ERR and MIS count mistakes, not interrupts of a CPU.
                "LOC" => sums.timer += count,
                "ERR" | "MIS" => {}
                _ if line.action.contains("arch_timer") => sums.timer += count,
                name if name.bytes().all(|byte| byte.is_ascii_digit()) => sums.device += count,
                _ => sums.other += count,
            }
        }
    }
    found
}

/// Page faults of a process and its reaped children, minor and major (`proc_pid_stat(5)`, fields 10 to 13).
pub fn faults(host: &Host, pid: i32) -> Option<(u64, u64)> {
    let stat = host.text(format!("/proc/{pid}/stat")).ok()??;
    // The name may hold blanks and brackets; what follows it begins with field 3.
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 1..)?.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some((field(10)? + field(11)?, field(12)? + field(13)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fake::Tree;

    #[test]
    fn interrupts_are_told_apart() {
        let text = "  CPU0 CPU1\n 11: 5 7 GICv3 27 Level arch_timer\n 24: 1 2 MSI eth0\nLOC: 3 4 Local timer\nRES: 5 6 Resched\n\
                    ERR: 9\n";
        let found = interrupts(&Tree::new().file("/proc/interrupts", text).host(), &CpuSet::parse("1").unwrap());
        assert_eq!(found, [(1, Interrupts { device: 2, timer: 11, other: 6 })].into());
    }

    #[test]
    fn faults_of_a_process_with_an_odd_name() {
        let tree = Tree::new().file("/proc/7/stat", "7 (a) b) S 1 7 7 0 -1 4194560 10 20 3 4 5 6\n");
        assert_eq!(faults(&tree.host(), 7), Some((30, 7)));
        assert_eq!(faults(&tree.host(), 8), None);
        let own = Baseline::take(&Host::default(), std::process::id() as i32, None);
        assert!(own.minor_faults > 0 && own.interrupts.is_empty());
    }
}
