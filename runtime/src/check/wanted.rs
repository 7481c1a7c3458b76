use crate::sched::CpuSet;
use crate::spec::{SchedulerPolicy, Spec};
use rtrun_hooks::annotation::{self, Annotations, ClockState, Partition};
use std::time::Duration;

/// What a container asks of the host; all of it open when nobody is asked about.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// CPUs that it names.
    pub cpus: Option<CpuSet>,
    /// Its policy: `None` where no container is asked about, which may then be any.
    pub policy: Option<Policy>,
    /// The partition of its CPUs.
    pub partition: Option<Partition>,
    /// Largest offset of its clock, and the state that it waits for.
    pub clock: Option<(ClockState, Option<Duration>)>,
    /// Its annotations.
    pub annotations: Annotations,
}

/// What kind of policy a container has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Policy {
    /// SCHED_OTHER, SCHED_BATCH, SCHED_IDLE.
    Ordinary,
    /// SCHED_FIFO, SCHED_RR.
    Priority,
    /// SCHED_DEADLINE.
    Deadline,
}

impl Wanted {
    /// What a configuration asks for, by its fields and its annotations.
    ///
    /// # Errors
    /// A wrong annotation.
    pub fn of(spec: &Spec) -> Result<Wanted, annotation::Error> {
        let annotations = Annotations::parse(&spec.annotations)?;
        let scheduler = spec.process.as_ref().and_then(|process| process.scheduler.as_ref());
        let by_field = scheduler.map(|scheduler| match scheduler.policy {
            SchedulerPolicy::SchedFifo | SchedulerPolicy::SchedRr => Policy::Priority,
            SchedulerPolicy::SchedDeadline => Policy::Deadline,
            _ => Policy::Ordinary,
        });
        let by_annotation = annotations.sched.policy.map(|policy| match policy {
            annotation::Policy::Deadline => Policy::Deadline,
            policy if policy.has_priority() => Policy::Priority,
            _ => Policy::Ordinary,
        });
        let cpu = spec.linux.resources.as_ref().and_then(|resources| resources.cpu.as_ref());
        let listed = cpu.and_then(|cpu| cpu.cpus.as_deref()).filter(|list| !list.trim().is_empty());
        Ok(Wanted {
            cpus: annotations.cpus.clone().or_else(|| listed.and_then(|list| CpuSet::parse(list).ok())),
            policy: by_annotation.or(by_field).or(Some(Policy::Ordinary)),
            partition: annotations.partition,
            clock: annotations.clock.require.map(|state| (state, annotations.clock.max_offset)),
            annotations,
        })
    }

    /// Whether latency counts: always, unless the container asked about has an ordinary policy.
    pub(super) fn is_real_time(&self) -> bool {
        self.policy != Some(Policy::Ordinary)
    }
}
