//! The kernel's settings that are one for the whole node, read and written one by one. Who wants what is not known here.

pub(crate) mod cpu;
pub(crate) mod group;
pub(crate) mod irq;
pub(crate) mod irqbalance;
pub(crate) mod thread;

use crate::cpus::CpuSet;
use crate::host::Host;
use nix::errno::Errno;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// A setting.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// `/proc/irq/default_smp_affinity`: where interrupts go that a driver asks for from now on.
    DefaultAffinity,
    /// `/proc/irq/N/smp_affinity_list`.
    Irq(u32),
    /// What a running irqbalance leaves alone.
    Irqbalance,
    /// Policy and priority of a kernel thread that serves an interrupt.
    IrqThread {
        /// The interrupt's number.
        irq: u32,
        /// `irq/N-…`, cut after 15 characters by the kernel.
        name: String,
    },
    /// cpufreq's `scaling_governor` of a CPU.
    Governor(u32),
    /// `power/pm_qos_resume_latency_us` of a CPU.
    ResumeLatency(u32),
    /// `cpu.rt_runtime_us` of a v1 cgroup, by its directory.
    RtRuntime(PathBuf),
}

/// A setting's value.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// A mask.
    Cpus(CpuSet),
    /// As of `sched_setscheduler(2)`.
    Scheduling {
        /// Its number.
        policy: i32,
        /// 0 for the policies without.
        priority: i32,
    },
    /// What is left alone.
    Bans {
        /// These CPUs get no interrupts.
        cpus: CpuSet,
        /// These interrupts are not moved; ascending.
        irqs: Vec<u32>,
    },
    /// A governor's name.
    Governor(String),
    /// Microseconds; none is no limit.
    Latency(Option<u32>),
    /// Microseconds; −1 is no limit.
    Micros(i64),
}

impl Target {
    /// What the setting is now.
    pub(crate) fn read(&self, host: &Host) -> Result<Value, Errno> {
        match self {
            Target::DefaultAffinity => irq::default_mask(host).map(Value::Cpus),
            Target::Irq(number) => irq::mask(host, *number).map(Value::Cpus),
            Target::Irqbalance => irqbalance::read(host),
            Target::IrqThread { irq, name } => thread::read(host, *irq, name),
            Target::Governor(cpu) => cpu::governor(host, *cpu).map(Value::Governor),
            Target::ResumeLatency(cpu) => cpu::latency(host, *cpu).map(Value::Latency),
            Target::RtRuntime(group) => group::runtime(group).map(Value::Micros),
        }
    }

    /// Sets it. A value of another kind of setting is EINVAL.
    pub(crate) fn write(&self, host: &Host, value: &Value) -> Result<(), Errno> {
        match (self, value) {
            (Target::DefaultAffinity, Value::Cpus(cpus)) => irq::set_default_mask(host, cpus),
            (Target::Irq(number), Value::Cpus(cpus)) => irq::set_mask(host, *number, cpus),
            (Target::Irqbalance, Value::Bans { cpus, irqs }) => irqbalance::write(host, cpus, irqs),
            (Target::IrqThread { irq, name }, Value::Scheduling { policy, priority }) => {
                thread::write(host, *irq, name, *policy, *priority)
            }
            (Target::Governor(cpu), Value::Governor(governor)) => cpu::set_governor(host, *cpu, governor),
            (Target::ResumeLatency(cpu), Value::Latency(limit)) => cpu::set_latency(host, *cpu, *limit),
            (Target::RtRuntime(group), Value::Micros(micros)) => group::set_runtime(group, *micros),
            _ => Err(Errno::EINVAL),
        }
    }

    /// What tells this one from another that gets its name later; empty where the name is enough.
    pub(crate) fn identity(&self, host: &Host) -> String {
        match self {
            Target::Irq(number) => irq::actions(host, *number),
            Target::Irqbalance => irqbalance::identity(host),
            _ => String::new(),
        }
    }

    /// Whether what it reads says nothing yet of what was written: irqbalance heeds it in its next round only.
    pub(crate) fn answers_late(&self) -> bool {
        *self == Target::Irqbalance
    }

    /// Whether it is gone for good when its file is: a CPU that is offline comes back, with its settings.
    pub(crate) fn may_vanish(&self) -> bool {
        !matches!(self, Target::DefaultAffinity | Target::Governor(_) | Target::ResumeLatency(_))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::DefaultAffinity => f.write_str("default_smp_affinity"),
            Target::Irq(number) => write!(f, "IRQ {number}"),
            Target::Irqbalance => f.write_str("irqbalance"),
            Target::IrqThread { name, .. } => write!(f, "thread {name}"),
            Target::Governor(cpu) => write!(f, "governor of CPU {cpu}"),
            Target::ResumeLatency(cpu) => write!(f, "resume latency of CPU {cpu}"),
            Target::RtRuntime(group) => write!(f, "{}/cpu.rt_runtime_us", group.display()),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Cpus(cpus) => write!(f, "CPUs {cpus}"),
            Value::Scheduling { policy, priority } => write!(f, "{} {priority}", thread::policy_name(*policy)),
            Value::Bans { cpus, irqs } => {
                let irqs = irqs.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
                write!(f, "banned CPUs {}, IRQs {}", dash(&cpus.to_string()), dash(&irqs))
            }
            Value::Governor(governor) => f.write_str(governor),
            Value::Latency(Some(limit)) => write!(f, "{limit} µs"),
            Value::Latency(None) => f.write_str("no limit"),
            Value::Micros(micros) => write!(f, "{micros} µs"),
        }
    }
}

/// An empty list, readable.
fn dash(list: &str) -> &str {
    if list.is_empty() { "none" } else { list }
}
