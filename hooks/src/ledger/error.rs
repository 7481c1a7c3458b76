use super::{Claim, Mode};
use nix::errno::Errno;
use std::path::PathBuf;

/// Why the ledger could not do what was asked. Nothing of it has been done then.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The ledger's directory.
    #[error("making the ledger's directory {path}: {errno}; it needs root, or give another root")]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        errno: Errno,
    },
    /// The lock.
    #[error("locking the ledger at {path}: {errno}")]
    Lock {
        /// Its file.
        path: PathBuf,
        /// What the kernel said.
        errno: Errno,
    },
    /// The lock stayed with another.
    #[error(
        "the ledger at {path} stayed locked for {seconds} s by process {holder}; see whether that one is stopped or hung"
    )]
    Busy {
        /// The lock file.
        path: PathBuf,
        /// pid that the holder has written there.
        holder: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// A file of the ledger or of `/proc`.
    #[error("{step} {path}: {errno}")]
    File {
        /// Reading, writing or renaming.
        step: &'static str,
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        errno: Errno,
    },
    /// The ledger's file is not what was written there.
    #[error(
        "{path} can't be read as the ledger: {message}; when no container runs, remove it and look at the masks in /proc/irq"
    )]
    Malformed {
        /// Which.
        path: PathBuf,
        /// The parser's words.
        message: String,
    },
    /// The owner is not a live process.
    #[error("container {id:?} can't own anything: reading its init, process {pid}: {errno}")]
    Owner {
        /// The container.
        id: String,
        /// Its init.
        pid: i32,
        /// ESRCH or ENOENT when it has ended.
        errno: Errno,
    },
    /// A claim that no host could give.
    #[error("{claim:?}: {problem}")]
    Claim {
        /// Which.
        claim: Claim,
        /// Why.
        problem: String,
    },
    /// A lease that is another's.
    #[error("{what} is held {mode} by container {holder:?} (process {pid}); end that one, or name another")]
    Held {
        /// `CPUs 2-3` or `device bc635:0`.
        what: String,
        /// How the other holds it.
        mode: Mode,
        /// The other container.
        holder: String,
        /// Its init.
        pid: i32,
    },
    /// Two governors for one CPU.
    #[error(
        "CPUs {cpus} have governor {governor:?} for container {holder:?} (process {pid}); ask for the same, or for other CPUs"
    )]
    Governor {
        /// The CPUs that both name.
        cpus: crate::CpuSet,
        /// The other's governor.
        governor: String,
        /// The other container.
        holder: String,
        /// Its init.
        pid: i32,
    },
}
