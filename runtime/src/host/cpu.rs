//! CPUs: which there are, what the boot has isolated, how they sleep and clock
//! (`Documentation/ABI/testing/sysfs-devices-system-cpu`).

use super::kernel::parameter;
use super::{Error, Host};
use crate::sched::CpuSet;
use std::time::Duration;

const CPU: &str = "/sys/devices/system/cpu";

/// The host's CPUs and what the boot did to them.
#[derive(Clone, Debug, Default)]
pub struct Cpus {
    /// In use now.
    pub online: CpuSet,
    /// That could ever be.
    pub possible: CpuSet,
    /// Outside of the scheduler's balancing by `isolcpus=` at boot; partitions made later are not in it.
    pub isolated: CpuSet,
    /// Whether `isolcpus=` keeps managed interrupts off as well.
    pub managed_irq: bool,
    /// Without a periodic tick while one task runs (`nohz_full=`).
    pub nohz_full: CpuSet,
    /// Whose RCU callbacks run elsewhere: `rcu_nocbs=`, and `nohz_full=`, which implies it.
    pub rcu_nocbs: CpuSet,
    /// Default of interrupts by `irqaffinity=`; empty if not given.
    pub irqaffinity: CpuSet,
    /// Whether sibling threads of a core are both in use.
    pub smt_active: bool,
}

impl Cpus {
    /// Reads them.
    ///
    /// # Errors
    /// [`Error::Missing`] without sysfs, and those of [`Host::list`].
    pub fn read(host: &Host) -> Result<Cpus, Error> {
        let file = |name: &str| host.list(format!("{CPU}/{name}"));
        let online = file("online")?.ok_or_else(|| Error::Missing { path: host.path(format!("{CPU}/online")) })?;
        let possible = file("possible")?.unwrap_or_else(|| online.clone());
        let cmdline = host.text("/proc/cmdline")?.unwrap_or_default();
        let boot = |name| parameter(&cmdline, name).map(|list| boot_list(list, &possible)).unwrap_or_default();
        let nohz_full = file("nohz_full")?.unwrap_or_default();
        let rcu_nocbs = boot("rcu_nocbs").iter().chain(nohz_full.iter()).collect();
        Ok(Cpus {
            isolated: file("isolated")?.unwrap_or_default(),
            managed_irq: parameter(&cmdline, "isolcpus")
                .is_some_and(|flags| flags.split(',').any(|flag| flag == "managed_irq")),
            irqaffinity: boot("irqaffinity"),
            smt_active: host.number(format!("{CPU}/smt/active"))? == Some(1),
            online,
            possible,
            nohz_full,
            rcu_nocbs,
        })
    }

    /// CPUs that the boot has set aside in any way.
    pub fn set_aside(&self) -> CpuSet {
        self.isolated.iter().chain(self.nohz_full.iter()).collect()
    }

    /// CPUs for everything that is not real-time: those online and not set aside, or all where none would be left.
    pub fn housekeeping(&self) -> CpuSet {
        let aside = self.set_aside();
        let rest: CpuSet = self.online.iter().filter(|&cpu| !aside.contains(cpu)).collect();
        if rest.is_empty() { self.online.clone() } else { rest }
    }

    /// The threads of a CPU's core, itself among them.
    ///
    /// # Errors
    /// Those of [`Host::list`].
    pub fn siblings(&self, host: &Host, cpu: u32) -> Result<CpuSet, Error> {
        let list = host.list(format!("{CPU}/cpu{cpu}/topology/thread_siblings_list"))?;
        Ok(list.unwrap_or_else(|| [cpu].into_iter().collect()))
    }
}

/// A CPU's frequency policy (`Documentation/admin-guide/pm/cpufreq.rst`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Frequency {
    /// The governor in force.
    pub governor: String,
    /// Those that could be.
    pub available: Vec<String>,
}

/// A CPU's frequency policy; `None` where the kernel doesn't scale it, as in most virtual machines.
///
/// # Errors
/// Those of [`Host::text`].
pub fn frequency(host: &Host, cpu: u32) -> Result<Option<Frequency>, Error> {
    let file = |name: &str| host.text(format!("{CPU}/cpu{cpu}/cpufreq/{name}"));
    let Some(governor) = file("scaling_governor")? else { return Ok(None) };
    let available = file("scaling_available_governors")?.unwrap_or_default();
    Ok(Some(Frequency { governor, available: available.split_whitespace().map(str::to_owned).collect() }))
}

