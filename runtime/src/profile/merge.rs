//! Field by field: what the configuration says, what the annotations say, and the error that shows both.

use super::{BUDGET_PERIOD, Budget, Error, Oci};
use crate::sched::SchedAttr;
use crate::spec::{Scheduler, SchedulerPolicy};
use rtrun_hooks::CpuSet;
use rtrun_hooks::annotation::{self, Annotations, DEFAULT_PRIORITY, MemoryLock, Partition, Policy, show};
use std::collections::BTreeMap;
use std::time::Duration;

const RESET_ON_FORK: &str = "SCHED_FLAG_RESET_ON_FORK";
const CPUS: &str = "org.rtrun.cpus or linux.resources.cpu.cpus";

/// The two sides, and who asked for what.
pub(super) struct Merge<'a> {
    pub oci: &'a Oci<'a>,
    pub annotations: &'a Annotations,
    pub asked: BTreeMap<&'static str, String>,
}

impl Merge<'_> {
    /// Which field or annotation asked, for every name.
    pub(super) fn asked(mut self) -> BTreeMap<&'static str, String> {
        for key in annotation::KEYS {
            if let Some((given, _)) = self.annotations.given(key.name) {
                self.asked.entry(key.name).or_insert_with(|| given.to_owned());
            }
        }
        self.asked
    }

    /// Fails where the field and the annotation of this name ask for different things; notes that the field has asked.
    fn agree<T: PartialEq>(
        &mut self,
        field: &'static str,
        (ours, shown): (T, String),
        name: &'static str,
        theirs: Option<T>,
    ) -> Result<(), Error> {
        self.asked.insert(name, field.to_owned());
        match (theirs, self.annotations.given(name)) {
            (Some(theirs), Some((key, value))) if theirs != ours => {
                Err(Error::Contradiction { field, field_value: shown.into(), key: key.into(), value: value.into() })
            }
            _ => Ok(()),
        }
    }

    /// The policy and its figures.
    pub(super) fn scheduler(&mut self) -> Result<Option<Scheduler>, Error> {
        let Some(scheduler) = (match self.oci.scheduler {
            Some(own) => Some(self.beside(own)?),
            None => self.annotated()?,
        }) else {
            return Ok(None);
        };
        SchedAttr::plan(&scheduler)?;
        Ok(Some(scheduler))
    }

    /// `process.scheduler`, completed by annotations that don't contradict it.
    fn beside(&mut self, own: &Scheduler) -> Result<Scheduler, Error> {
        let sched = &self.annotations.sched;
        let policy = policy_of(own.policy);
        let shown = policy.map_or("SCHED_ISO", Policy::word);
        self.agree("process.scheduler.policy", (policy, shown.to_owned()), "sched.policy", sched.policy.map(Some))?;
        if let Some(policy) = policy {
            self.annotations.check_policy(policy, "process.scheduler.policy", policy.word())?;
        }
        let mut merged = own.clone();
        if let Some(priority) = own.priority {
            let shown = (priority, priority.to_string());
            self.agree("process.scheduler.priority", shown, "sched.priority", sched.priority)?;
        }
        if let Some(nice) = own.nice {
            self.agree("process.scheduler.nice", (nice, nice.to_string()), "sched.nice", sched.nice)?;
        }
        for (field, name, own, annotated) in [
            ("process.scheduler.runtime", "sched.runtime", own.runtime, sched.runtime),
            ("process.scheduler.deadline", "sched.deadline", own.deadline, sched.deadline),
            ("process.scheduler.period", "sched.period", own.period, sched.period),
        ] {
            if let Some(own) = own.filter(|own| *own != 0) {
                let own = Duration::from_nanos(own);
                self.agree(field, (own, show(own)), name, annotated)?;
            }
        }
        let resets = own.flags.iter().any(|flag| flag.ends_with("RESET_ON_FORK"));
        if resets {
            self.agree(
                "process.scheduler.flags",
                (true, RESET_ON_FORK.into()),
                "sched.reset-on-fork",
                sched.reset_on_fork,
            )?;
        } else if sched.reset_on_fork == Some(true) {
            merged.flags.push(RESET_ON_FORK.into());
        }
        merged.priority = own.priority.or(sched.priority);
        merged.nice = own.nice.or(sched.nice);
        if policy == Some(Policy::Deadline) {
            self.fill_deadline(&mut merged);
        }
        Ok(merged)
    }

    /// The policy by annotations alone.
    fn annotated(&self) -> Result<Option<Scheduler>, Error> {
        let sched = &self.annotations.sched;
        let Some(policy) = sched.policy.or(sched.nice.map(|_| Policy::Other)) else {
            let why = "a figure without a policy has no effect";
            for name in ["sched.priority", "sched.runtime", "sched.deadline", "sched.period", "sched.reset-on-fork"] {
                self.annotations.needs(name, "org.rtrun.sched.policy or process.scheduler.policy", why)?;
            }
            return Ok(None);
        };
        let mut scheduler = Scheduler { policy: spelled(policy), nice: sched.nice, ..Scheduler::default() };
        if policy.has_priority() {
            scheduler.priority = Some(sched.priority.unwrap_or(DEFAULT_PRIORITY));
        }
        if sched.reset_on_fork == Some(true) {
            scheduler.flags.push(RESET_ON_FORK.into());
        }
        if policy == Policy::Deadline {
            if sched.runtime.is_none() || (sched.deadline.is_none() && sched.period.is_none()) {
                let needed = "org.rtrun.sched.runtime, and org.rtrun.sched.deadline or period";
                let why = "the reservation is runtime in each period";
                self.annotations.needs("sched.policy", needed, why)?;
            }
            self.fill_deadline(&mut scheduler);
        }
        Ok(Some(scheduler))
    }

    /// SCHED_DEADLINE's figures; of deadline and period either stands for both.
    fn fill_deadline(&self, scheduler: &mut Scheduler) {
        let sched = &self.annotations.sched;
        let nanoseconds = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let given =
            |own: Option<u64>, annotated: Option<Duration>| own.filter(|own| *own != 0).or(annotated.map(nanoseconds));
        let (deadline, period) = (given(scheduler.deadline, sched.deadline), given(scheduler.period, sched.period));
        scheduler.runtime = given(scheduler.runtime, sched.runtime);
        scheduler.deadline = deadline.or(period);
        scheduler.period = period.or(deadline);
    }

    /// The budget of an RT_GROUP_SCHED cgroup: named by a field, or by `sched.runtime` and `sched.period` beside
    /// SCHED_FIFO and SCHED_RR; for these two policies there is one in any case.
    pub(super) fn budget(&mut self) -> Result<Option<Budget>, Error> {
        let policy = self.oci.scheduler.map(|own| own.policy).or(self.annotations.sched.policy.map(spelled));
        let static_priority = policy.is_some_and(has_priority);
        let sched = &self.annotations.sched;
        let (runtime, period) = match static_priority {
            true => (sched.runtime, sched.period),
            false => (None, None),
        };
        let (own, own_period) = (self.oci.budget(), self.oci.realtime_period.map(Duration::from_micros));
        if let Some(own) = own {
            self.agree("linux.resources.cpu.realtimeRuntime", (own, show(own)), "sched.runtime", runtime)?;
        }
        if let Some(own) = own_period {
            self.agree("linux.resources.cpu.realtimePeriod", (own, show(own)), "sched.period", period)?;
        }
        if own.is_none() && !static_priority {
            return Ok(None);
        }
        Ok(Some(Budget { runtime: own.or(runtime), period: own_period.or(period).unwrap_or(BUDGET_PERIOD) }))
    }

    /// The CPUs.
    pub(super) fn cpus(&mut self) -> Result<Option<CpuSet>, Error> {
        let Some(list) = self.oci.cpus else { return Ok(self.annotations.cpus.clone()) };
        let own = CpuSet::parse(list).map_err(crate::sched::Error::from)?;
        self.agree("linux.resources.cpu.cpus", (own.clone(), own.to_string()), "cpus", self.annotations.cpus.clone())?;
        Ok(Some(own))
    }

    /// The partition.
    pub(super) fn partition(&mut self) -> Result<Partition, Error> {
        let asked = self.annotations.partition;
        if let Some(own) = self.oci.partition {
            let field = "linux.resources.unified[cpuset.cpus.partition]";
            self.agree(field, (own, own.to_owned()), "cpus.partition", asked.map(Partition::word))?;
        }
        Ok(asked.unwrap_or(Partition::Member))
    }

    /// The limit of locked memory, which must fit into the memory that there may be.
    pub(super) fn memory_lock(&mut self) -> Result<Option<MemoryLock>, Error> {
        let Some(lock) = self.annotations.memory_lock else { return Ok(None) };
        let bytes = match lock {
            MemoryLock::All => u64::MAX,
            MemoryLock::Bytes(bytes) => bytes,
        };
        if let Some(own) = self.oci.memlock {
            let shown = if own == u64::MAX { "unlimited".to_owned() } else { own.to_string() };
            self.agree("process.rlimits[RLIMIT_MEMLOCK]", (own, shown), "memory.lock", Some(bytes))?;
        }
        match (lock, self.oci.memory_limit, self.annotations.given("memory.lock")) {
            (MemoryLock::Bytes(bytes), Some(limit), Some((key, value)))
                if limit > 0 && bytes > limit.unsigned_abs() =>
            {
                Err(Error::LockLimit { key: key.into(), value: value.into(), limit })
            }
            _ => Ok(Some(lock)),
        }
    }

    /// What is done to the container's CPUs needs CPUs of its own: on all of the node's it would be done to everybody.
    pub(super) fn nothing_needs_cpus(&self) -> Result<(), Error> {
        let why = "it is done to the container's own CPUs";
        if self.annotations.exclusive {
            self.annotations.needs("cpus.exclusive", CPUS, why)?;
        }
        if self.annotations.partition.is_some_and(|partition| partition != Partition::Member) {
            self.annotations.needs("cpus.partition", CPUS, why)?;
        }
        for name in ["cpu.governor", "cpu.max-latency", "irq.affinity", "irq.devices"] {
            self.annotations.needs(name, CPUS, why)?;
        }
        Ok(())
    }
}

