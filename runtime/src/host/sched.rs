//! The scheduler's node-wide knobs: throttling, the fair server, migration of timers, watchdogs
//! (`Documentation/scheduler/sched-rt-group.rst`, `sched-deadline.rst`, `admin-guide/sysctl/kernel.rst`).

use super::{Error, Host};
use crate::sched::CpuSet;
use std::time::Duration;

/// Share of a period that ordinary tasks are served before SCHED_FIFO and SCHED_RR (Linux 6.12).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FairServer {
    /// Time a period.
    pub runtime: Duration,
    /// The period.
    pub period: Duration,
}

/// The knobs.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Microseconds a period that real-time tasks may have in all; −1 is no limit.
    pub rt_runtime_us: Option<i64>,
    /// Microseconds.
    pub rt_period_us: Option<i64>,
    /// The largest share of the online CPUs' fair servers; `None` before Linux 6.12, and where debugfs can't be read.
    pub fair_server: Option<FairServer>,
    /// Whether timers of idle CPUs move to busy ones (`kernel.timer_migration`).
    pub timer_migration: bool,
    /// Whether the hard lockup detector takes an NMI on each CPU (`kernel.nmi_watchdog`).
    pub nmi_watchdog: bool,
    /// CPUs on which the soft lockup detector wakes (`kernel.watchdog_cpumask`); empty when it is off.
    pub watchdog: CpuSet,
    /// CPUs for unbound work items, in the kernel's mask format; `None` where workqueues have no such knob.
    pub workqueues: Option<String>,
}

impl Limits {
    /// Reads them, the fair server of these CPUs.
    ///
    /// # Errors
    /// Those of [`Host::number`] and [`Host::list`].
    pub fn read(host: &Host, cpus: &CpuSet) -> Result<Limits, Error> {
        let kernel = |name: &str| format!("/proc/sys/kernel/{name}");
        let switched = |name: &str| Ok::<_, Error>(host.number(kernel(name))?.is_some_and(|value| value != 0));
        let watchdog = if switched("soft_watchdog")? { host.list(kernel("watchdog_cpumask"))? } else { None };
        Ok(Limits {
            rt_runtime_us: host.number(kernel("sched_rt_runtime_us"))?,
            rt_period_us: host.number(kernel("sched_rt_period_us"))?,
            fair_server: cpus.iter().filter_map(|cpu| fair_server(host, cpu)).max_by_key(|server| server.runtime),
            timer_migration: switched("timer_migration")?,
            nmi_watchdog: switched("nmi_watchdog")?,
            watchdog: watchdog.unwrap_or_default(),
            workqueues: host.text("/sys/devices/virtual/workqueue/cpumask")?,
        })
    }
}

/// debugfs is root's alone, so that a refusal is the same as absence.
fn fair_server(host: &Host, cpu: u32) -> Option<FairServer> {
    let file = |name: &str| {
        let path = format!("/sys/kernel/debug/sched/fair_server/cpu{cpu}/{name}");
        host.number(path).ok().flatten().map(|nanoseconds| Duration::from_nanos(nanoseconds.unsigned_abs()))
    };
    Some(FairServer { runtime: file("runtime")?, period: file("period")? })
}

#[cfg(test)]
mod tests {
    use super::super::fake::Tree;
    use super::*;

    #[test]
    fn knobs() {
        let tree = Tree::new().files(
            "/proc/sys/kernel/sched_rt_runtime_us = 950000
             /proc/sys/kernel/timer_migration = 1
             /proc/sys/kernel/soft_watchdog = 1
             /proc/sys/kernel/watchdog_cpumask = 0-1
             /sys/kernel/debug/sched/fair_server/cpu0/runtime = 0
             /sys/kernel/debug/sched/fair_server/cpu0/period = 1000000000
             /sys/kernel/debug/sched/fair_server/cpu1/runtime = 50000000
             /sys/kernel/debug/sched/fair_server/cpu1/period = 1000000000",
        );
        let limits = Limits::read(&tree.host(), &CpuSet::parse("0-1").unwrap()).unwrap();
        assert_eq!(limits.fair_server.unwrap().runtime, Duration::from_millis(50));
        assert!(limits.timer_migration && !limits.nmi_watchdog);
        assert_eq!((limits.rt_runtime_us, limits.watchdog.to_string().as_str()), (Some(950_000), "0-1"));
    }
}