/// A way for a CPU to sleep (`Documentation/admin-guide/pm/cpuidle.rst`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IdleState {
    /// `POLL`, `C1`, `C6`, …
    pub name: String,
    /// Time to wake up.
    pub exit_latency: Duration,
    /// Whether it has been switched off.
    pub disabled: bool,
}

/// A CPU's idle states, shallowest first; none where the kernel has no cpuidle driver.
///
/// # Errors
/// Those of [`Host::text`].
pub fn idle_states(host: &Host, cpu: u32) -> Result<Vec<IdleState>, Error> {
    let directory = format!("{CPU}/cpu{cpu}/cpuidle");
    let mut states = Vec::new();
    for name in host.names(&directory)? {
        let file = |file: &str| format!("{directory}/{name}/{file}");
        let microseconds = host.number(file("latency"))?.unwrap_or(0);
        states.push(IdleState {
            name: host.text(file("name"))?.unwrap_or(name.clone()),
            exit_latency: Duration::from_micros(microseconds.unsigned_abs()),
            disabled: host.number(file("disable"))?.is_some_and(|disabled| disabled != 0),
        });
    }
    Ok(states)
}

/// What a CPU's PM-QoS file asks (`Documentation/ABI/testing/sysfs-devices-power`, `pm_qos_resume_latency_us`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ResumeLatency {
    /// Any latency will do.
    Any,
    /// At most this.
    AtMost(Duration),
}

/// The latency with which a CPU may come back from idle; `None` without PM-QoS.
///
/// # Errors
/// Those of [`Host::text`], [`Error::Malformed`].
pub fn resume_latency(host: &Host, cpu: u32) -> Result<Option<ResumeLatency>, Error> {
    let path = format!("{CPU}/cpu{cpu}/power/pm_qos_resume_latency_us");
    match host.text(&path)?.as_deref() {
        None => Ok(None),
        // The file's own words: 0 is no demand, and no latency at all is "n/a".
        Some("0") => Ok(Some(ResumeLatency::Any)),
        Some("n/a") => Ok(Some(ResumeLatency::AtMost(Duration::ZERO))),
        Some(text) => match text.parse() {
            Ok(microseconds) => Ok(Some(ResumeLatency::AtMost(Duration::from_micros(microseconds)))),
            Err(_) => {
                let wanted = "a number of microseconds or n/a";
                Err(Error::Malformed { path: host.path(path), text: text.to_owned(), wanted })
            }
        },
    }
}

/// The longest wake-up that a CPU's idle states and PM-QoS let happen; `None` without idle states.
///
/// # Errors
/// Those of [`idle_states`] and [`resume_latency`].
pub fn worst_wakeup(host: &Host, cpu: u32) -> Result<Option<IdleState>, Error> {
    let limit = resume_latency(host, cpu)?;
    let allowed = |state: &IdleState| match limit {
        Some(ResumeLatency::AtMost(limit)) => state.exit_latency <= limit,
        _ => true,
    };
    let states = idle_states(host, cpu)?.into_iter().filter(|state| !state.disabled && allowed(state));
    Ok(states.max_by_key(|state| state.exit_latency))
}

/// A NUMA node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its number.
    pub id: u32,
    /// Its CPUs.
    pub cpus: CpuSet,
}

/// The NUMA nodes; none on a kernel without NUMA.
///
/// # Errors
/// Those of [`Host::list`].
pub fn nodes(host: &Host) -> Result<Vec<Node>, Error> {
    let directory = "/sys/devices/system/node";
    let ids = host.list(format!("{directory}/online"))?.unwrap_or_default();
    ids.iter()
        .map(|id| Ok(Node { id, cpus: host.list(format!("{directory}/node{id}/cpulist"))?.unwrap_or_default() }))
        .collect()
}

