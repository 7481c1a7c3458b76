//! The annotations by which a container asks for what the OCI configuration has no field for: one table of keys, from which
//! they are parsed, listed and explained. Pure: nothing here looks at the host.
//!
//! A key may end in `/NAME`: it then counts for the container of that name in its Kubernetes pod only, and more than the
//! same key without. CRI-O's five high-performance annotations are read as well ([`ALIASES`]).

mod alias;
mod clock;
mod device;
mod error;
mod key;
mod pod;
mod resolve;
#[cfg(test)]
mod tests;
mod value;
mod word;

pub use alias::{ALIASES, Alias};
pub use clock::ClockSource;
pub use device::{DeviceName, DeviceRequest, PciAddress};
pub use error::Error;
pub use key::{KEYS, Key};
pub use pod::is_sandbox;
pub use value::{duration, show, size};
pub use word::{ClockState, OnTimeout, Partition, Policy, Verify};

use crate::CpuSet;
use resolve::Given;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// What every key of ours begins with.
pub const PREFIX: &str = "org.rtrun.";

/// Priority of SCHED_FIFO and SCHED_RR where none is given: that of the kernel's threaded interrupts.
pub const DEFAULT_PRIORITY: u32 = 50;
/// Highest priority without `sched.priority.force`: above are the kernel's own threads.
pub const HIGHEST_PRIORITY: u32 = 90;
/// How long the start waits for the clock where `clock.timeout` is not given.
pub const CLOCK_TIMEOUT: Duration = Duration::from_secs(30);

/// What a container's annotations ask for; `None`, `false` or an empty list where a key is absent.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Annotations {
    /// `sched.*`
    pub sched: Sched,
    /// `cpus`; never empty.
    pub cpus: Option<CpuSet>,
    /// `cpus.partition`
    pub partition: Option<Partition>,
    /// `cpus.exclusive`
    pub exclusive: bool,
    /// `cpu.governor`
    pub governor: Option<String>,
    /// `cpu.max-latency`
    pub max_latency: Option<ResumeLatency>,
    /// `cpu.quota=disable`
    pub no_quota: bool,
    /// `memory.lock`
    pub memory_lock: Option<MemoryLock>,
    /// `memory.prefault`
    pub prefault: bool,
    /// `devices`
    pub devices: Vec<DeviceRequest>,
    /// `irq.affinity`
    pub irq_affinity: Option<IrqAffinity>,
    /// `irq.devices`
    pub irq_devices: Vec<DeviceName>,
    /// `clock.*`
    pub clock: Clock,
    /// `latency.budget`
    pub latency_budget: Option<Duration>,
    /// `verify`
    pub verify: Option<Verify>,
    /// Each key that was given, by its name without prefix.
    given: BTreeMap<&'static str, Given>,
}

/// `sched.*`
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sched {
    /// `sched.policy`
    pub policy: Option<Policy>,
    /// `sched.priority`, 1 to 99.
    pub priority: Option<u32>,
    /// `sched.priority.force`
    pub force: bool,
    /// `sched.nice`, −20 to 19.
    pub nice: Option<i32>,
    /// `sched.runtime`
    pub runtime: Option<Duration>,
    /// `sched.deadline`
    pub deadline: Option<Duration>,
    /// `sched.period`
    pub period: Option<Duration>,
    /// `sched.reset-on-fork`
    pub reset_on_fork: Option<bool>,
}

/// `clock.*`
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Clock {
    /// `clock.require`
    pub require: Option<ClockState>,
    /// `clock.source`; all must agree.
    pub sources: Vec<ClockSource>,
    /// `clock.max-offset`
    pub max_offset: Option<Duration>,
    /// `clock.timeout`
    pub timeout: Option<Duration>,
    /// `clock.on-timeout`
    pub on_timeout: Option<OnTimeout>,
}

/// `memory.lock`
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum MemoryLock {
    /// No limit.
    All,
    /// Bytes.
    Bytes(u64),
}

/// `irq.affinity`
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub enum IrqAffinity {
    /// Off the container's CPUs.
    Housekeeping,
    /// Onto these.
    Cpus(CpuSet),
}

/// `cpu.max-latency`
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum ResumeLatency {
    /// Any idle state may be entered.
    Any,
    /// Whole microseconds; none at all means that no idle state may be entered.
    AtMost(Duration),
}

impl ResumeLatency {
    /// As `power/pm_qos_resume_latency_us` has it (`sysfs-devices-power`): there 0 is no bound, and `n/a` is none at all.
    pub fn pm_qos(self) -> String {
        match self {
            ResumeLatency::Any => "0".to_owned(),
            ResumeLatency::AtMost(Duration::ZERO) => "n/a".to_owned(),
            ResumeLatency::AtMost(latency) => latency.as_micros().to_string(),
        }
    }
}

