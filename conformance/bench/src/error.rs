//! What can go wrong in the bench: the host lacks something, or a measured program failed.

use std::path::PathBuf;

/// An error of the bench.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed.
    #[error("{0}: {1}")]
    Call(&'static str, std::io::Error),
    /// A file could not be used.
    #[error("{verb} {path}: {source}")]
    File {
        /// What was tried.
        verb: &'static str,
        /// On what.
        path: PathBuf,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// A measured program failed.
    #[error("`{0}` failed: {1}")]
    Command(String, String),
    /// A container's process did not end in ten seconds.
    #[error("process {0} has not ended after 10 s")]
    NoEnd(i32),
    /// A word of a command holds a NUL byte.
    #[error("a NUL byte in an argument")]
    Word,
    /// A file does not hold what was expected there.
    #[error("{path}: {problem}")]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

/// The bench's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A file error.
    pub fn file(verb: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::File { verb, path: path.into(), source }
    }
}

/// Turns a raw call's −1 into an error with its errno.
pub fn sys<T: PartialEq + From<i8>>(call: &'static str, result: T) -> Result<T> {
    if result == T::from(-1) { Err(Error::Call(call, std::io::Error::last_os_error())) } else { Ok(result) }
}
