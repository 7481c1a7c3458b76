//! What was asked for a container, what was done, and what the kernel shows of it: kept in the container's state, shown by
//! `rtrun inspect`.

mod baseline;
mod readback;
mod step;

pub use baseline::{Baseline, Interrupts, faults, interrupts};
pub use readback::read_back;
pub use step::{Outcome, Proof, Step, What};

use rtrun_hooks::CpuSet;
use rtrun_hooks::annotation::{Partition, Verify};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// The real-time part of a container's state.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Realtime {
    /// What becomes of a step that does not hold.
    pub verify: Verify,
    /// The container's own CPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<CpuSet>,
    /// Whether the node's ledger has claims of the container.
    #[serde(default)]
    pub booked: bool,
    /// Their scheduling domain.
    pub partition: Partition,
    /// `latency.budget`, nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_budget: Option<u64>,
    /// In the order in which they were done.
    pub steps: Vec<Step>,
    /// What the plan had to say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// How long the start took, phase by phase.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phase>,
    /// What the kernel had counted when the user's program was about to begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
}

/// A part of the time from `create` to the user's program.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Phase {
    /// `plan`, `cgroup`, `init`, `node`, `hooks`, `schedule`, `verify`.
    pub name: String,
    /// How long it took.
    pub nanoseconds: u64,
}

/// Takes the time between phases.
#[derive(Debug)]
pub struct Stopwatch {
    last: Instant,
    /// Those that have ended.
    pub phases: Vec<Phase>,
}

impl Default for Stopwatch {
    fn default() -> Self {
        Stopwatch { last: Instant::now(), phases: Vec::new() }
    }
}

impl Stopwatch {
    /// Ends the phase that has run since the last one, or since the beginning.
    pub fn end(&mut self, name: &str) {
        let now = Instant::now();
        self.phases.push(Phase { name: name.to_owned(), nanoseconds: nanoseconds(now - self.last) });
        self.last = now;
    }
}

/// A duration for the state file.
pub fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Realtime {
    /// The steps that are not as asked.
    pub fn differences(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.outcome.as_ref().is_some_and(|outcome| !outcome.holds))
    }

    /// Whether the container's steps have been read back and all hold; nothing before it has started, or where nothing was
    /// to be read back.
    pub fn holds(&self) -> Option<bool> {
        let read = self.steps.iter().all(|step| step.proof == Proof::None || step.outcome.is_some());
        read.then(|| self.differences().next().is_none())
    }
}
