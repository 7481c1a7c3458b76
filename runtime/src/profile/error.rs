use crate::sched;
use rtrun_hooks::annotation;

/// Why a container's real-time wishes can't be one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The annotations by themselves.
    #[error(transparent)]
    Annotation(#[from] annotation::Error),
    /// A field of config.json and an annotation that ask for different things.
    #[error("{field}={field_value} contradicts {key}={value}: both ask for the same, differently; give one of them")]
    Contradiction {
        /// The field.
        field: &'static str,
        /// What it holds.
        field_value: Box<str>,
        /// The annotation.
        key: Box<str>,
        /// What it holds.
        value: Box<str>,
    },
    /// More memory to be locked than there may be.
    #[error(
        "annotations: {key}={value} is more than linux.resources.memory.limit={limit}: the container would be killed"
    )]
    LockLimit {
        /// The annotation.
        key: Box<str>,
        /// What it holds.
        value: Box<str>,
        /// Bytes.
        limit: i64,
    },
    /// A field, or the policy that it all comes to.
    #[error(transparent)]
    Sched(#[from] sched::Error),
}