/// A list of the command line: flags before it are passed over, `all` and `N` are the kernel's
/// (`Documentation/admin-guide/kernel-parameters.rst`, cpu lists).
fn boot_list(text: &str, possible: &CpuSet) -> CpuSet {
    let last = possible.iter().last().unwrap_or(0);
    let is_list = |part: &&str| part.starts_with(|c: char| c.is_ascii_digit() || c == 'N') || *part == "all";
    let parts: Vec<String> = text
        .split(',')
        .filter(is_list)
        .map(|part| if part == "all" { format!("0-{last}") } else { part.replace('N', &last.to_string()) })
        .collect();
    let set = CpuSet::parse(&parts.join(",")).unwrap_or_default();
    set.iter().filter(|&cpu| possible.contains(cpu)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fake::Tree;
    use super::*;

    fn host() -> Tree {
        Tree::new().files(
            "/sys/devices/system/cpu/online = 0-7
             /sys/devices/system/cpu/possible = 0-15
             /sys/devices/system/cpu/isolated = 2-3
             /sys/devices/system/cpu/nohz_full = 3-4
             /sys/devices/system/cpu/smt/active = 1
             /sys/devices/system/cpu/cpu3/topology/thread_siblings_list = 3,7
             /sys/devices/system/cpu/cpu3/cpufreq/scaling_governor = powersave
             /sys/devices/system/cpu/cpu3/cpufreq/scaling_available_governors = performance powersave
             /sys/devices/system/cpu/cpu3/cpuidle/state0/name = POLL
             /sys/devices/system/cpu/cpu3/cpuidle/state0/latency = 0
             /sys/devices/system/cpu/cpu3/cpuidle/state1/name = C1
             /sys/devices/system/cpu/cpu3/cpuidle/state1/latency = 2
             /sys/devices/system/cpu/cpu3/cpuidle/state2/name = C6
             /sys/devices/system/cpu/cpu3/cpuidle/state2/latency = 133
             /sys/devices/system/cpu/cpu3/cpuidle/state2/disable = 0
             /sys/devices/system/cpu/cpu3/power/pm_qos_resume_latency_us = 0
             /sys/devices/system/node/online = 0-1
             /sys/devices/system/node/node0/cpulist = 0-3
             /sys/devices/system/node/node1/cpulist = 4-7
             /proc/cmdline = quiet isolcpus=managed_irq,domain,2-3 nohz_full=3-4 rcu_nocbs=2-3 irqaffinity=0,1",
        )
    }

    #[test]
    fn isolation_of_the_boot() {
        let tree = host();
        let cpus = Cpus::read(&tree.host()).unwrap();
        assert!(cpus.managed_irq && cpus.smt_active);
        assert_eq!(cpus.rcu_nocbs.to_string(), "2-4", "nohz_full implies rcu_nocbs");
        assert_eq!(cpus.housekeeping().to_string(), "0-1,5-7");
        assert_eq!(cpus.irqaffinity.to_string(), "0-1");
        assert_eq!(cpus.siblings(&tree.host(), 3).unwrap().to_string(), "3,7");
        assert_eq!(cpus.siblings(&tree.host(), 0).unwrap().to_string(), "0");
        let nodes: Vec<_> = nodes(&tree.host()).unwrap().iter().map(|node| node.cpus.to_string()).collect();
        assert_eq!(nodes, ["0-3", "4-7"]);
    }

    #[test]
    fn idle_and_frequency() {
        let tree = host();
        assert_eq!(frequency(&tree.host(), 3).unwrap().unwrap().governor, "powersave");
        assert_eq!(frequency(&tree.host(), 0).unwrap(), None);
        assert_eq!(worst_wakeup(&tree.host(), 3).unwrap().unwrap().name, "C6");
        let limited = tree.file("/sys/devices/system/cpu/cpu3/power/pm_qos_resume_latency_us", "20\n");
        assert_eq!(worst_wakeup(&limited.host(), 3).unwrap().unwrap().name, "C1");
        let none = limited.file("/sys/devices/system/cpu/cpu3/power/pm_qos_resume_latency_us", "n/a\n");
        assert_eq!(worst_wakeup(&none.host(), 3).unwrap().unwrap().name, "POLL");
        assert_eq!(worst_wakeup(&none.host(), 0).unwrap(), None);
    }

    #[test]
    fn lists_of_the_command_line() {
        let possible = CpuSet::parse("0-7").unwrap();
        for (text, list) in [("all", "0-7"), ("2-N", "2-7"), ("nohz,domain,1", "1"), ("6-9", "6-7"), ("x", "")] {
            assert_eq!(boot_list(text, &possible).to_string(), list, "{text}");
        }
    }
}
