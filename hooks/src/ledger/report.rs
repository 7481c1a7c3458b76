use crate::knob::{Target, Value};
use nix::errno::Errno;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What became of each kernel file that the claims concern.
#[derive(Clone, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
pub struct Report {
    /// One a file, sorted.
    pub outcomes: Vec<Outcome>,
}

impl Report {
    /// What is not as asked, although a host may have it so. An interrupt that the kernel lets nobody move is none.
    pub fn failures(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(|outcome| matches!(outcome.effect, Effect::Refused { .. } | Effect::Absent))
    }

    /// The interrupts that stay where nobody wants them.
    pub fn unmovable(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(|outcome| match (&outcome.effect, &outcome.wanted, &outcome.found) {
            (Effect::Unmovable { .. }, Value::Cpus(wanted), Some(Value::Cpus(found))) => !found.is_subset(wanted),
            (Effect::Unmovable { .. }, ..) => true,
            _ => false,
        })
    }
}

/// One kernel file.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Outcome {
    /// Which.
    pub target: Target,
    /// What the claims and the original value come to.
    pub wanted: Value,
    /// What was read back; for an interrupt, the CPUs it is really served on.
    pub found: Option<Value>,
    /// How that came about.
    pub effect: Effect,
}

/// How a kernel file took its value.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// It had it.
    Kept,
    /// It was written and reads so.
    Set,
    /// It was written; the interrupt moves when it next fires, and irqbalance heeds it in its next round.
    Pending,
    /// No claim concerns it any more: it has the value from before the first one.
    Restored,
    /// The kernel manages this interrupt's CPUs itself, or the interrupt is bound to one.
    Unmovable {
        /// EIO, or EPERM on newer kernels.
        errno: String,
    },
    /// The kernel refused; tried again when next somebody takes the lock.
    Refused {
        /// What it said.
        errno: String,
        /// What that stands for here, and what to do.
        why: String,
    },
    /// This host has no such file.
    Absent,
}

impl Effect {
    pub(super) fn refused(errno: Errno, why: &str) -> Effect {
        Effect::Refused { errno: errno.to_string(), why: why.to_owned() }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome { target, wanted, found, effect } = self;
        let found = || found.as_ref().map_or("unreadable".to_owned(), Value::to_string);
        match effect {
            Effect::Kept => write!(f, "{target}: {wanted}, as before"),
            Effect::Set => write!(f, "{target}: {wanted}"),
            Effect::Pending if *target == Target::Irqbalance => write!(f, "{target}: {wanted}, from its next round on"),
            Effect::Pending => write!(f, "{target}: {wanted}, from its next interrupt on; now on {}", found()),
            Effect::Restored => write!(f, "{target}: {wanted}, as before the first container"),
            Effect::Unmovable { errno } => {
                write!(
                    f,
                    "{target}: stays on {}: the kernel lets nobody move it ({errno}); isolcpus=managed_irq,… keeps it off at boot",
                    found()
                )
            }
            Effect::Refused { errno, why } => write!(f, "{target}: wanted {wanted}, is {}: {errno}: {why}", found()),
            Effect::Absent => write!(f, "{target}: wanted {wanted}: this host has no such setting"),
        }
    }
}
