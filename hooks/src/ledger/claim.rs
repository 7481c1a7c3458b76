use super::Error;
use crate::cpus::CpuSet;
use crate::host::Host;
use crate::knob::{Target, cpu, irq};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Component, Path, PathBuf};

/// One thing that an owner asks of the node.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Claim {
    /// A lease of CPUs. Nobody else may name a CPU that one owner has exclusively.
    Cpus {
        /// Which.
        cpus: CpuSet,
        /// Alone or beside others that share.
        mode: Mode,
    },
    /// A lease of a device.
    Device {
        /// The device's one canonical name, `bc635:0` or a PCI address: two names of one device would be two leases.
        name: String,
        /// Alone or beside others that share.
        mode: Mode,
    },
    /// No movable interrupt on these CPUs. What an owner steers to them stays.
    IrqsAway {
        /// The CPUs to be quiet.
        cpus: CpuSet,
        /// Where the interrupts go; without it, to the CPUs that each may use anyway, less the quiet ones.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        onto: Option<CpuSet>,
    },
    /// A device's interrupts on these CPUs.
    Steer {
        /// Whose interrupts.
        source: IrqSource,
        /// Where they are to be served.
        cpus: CpuSet,
        /// SCHED_FIFO priority, 1–99, of the threads that serve them where the kernel threads them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        priority: Option<u8>,
    },
    /// A cpufreq governor.
    Governor {
        /// Of which CPUs.
        cpus: CpuSet,
        /// Its name as in `scaling_available_governors`.
        governor: String,
    },
    /// The longest time that a CPU may take to wake from idle (PM-QoS resume latency).
    MaxLatency {
        /// Of which CPUs.
        cpus: CpuSet,
        /// Microseconds; 0 lets the CPU only poll.
        latency_us: u32,
    },
    /// A budget for SCHED_FIFO and SCHED_RR in a v1 cgroup and all that hold it (RT_GROUP_SCHED).
    RtRuntime {
        /// The container's directory in the `cpu` hierarchy.
        group: PathBuf,
        /// Where that hierarchy is mounted: its root group is the administrator's and stays as it is.
        mountpoint: PathBuf,
        /// Microseconds of each period.
        runtime_us: i64,
    },
}

/// How a lease is held.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// By one owner.
    Exclusive,
    /// By any number of owners that share.
    Shared,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Exclusive => "exclusively",
            Mode::Shared => "shared",
        })
    }
}

/// Where interrupts come from.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum IrqSource {
    /// A PCI function, `0000:00:01.0`: its MSI vectors, or its INTx line; looked up anew each time, as a driver makes
    /// them when it likes.
    Pci(String),
    /// A number in `/proc/irq`.
    Number(u32),
}

impl IrqSource {
    /// Its interrupts at this moment; none while no driver has asked for any.
    pub fn numbers(&self, host: &Host) -> Vec<u32> {
        irq::of_source(host, self)
    }
}

impl Claim {
    /// Whether it is about a setting: the ledger's report is on those of all owners.
    pub fn concerns(&self, target: &Target) -> bool {
        match (self, target) {
            (Claim::IrqsAway { .. }, Target::Irq(_) | Target::DefaultAffinity | Target::Irqbalance) => true,
            (Claim::Steer { .. }, Target::Irq(_) | Target::IrqThread { .. } | Target::Irqbalance) => true,
            (Claim::Governor { cpus, .. }, Target::Governor(cpu)) => cpus.contains(*cpu),
            (Claim::MaxLatency { cpus, .. }, Target::ResumeLatency(cpu)) => cpus.contains(*cpu),
            (Claim::RtRuntime { group, mountpoint, .. }, Target::RtRuntime(dir)) => {
                dir != mountpoint && group.starts_with(dir)
            }
            _ => false,
        }
    }

    /// The claim on a given host: a governor concerns all the CPUs that change their frequency together.
    pub(super) fn on(&self, host: &Host) -> Claim {
        match self {
            Claim::Governor { cpus, governor } => {
                Claim::Governor { cpus: cpu::with_related(host, cpus), governor: governor.clone() }
            }
            other => other.clone(),
        }
    }

    /// Refuses what no host could give.
    pub(super) fn check(&self) -> Result<(), Error> {
        let problem = |problem: String| Err(Error::Claim { claim: self.clone(), problem });
        match self {
            Claim::Cpus { cpus, .. }
            | Claim::IrqsAway { cpus, .. }
            | Claim::Steer { cpus, .. }
            | Claim::Governor { cpus, .. }
            | Claim::MaxLatency { cpus, .. }
                if cpus.is_empty() =>
            {
                problem("it names no CPU".into())
            }
            Claim::IrqsAway { cpus, onto: Some(onto) } if onto.without(cpus).is_empty() => {
                problem(format!("there is no CPU in {onto} but those to be quiet ({cpus})"))
            }
            Claim::Steer { priority: Some(priority), .. } if !(1..=99).contains(priority) => {
                problem(format!("priority {priority} is not in 1 to 99"))
            }
            Claim::Steer { source: IrqSource::Pci(address), .. } if !is_name(address) => {
                problem(format!("{address:?} is no PCI address such as 0000:00:01.0"))
            }
            Claim::Device { name, .. } if name.is_empty() => problem("the device has no name".into()),
            Claim::Governor { governor, .. } if !is_name(governor) => {
                problem(format!("{governor:?} is no governor's name"))
            }
            Claim::RtRuntime { group, mountpoint, .. } if !is_below(group, mountpoint) => {
                problem(format!("{} is not below {}", group.display(), mountpoint.display()))
            }
            Claim::RtRuntime { runtime_us, .. } if *runtime_us <= 0 => {
                problem(format!("a budget of {runtime_us} µs is none"))
            }
            _ => Ok(()),
        }
    }
}

fn is_name(text: &str) -> bool {
    matches!(Path::new(text).components().collect::<Vec<_>>()[..], [Component::Normal(name)] if name.len() == text.len())
}

fn is_below(path: &Path, top: &Path) -> bool {
    path.is_absolute()
        && path.strip_prefix(top).is_ok_and(|rest| {
            rest.components().all(|part| matches!(part, Component::Normal(_))) && rest.components().next().is_some()
        })
}