/// Whether a policy has a static priority.
pub(super) fn has_priority(policy: SchedulerPolicy) -> bool {
    matches!(policy, SchedulerPolicy::SchedFifo | SchedulerPolicy::SchedRr)
}

fn spelled(policy: Policy) -> SchedulerPolicy {
    match policy {
        Policy::Other => SchedulerPolicy::SchedOther,
        Policy::Fifo => SchedulerPolicy::SchedFifo,
        Policy::Rr => SchedulerPolicy::SchedRr,
        Policy::Batch => SchedulerPolicy::SchedBatch,
        Policy::Idle => SchedulerPolicy::SchedIdle,
        Policy::Deadline => SchedulerPolicy::SchedDeadline,
    }
}

/// SCHED_ISO is in the specification and in no kernel.
fn policy_of(policy: SchedulerPolicy) -> Option<Policy> {
    match policy {
        SchedulerPolicy::SchedOther => Some(Policy::Other),
        SchedulerPolicy::SchedFifo => Some(Policy::Fifo),
        SchedulerPolicy::SchedRr => Some(Policy::Rr),
        SchedulerPolicy::SchedBatch => Some(Policy::Batch),
        SchedulerPolicy::SchedIdle => Some(Policy::Idle),
        SchedulerPolicy::SchedDeadline => Some(Policy::Deadline),
        SchedulerPolicy::SchedIso => None,
    }
}
