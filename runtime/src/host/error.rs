use std::io;
use std::path::PathBuf;

/// Why the host can't be looked at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory of the kernel can't be read.
    #[error("reading {path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A file of the kernel is not what it is documented to be.
    #[error("{path}: {text:?} is not {wanted}")]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What it says.
        text: String,
        /// What was expected.
        wanted: &'static str,
    },
    /// A file that every kernel has is missing.
    #[error("{path} is not there: is it mounted?")]
    Missing {
        /// Which.
        path: PathBuf,
    },
    /// A system call failed.
    #[error("{call}: {errno}")]
    Call {
        /// Which.
        call: &'static str,
        /// What the kernel said.
        errno: nix::errno::Errno,
    },
}
