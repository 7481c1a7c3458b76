//! Checkpoint and restore, by driving the `criu` command: its options are its stable interface, and a library for its
//! RPC would weigh more than what it saves on a path that takes a second anyway.

mod checkpoint;
mod external;
mod restore;

pub use checkpoint::{CheckpointOptions, checkpoint};
pub use restore::{RestoreOptions, restore};

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// Why a container can't be checkpointed or restored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no criu.
    #[error("no criu binary {0:?}: install CRIU, or name it with --criu")]
    NoCriu(PathBuf),
    /// criu can't work on this kernel.
    #[error("{criu}: `criu check` failed on this host ({status}): {message}")]
    Unusable {
        /// Which binary.
        criu: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        message: String,
    },
    /// criu failed.
    #[error("criu {action} failed ({status}), see {log}: {message}")]
    Failed {
        /// The sub-command.
        action: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// Its log.
        log: PathBuf,
        /// The errors in the log.
        message: String,
    },
    /// A file of the checkpoint or the container.
    #[error("{step} {path}: {source}")]
    File {
        /// What was tried.
        step: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The container is not in a state to be checkpointed.
    #[error("can't checkpoint container {id}, which is {status}: container not running")]
    NotRunning {
        /// Its name.
        id: String,
        /// Its status.
        status: crate::state::Status,
    },
    /// What criu's command line can't carry.
    #[error("{field}: can't be checkpointed or restored: {why}")]
    Unsupported {
        /// The field.
        field: &'static str,
        /// Why.
        why: &'static str,
    },
    /// A file of the checkpoint is not what `checkpoint` writes.
    #[error("{path}: {source}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// The restored process can't be waited for.
    #[error("waiting for the restored process: {0}")]
    Wait(nix::errno::Errno),
    /// criu has said that it is done, and there is no process.
    #[error("the restored process ended before it could be recorded")]
    Gone,
    /// The configuration.
    #[error(transparent)]
    Spec(#[from] crate::spec::Error),
    /// The configuration.
    #[error(transparent)]
    Invalid(#[from] crate::spec::validate::Error),
    /// The container's directory.
    #[error(transparent)]
    State(#[from] crate::state::Error),
    /// The cgroup.
    #[error(transparent)]
    Cgroup(#[from] crate::cgroup::Error),
    /// What follows a checkpoint or a foreground restore: the deletion.
    #[error(transparent)]
    Launch(#[from] crate::launch::Error),
}

/// Finds criu and asks it whether this kernel has what it needs.
///
/// # Errors
/// [`Error::NoCriu`], [`Error::Unusable`] with criu's own words.
pub fn usable(path: Option<&Path>) -> Result<PathBuf, Error> {
    let criu = path.unwrap_or(Path::new("criu")).to_path_buf();
    let output = match Command::new(&criu).arg("check").stdin(Stdio::null()).output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Error::NoCriu(criu)),
        other => other.map_err(|source| Error::File { step: "running", path: criu.clone(), source })?,
    };
    if output.status.success() {
        return Ok(criu);
    }
    let message = one_line(&String::from_utf8_lossy(&output.stderr));
    Err(Error::Unusable { criu, status: output.status, message })
}

/// Runs criu with its log in `work`; what it logged as errors is told on failure.
fn run(criu: &Path, action: &'static str, work: &Path, arguments: Vec<String>) -> Result<(), Error> {
    let log = work.join(format!("{action}.log"));
    let status = Command::new(criu)
        .arg(action)
        .args(["-v4", "--log-file"])
        .arg(format!("{action}.log"))
        .arg("--work-dir")
        .arg(work)
        .args(arguments)
        .status()
        .map_err(|source| Error::File { step: "running", path: criu.into(), source })?;
    if status.success() {
        return Ok(());
    }
    let text = fs::read_to_string(&log).unwrap_or_default();
    let errors: Vec<&str> = text.lines().filter(|line| line.contains("Error (")).collect();
    Err(Error::Failed { action, status, log, message: errors.join("; ") })
}

fn one_line(text: &str) -> String {
    text.trim().lines().map(str::trim).collect::<Vec<_>>().join("; ")
}

/// Makes a directory that only root can read: the images hold the container's memory.
fn private_directory(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|source| Error::File {
        step: "making",
        path: path.into(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_binary_is_named() {
        let error = usable(Some(Path::new("/no/such/criu"))).unwrap_err().to_string();
        assert!(error.contains("no criu binary \"/no/such/criu\""), "{error}");
    }

    #[test]
    fn what_criu_says_is_told() {
        let error = usable(Some(Path::new("/bin/false"))).unwrap_err();
        assert!(matches!(error, Error::Unusable { .. }), "{error}");
    }
}
