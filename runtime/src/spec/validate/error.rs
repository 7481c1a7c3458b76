use nix::errno::Errno;
use rtrun_hooks::{annotation, nearest};
use std::path::PathBuf;

/// Why a configuration can't be run; each names the field.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// A container ID outside of runc's alphabet.
    #[error("invalid container id {0:?}: 1 to 1024 letters, digits and _+.- are allowed, and not . or .. alone")]
    Id(String),
    /// The name of what is no container.
    #[error("invalid container id {0:?}: it is the name of the node's ledger; take another")]
    LedgersId(String),
    /// Not a 1.x.
    #[error("ociVersion: {0:?} is not a version of the specification that is understood; any 1.x is")]
    OciVersion(String),
    /// Needed and absent.
    #[error("{0}: is required and is missing or empty")]
    Missing(String),
    /// A path or string that no system call can take.
    #[error("{0}: contains a NUL byte")]
    Nul(String),
    /// A relative path where the specification asks for an absolute one.
    #[error("{field}: {path:?} must be an absolute path")]
    Relative {
        /// Which field.
        field: String,
        /// What it holds.
        path: PathBuf,
    },
    /// The root filesystem is not there.
    #[error("root.path: {path:?} is not an existing directory: {errno}")]
    NoRoot {
        /// Where it should be.
        path: PathBuf,
        /// What the kernel said of it.
        errno: Errno,
    },
    /// Not in the list of names; the nearest is proposed.
    #[error("{field}: unknown name {name:?}; did you mean {:?}?", nearest(name, known.iter().copied()))]
    Unknown {
        /// Which field.
        field: String,
        /// What it holds.
        name: String,
        /// What it could.
        known: &'static [&'static str],
    },
    /// The same thing twice.
    #[error("{field}: {name} is there more than once")]
    Duplicate {
        /// Which field.
        field: String,
        /// What is repeated.
        name: String,
    },
    /// A number outside its range.
    #[error("{field}: {value} is not within {low} to {high}")]
    Range {
        /// Which field.
        field: String,
        /// What it holds.
        value: i128,
        /// The least.
        low: i128,
        /// The greatest.
        high: i128,
    },
    /// A value of the wrong form.
    #[error("{field}: {value:?}: {why}")]
    Form {
        /// Which field.
        field: String,
        /// What it holds.
        value: String,
        /// What is wrong with it, and what would be right.
        why: &'static str,
    },
    /// A field that only has a meaning in a namespace that was not asked for.
    #[error("{field}: needs a {namespace} namespace of the container's own, and linux.namespaces has none")]
    NeedsNamespace {
        /// Which field.
        field: String,
        /// Which kind of namespace.
        namespace: &'static str,
    },
    /// Two fields that exclude each other.
    #[error("{field}: can't be combined with {other}")]
    Conflict {
        /// Which field.
        field: String,
        /// The other.
        other: String,
    },
    /// Soft above hard.
    #[error("process.rlimits: {kind}: the soft limit {soft} is above the hard limit {hard}")]
    SoftAboveHard {
        /// The limit.
        kind: String,
        /// Soft.
        soft: u64,
        /// Hard.
        hard: u64,
    },
    /// An environment entry that is no assignment.
    #[error("{field}: {entry:?} must be NAME=value with a name that is not empty")]
    Env {
        /// Which field.
        field: String,
        /// The entry.
        entry: String,
    },
    /// Two mappings that share IDs.
    #[error("{field}: {side} IDs of mapping {second} overlap those of mapping {first}")]
    Overlap {
        /// Which field.
        field: String,
        /// `container` or `host`.
        side: &'static str,
        /// Index.
        first: usize,
        /// Index.
        second: usize,
    },
    /// A user or group that does not exist in the user namespace.
    #[error("{field}: {id} is in no line of {mapping}, so that it does not exist in the container")]
    Unmapped {
        /// Which field.
        field: String,
        /// The ID.
        id: u32,
        /// The mapping's field.
        mapping: &'static str,
    },
    /// A sysctl that is the whole host's.
    #[error("linux.sysctl: {0:?} belongs to no namespace: setting it would change the host")]
    HostSysctl(String),
    /// A sysctl of a namespace that the container shares with the host.
    #[error("linux.sysctl: {key:?} belongs to the {namespace} namespace, which the container shares with the host")]
    SharedSysctl {
        /// The key.
        key: String,
        /// Which kind of namespace.
        namespace: &'static str,
    },
    /// An annotation of ours that can't be obeyed.
    #[error(transparent)]
    Annotation(#[from] annotation::Error),
    /// One of the kernel's scheduling conditions.
    #[error("process.scheduler: {policy}: {why}")]
    Scheduler {
        /// The policy.
        policy: String,
        /// What the kernel would refuse.
        why: &'static str,
    },
    /// A seccomp rule that can't be.
    #[error("{field}: {why}")]
    Seccomp {
        /// Which field.
        field: String,
        /// What is wrong.
        why: &'static str,
    },
}