impl Annotations {
    /// Reads a container's annotations; those of others are passed over.
    ///
    /// # Errors
    /// [`Error`]: an unknown key of ours, a value that its key does not take, two that exclude each other.
    pub fn parse(annotations: &BTreeMap<String, String>) -> Result<Annotations, Error> {
        let mut all = Annotations { given: resolve::resolve(annotations)?, ..Annotations::default() };
        for key in KEYS {
            let Some(given) = all.given.get(key.name).cloned() else { continue };
            (key.read)(&mut all, &given.value).map_err(|problem| given.illegal(problem, key.values, key.example))?;
        }
        all.check()?;
        Ok(all)
    }

    /// Whether there is any key of ours or an alias; cheaper than [`Annotations::parse`].
    pub fn any(annotations: &BTreeMap<String, String>) -> bool {
        annotations.keys().any(|key| alias::is_ours(key))
    }

    /// The key and the value as the caller wrote them, of a key of this name (without prefix).
    pub fn given(&self, name: &str) -> Option<(&str, &str)> {
        self.given.get(name).map(|given| (given.key.as_str(), given.original.as_str()))
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    /// What holds between the keys, wherever the policy comes from.
    fn check(&self) -> Result<(), Error> {
        if let (Some(policy), Some((key, value))) = (self.sched.policy, self.given("sched.policy")) {
            self.check_policy(policy, key, value)?;
        }
        if self.sched.priority.is_some_and(|priority| priority > HIGHEST_PRIORITY) && !self.sched.force {
            return self.needs(
                "sched.priority",
                "org.rtrun.sched.priority.force=true",
                "above 90 are the kernel's own threads",
            );
        }
        let Sched { runtime, deadline, period, .. } = self.sched;
        if runtime > deadline && deadline.is_some() {
            return self.contradiction(
                "sched.runtime",
                "sched.deadline",
                "the runtime can't be longer than the deadline",
            );
        }
        if deadline > period && period.is_some() {
            return self.contradiction(
                "sched.deadline",
                "sched.period",
                "the deadline can't be later than the period's end",
            );
        }
        if runtime > period && period.is_some() {
            return self.contradiction("sched.runtime", "sched.period", "the runtime can't be longer than the period");
        }
        if !matches!(self.clock.require, Some(ClockState::Holdover | ClockState::Locked)) {
            let needed = "org.rtrun.clock.require=locked or holdover";
            for name in ["clock.source", "clock.max-offset", "clock.timeout", "clock.on-timeout"] {
                self.needs(name, needed, "without it no clock is asked")?;
            }
        }
        Ok(())
    }

    /// What holds between the keys and the policy in force, which `key` and `value` name: they may be a field of the
    /// configuration.
    ///
    /// # Errors
    /// [`Error::Contradiction`], [`Error::Alone`].
    pub fn check_policy(&self, policy: Policy, key: &str, value: &str) -> Result<(), Error> {
        let deadline = policy == Policy::Deadline;
        let priority = policy.has_priority();
        let nice = matches!(policy, Policy::Other | Policy::Batch);
        for (name, fits, why) in [
            ("sched.priority", priority, "only SCHED_FIFO and SCHED_RR have a priority"),
            ("sched.nice", nice, "only SCHED_OTHER and SCHED_BATCH have a nice value"),
            ("sched.runtime", deadline || priority, "only SCHED_DEADLINE, SCHED_FIFO and SCHED_RR have a runtime"),
            ("sched.period", deadline || priority, "only SCHED_DEADLINE, SCHED_FIFO and SCHED_RR have a period"),
            ("sched.deadline", deadline, "only SCHED_DEADLINE has a deadline"),
        ] {
            if let (false, Some(given)) = (fits, self.given.get(name)) {
                return Err(given.contradicts(key, value, why));
            }
        }
        Ok(())
    }

    /// Fails if the key is given: it is not without what it needs.
    ///
    /// # Errors
    /// [`Error::Alone`].
    pub fn needs(&self, name: &str, needed: &'static str, why: &'static str) -> Result<(), Error> {
        match self.given(name) {
            None => Ok(()),
            Some((key, value)) => Err(Error::Alone { key: key.into(), value: value.into(), needed, why }),
        }
    }

    fn contradiction(&self, name: &str, other: &str, why: &'static str) -> Result<(), Error> {
        match (self.given.get(name), self.given(other)) {
            (Some(given), Some((key, value))) => Err(given.contradicts(key, value, why)),
            _ => Ok(()),
        }
    }
}
