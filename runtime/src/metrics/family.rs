//! What there is to be measured: each family once.

/// What a family's samples are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A value that goes up and down.
    Gauge,
    /// A sum that only grows while its thread or container lives; its sample's name ends in `_total`.
    Counter,
    /// Constants in labels; its sample's name ends in `_info`.
    Info,
    /// One of several states: the label named as the family says which, 1 is the one it is in.
    StateSet,
}

impl Kind {
    /// As OpenMetrics spells it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
            Kind::Info => "info",
            Kind::StateSet => "stateset",
        }
    }

    /// What a sample's name has after the family's.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Kind::Gauge | Kind::StateSet => "",
            Kind::Counter => "_total",
            Kind::Info => "_info",
        }
    }
}

/// A family of samples.
#[derive(Debug, Eq, PartialEq)]
pub struct Family {
    /// Without the sample's suffix; ends in the unit, if there is one.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// `seconds`, `bytes`, or nothing.
    pub unit: &'static str,
    /// Of each sample, in order.
    pub labels: &'static [&'static str],
    /// One sentence.
    pub help: &'static str,
}

macro_rules! families {
    ($($id:ident: $kind:ident $name:literal $unit:literal $labels:ident, $help:literal;)*) => {
        $(#[doc = $help] pub(super) const $id: &Family = &Family {
            name: $name, kind: Kind::$kind, unit: $unit, labels: $labels, help: $help,
        };)*
        /// All families, in the order in which they are written.
        pub const FAMILIES: &[&Family] = &[$($id),*];
    };
}

const NODE: &[&str] = &[];
const BUILD: &[&str] = &["version"];
const CONTAINER: &[&str] = &["container"];
const ASKED: &[&str] = &["container", "bundle", "cpus"];
const STATUS: &[&str] = &["container", "rtrun_container_status"];
const PHASE: &[&str] = &["container", "phase"];
const INTERRUPT: &[&str] = &["container", "cpu", "source"];
const FAULT: &[&str] = &["container", "kind"];
const THREAD: &[&str] = &["container", "pid", "tid"];
const NAMED_THREAD: &[&str] = &["container", "pid", "tid", "name", "policy"];

