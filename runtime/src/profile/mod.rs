//! What real-time treatment a container asks for: the OCI configuration's fields first, then the annotations, as one typed
//! [`Profile`]. Pure: nothing here looks at the host.

mod error;
mod merge;
#[cfg(test)]
mod tests;

pub use error::Error;

use crate::spec::{Scheduler, Spec};
use merge::Merge;
use rtrun_hooks::CpuSet;
use rtrun_hooks::annotation::{Annotations, DeviceRequest, MemoryLock, Partition, ResumeLatency, Verify, is_sandbox};
use std::collections::BTreeMap;
use std::time::Duration;

/// Period of a real-time budget where none is given: the kernel's own.
pub const BUDGET_PERIOD: Duration = Duration::from_secs(1);

/// What is asked for, from wherever.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The policy of the container's process.
    pub scheduler: Option<Scheduler>,
    /// The real-time budget of an RT_GROUP_SCHED cgroup, where one is named.
    pub budget: Option<Budget>,
    /// The container's CPUs, never empty.
    pub cpus: Option<CpuSet>,
    /// The scheduling domain of these CPUs.
    pub partition: Partition,
    /// No other container of rtrun's may name these CPUs.
    pub exclusive: bool,
    /// cpufreq governor.
    pub governor: Option<String>,
    /// PM-QoS resume latency.
    pub max_latency: Option<ResumeLatency>,
    /// No CFS quota, whatever `linux.resources.cpu.quota` says.
    pub no_quota: bool,
    /// How much memory may be locked.
    pub memory_lock: Option<MemoryLock>,
    /// The program is read into memory before it begins.
    pub prefault: bool,
    /// Devices.
    pub devices: Vec<DeviceRequest>,
    /// Breaches of it are counted.
    pub latency_budget: Option<Duration>,
    /// What becomes of an effect that the kernel does not show.
    pub verify: Verify,
    /// The annotations by themselves, for what has no field of config.json: interrupts and the clock.
    pub annotations: Annotations,
    /// Which field or annotation asked, by the annotation's name without prefix.
    asked: BTreeMap<&'static str, String>,
}

/// A real-time budget, `Documentation/scheduler/sched-rt-group.rst`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Budget {
    /// Time a period; `None`: a share of what is left.
    pub runtime: Option<Duration>,
    /// The period.
    pub period: Duration,
}

impl Profile {
    /// The profile of a configuration; `None` for a container that asks for nothing of the kind, which costs a few string
    /// comparisons.
    ///
    /// The sandbox of a pod gets the pod's annotations too: they are checked, and not obeyed, for a sandbox on isolated CPUs
    /// or with a leased card would take them from the pod's own workload.
    ///
    /// # Errors
    /// [`Error`].
    pub fn of(spec: &Spec) -> Result<Option<Profile>, Error> {
        let oci = Oci::of(spec);
        let annotated = Annotations::any(&spec.annotations);
        if !annotated && oci.scheduler.is_none() && oci.budget().is_none() {
            return Ok(None);
        }
        let mut annotations = if annotated { Annotations::parse(&spec.annotations)? } else { Annotations::default() };
        if is_sandbox(&spec.annotations) {
            annotations = Annotations::default();
        }
        if annotations.is_empty() && oci.scheduler.is_none() && oci.budget().is_none() {
            return Ok(None);
        }
        Profile::merged(&oci, &annotations).map(Some)
    }

    fn merged(oci: &Oci, annotations: &Annotations) -> Result<Profile, Error> {
        let mut merge = Merge { oci, annotations, asked: BTreeMap::new() };
        let scheduler = merge.scheduler()?;
        let budget = merge.budget()?;
        let cpus = merge.cpus()?;
        let partition = merge.partition()?;
        let memory_lock = merge.memory_lock()?;
        if cpus.is_none() {
            merge.nothing_needs_cpus()?;
        }
        Ok(Profile {
            scheduler,
            budget,
            cpus,
            partition,
            exclusive: annotations.exclusive,
            governor: annotations.governor.clone(),
            max_latency: annotations.max_latency,
            no_quota: annotations.no_quota,
            memory_lock,
            prefault: annotations.prefault,
            devices: annotations.devices.clone(),
            latency_budget: annotations.latency_budget,
            verify: annotations.verify.unwrap_or(Verify::Strict),
            annotations: annotations.clone(),
            asked: merge.asked(),
        })
    }

    /// The field or annotation that asked for what the annotation of this name (without prefix) asks for.
    pub fn asked(&self, name: &str) -> &str {
        self.asked.get(name).map_or("default", String::as_str)
    }

    /// Whether the policy is SCHED_FIFO or SCHED_RR.
    pub fn has_priority(&self) -> bool {
        self.priority().is_some()
    }

    /// Static priority, 1 to 99, with SCHED_FIFO and SCHED_RR.
    pub fn priority(&self) -> Option<u32> {
        self.scheduler.as_ref().filter(|scheduler| merge::has_priority(scheduler.policy)).and_then(|s| s.priority)
    }
}

/// The fields of config.json that say what an annotation can say as well.
struct Oci<'a> {
    scheduler: Option<&'a Scheduler>,
    cpus: Option<&'a str>,
    realtime_runtime: Option<i64>,
    realtime_period: Option<u64>,
    memory_limit: Option<i64>,
    memlock: Option<u64>,
    partition: Option<&'a str>,
}

impl<'a> Oci<'a> {
    fn of(spec: &'a Spec) -> Oci<'a> {
        let process = spec.process.as_ref();
        let resources = spec.linux.resources.as_ref();
        let cpu = resources.and_then(|resources| resources.cpu.as_ref());
        let memlock = process.and_then(|process| process.rlimits.iter().find(|limit| limit.kind == "RLIMIT_MEMLOCK"));
        let partition = resources.and_then(|resources| resources.unified.get("cpuset.cpus.partition"));
        Oci {
            scheduler: process.and_then(|process| process.scheduler.as_ref()),
            cpus: cpu.and_then(|cpu| cpu.cpus.as_deref()).filter(|cpus| !cpus.trim().is_empty()),
            realtime_runtime: cpu.and_then(|cpu| cpu.realtime_runtime),
            realtime_period: cpu.and_then(|cpu| cpu.realtime_period).filter(|period| *period != 0),
            memory_limit: resources.and_then(|r| r.memory.as_ref()).and_then(|memory| memory.limit),
            memlock: memlock.map(|limit| limit.soft),
            partition: partition.map(|partition| partition.trim()),
        }
    }

    /// `linux.resources.cpu.realtimeRuntime`; zero is what Go callers write for "not set".
    fn budget(&self) -> Option<Duration> {
        let runtime = self.realtime_runtime.filter(|runtime| *runtime > 0)?;
        Some(Duration::from_micros(runtime.unsigned_abs()))
    }
}
