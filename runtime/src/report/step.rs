use rtrun_hooks::CpuSet;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is done for a container, from the plan to its proof.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Step {
    /// What kind of thing.
    pub what: What,
    /// Which one: a file, a device, the CPUs of a lease.
    pub target: String,
    /// What it is to be.
    pub value: String,
    /// The annotation or the field of config.json that asked.
    pub asked: String,
    /// How the kernel shows that it is so.
    pub proof: Proof,
    /// What came of it; absent before the container has started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// The kinds of steps, in the order in which they are done.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A file of the container's cgroup.
    Cgroup,
    /// CPUs or a device, taken in the node's ledger.
    Lease,
    /// A node, a mount or a variable that the container gets.
    Device,
    /// A setting of the node, changed while somebody asks for it.
    Node,
    /// The scheduling domain of the container's CPUs.
    Partition,
    /// What the clock must be.
    Clock,
    /// `setrlimit(2)`.
    Limit,
    /// The program's file in memory.
    Prefault,
    /// `sched_setattr(2)`, and the CPUs that it leaves the process.
    Scheduler,
}

/// How a step is read back from the kernel.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// It can't be, or it is known when it is done: a lease.
    None,
    /// The file has this text.
    Text(PathBuf),
    /// The file has this text as its first word.
    Word(PathBuf),
    /// The file has this list of CPUs.
    List(PathBuf),
    /// The file has this number, or a greater.
    AtLeast(PathBuf),
    /// `Cpus_allowed_list` of the process.
    Affinity(CpuSet),
    /// `sched_getattr(2)` of the process.
    Scheduler,
    /// `getrlimit(2)` of the process, soft and hard, in the resource's unit.
    Limit {
        /// `RLIMIT_MEMLOCK`.
        name: String,
        /// Bytes; `u64::MAX` is no limit.
        value: u64,
    },
}

/// What came of a step.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Outcome {
    /// What was read back; absent where nothing could be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// Whether it is as asked.
    pub holds: bool,
    /// The kernel's words, or what was done, where there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Step {
    /// A step that nobody can read back.
    pub fn new(what: What, target: impl Into<String>, value: impl Into<String>, asked: &str) -> Step {
        let (target, value) = (target.into(), value.into());
        Step { what, target, value, asked: asked.to_owned(), proof: Proof::None, outcome: None }
    }

    /// A file of the kernel that is to have this text.
    pub fn file(what: What, path: &Path, value: impl Into<String>, asked: &str) -> Step {
        let step = Step::new(what, path.display().to_string(), value, asked);
        step.proven(Proof::Text(path.to_owned()))
    }

    /// The same step, proven in this way.
    pub fn proven(mut self, proof: Proof) -> Step {
        self.proof = proof;
        self
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(match self {
            What::Cgroup => "cgroup",
            What::Lease => "lease",
            What::Device => "device",
            What::Node => "node",
            What::Partition => "partition",
            What::Clock => "clock",
            What::Limit => "limit",
            What::Prefault => "prefault",
            What::Scheduler => "scheduler",
        })
    }
}

/// As an error has it: `cpuset.cpus.partition: asked for isolated (org.rtrun.cpus.partition), the kernel has member`.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Step { target, value, asked, .. } = self;
        write!(f, "{target}: asked for {value} ({asked})")?;
        let Some(outcome) = &self.outcome else { return Ok(()) };
        match &outcome.found {
            Some(found) => write!(f, ", the kernel has {found}")?,
            None => f.write_str(", and it can't be read back")?,
        }
        outcome.note.iter().try_for_each(|note| write!(f, ": {note}"))
    }
}