families! {
    BUILD_INFO: Info "rtrun_build" "" BUILD, "The rtrun that wrote this.";
    CLOCK_SYNCHRONISED: Gauge "rtrun_clock_synchronised" "" NODE,
        "1 while the kernel holds the system clock for synchronised (adjtimex), 0 otherwise.";
    CLOCK_OFFSET: Gauge "rtrun_clock_offset_seconds" "seconds" NODE, "What remains of the clock's last correction.";
    CLOCK_MAX_ERROR: Gauge "rtrun_clock_max_error_seconds" "seconds" NODE, "Bound of the clock's error.";
    CLOCK_ESTIMATED_ERROR: Gauge "rtrun_clock_estimated_error_seconds" "seconds" NODE, "Estimate of the clock's error.";
    CLOCK_TAI_OFFSET: Gauge "rtrun_clock_tai_offset_seconds" "seconds" NODE, "TAI minus UTC; 0 if nobody has told the kernel.";

    CONTAINER_INFO: Info "rtrun_container" "" ASKED, "A container, and the CPUs that it asked for.";
    CONTAINER_STATUS: StateSet "rtrun_container_status" "" STATUS, "The container's status.";
    CONTAINER_CREATED: Gauge "rtrun_container_created_timestamp_seconds" "seconds" CONTAINER, "When it was created, UNIX time.";
    START_PHASE: Gauge "rtrun_container_start_phase_seconds" "seconds" PHASE, "How long each part of its start took.";
    VERIFIED: Gauge "rtrun_container_verified" "" CONTAINER,
        "1 if the kernel showed at its start all that it asked for, 0 if not; absent if nothing was asked.";
    DIFFERENCES: Gauge "rtrun_container_verify_differences" "" CONTAINER, "How many effects differed from what was asked.";
    LATENCY_BUDGET: Gauge "rtrun_container_latency_budget_seconds" "seconds" CONTAINER, "Its org.rtrun.latency.budget.";
    CPU: Counter "rtrun_container_cpu_seconds" "seconds" CONTAINER, "CPU time that it has used.";
    CPU_PERIODS: Counter "rtrun_container_cpu_periods" "" CONTAINER, "Periods of its CFS quota.";
    CPU_THROTTLED_PERIODS: Counter "rtrun_container_cpu_throttled_periods" "" CONTAINER, "Periods in which the quota was used up.";
    CPU_THROTTLED: Counter "rtrun_container_cpu_throttled_seconds" "seconds" CONTAINER, "Time for which the quota stopped it.";
    RT_RUNTIME: Gauge "rtrun_container_rt_runtime_seconds" "seconds" CONTAINER,
        "Its real-time budget a period (RT_GROUP_SCHED, cgroup v1).";
    RT_PERIOD: Gauge "rtrun_container_rt_period_seconds" "seconds" CONTAINER, "Period of the real-time budget.";
    RT_RUN: Counter "rtrun_container_rt_run_seconds" "seconds" CONTAINER,
        "CPU time of its live threads that are SCHED_FIFO, SCHED_RR or SCHED_DEADLINE now: what the budget is used for.";
    MEMORY: Gauge "rtrun_container_memory_bytes" "bytes" CONTAINER, "Memory that it uses, page cache included.";
    MEMORY_PEAK: Gauge "rtrun_container_memory_peak_bytes" "bytes" CONTAINER, "The most that it has used.";
    MEMORY_LIMIT: Gauge "rtrun_container_memory_limit_bytes" "bytes" CONTAINER, "Its limit; absent without one.";
    SWAP: Gauge "rtrun_container_swap_bytes" "bytes" CONTAINER, "Swap that it uses: 0 for a container that locks its memory.";
    FAULTS: Counter "rtrun_container_page_faults" "" FAULT,
        "Page faults of its processes after its start: a major one of a container that locks its memory is a broken promise.";
    TASKS: Gauge "rtrun_container_tasks" "" CONTAINER, "Tasks (threads) in its cgroup.";
    INTERRUPTS: Counter "rtrun_container_interrupts" "" INTERRUPT,
        "Interrupts on the CPUs that it asked for, since its start: of devices, of the local timer, others.";

    THREAD_INFO: Info "rtrun_thread" "" NAMED_THREAD, "A thread, its name and its scheduling policy.";
    THREAD_PRIORITY: Gauge "rtrun_thread_priority" "" THREAD, "Real-time priority, 1 to 99; 0 for other policies.";
    THREAD_NICE: Gauge "rtrun_thread_nice" "" THREAD, "Nice value, -20 to 19.";
    THREAD_RUN: Counter "rtrun_thread_run_seconds" "seconds" THREAD, "Time on a CPU.";
    THREAD_WAIT: Counter "rtrun_thread_wait_seconds" "seconds" THREAD, "Time that it was runnable and waited for a CPU.";
    THREAD_SLICES: Counter "rtrun_thread_timeslices" "" THREAD, "How often it was put on a CPU.";
    THREAD_VOLUNTARY: Counter "rtrun_thread_voluntary_switches" "" THREAD, "Switches away because it waited for something.";
    THREAD_INVOLUNTARY: Counter "rtrun_thread_involuntary_switches" "" THREAD, "Switches away because something else was to run.";
    THREAD_MIGRATIONS: Counter "rtrun_thread_migrations" "" THREAD, "How often it has changed its CPU.";
    THREAD_OUTSIDE: Gauge "rtrun_thread_outside_cpus" "" THREAD,
        "1 if it ran last, or may run, on a CPU that its container did not ask for.";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// OpenMetrics 1.0: units are suffixes, counters' families don't end in the sample's suffix, names are unique.
    #[test]
    fn names_follow_the_specification() {
        for family in FAMILIES {
            let Family { name, unit, kind, help, labels } = family;
            assert!(name.starts_with("rtrun_") && help.ends_with('.'), "{name}");
            assert!(unit.is_empty() || name.ends_with(&format!("_{unit}")), "{name} lacks its unit");
            assert!(!name.ends_with("_total") && !name.ends_with("_info"), "{name}");
            assert_eq!(*kind == Kind::StateSet, labels.contains(name), "{name}: a state set has a label of its name");
            assert_eq!(FAMILIES.iter().filter(|other| other.name == *name).count(), 1, "{name} twice");
        }
    }
}
