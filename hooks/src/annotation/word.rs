//! The values that are one word of a few.

use super::value::words;

words! {
    /// `sched.policy`, `sched(7)`.
    Policy {
        /// Time sharing.
        Other = "SCHED_OTHER",
        /// Real time, first in, first out.
        Fifo = "SCHED_FIFO",
        /// Real time, round robin.
        Rr = "SCHED_RR",
        /// Time sharing without wake-up preemption.
        Batch = "SCHED_BATCH",
        /// Only when nothing else wants the CPU.
        Idle = "SCHED_IDLE",
        /// Earliest deadline first, with a reserved bandwidth.
        Deadline = "SCHED_DEADLINE",
    }
}

impl Policy {
    /// With or without `SCHED_`, in any letter case.
    ///
    /// # Errors
    /// What is wrong with the text, as the end of a sentence that names it, with the nearest policy.
    pub fn read(text: &str) -> Result<Policy, String> {
        let upper = text.to_ascii_uppercase();
        Policy::parse(&format!("SCHED_{}", upper.strip_prefix("SCHED_").unwrap_or(&upper)))
    }

    /// Whether it has a static priority, 1 to 99.
    pub fn has_priority(self) -> bool {
        matches!(self, Policy::Fifo | Policy::Rr)
    }
}

words! {
    /// `cpus.partition`: what becomes of the CPUs' scheduling domain (`cgroup-v2.rst`, `cpuset.cpus.partition`).
    Partition {
        /// CPUs of the common domain.
        Member = "member",
        /// A domain of their own, load-balanced within.
        Root = "root",
        /// A domain of their own without load balancing.
        Isolated = "isolated",
    }
}

words! {
    /// `clock.require`: the clock gate's least state.
    ClockState {
        /// Nothing is asked of the clock.
        None = "none",
        /// It was synchronised, and drifts within its bound.
        Holdover = "holdover",
        /// It is synchronised.
        Locked = "locked",
    }
}

words! {
    /// `clock.on-timeout`: when the clock is not good enough in time.
    OnTimeout {
        /// The container does not start.
        Fail = "fail",
        /// It starts, and the report says so.
        Warn = "warn",
    }
}

words! {
    /// `verify`: what becomes of an effect that the kernel does not show.
    Verify {
        /// The container is ended and all is undone.
        Strict = "strict",
        /// It is told and kept in the report.
        Warn = "warn",
        /// Nothing is read back.
        Off = "off",
    }
}
