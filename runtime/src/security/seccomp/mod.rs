//! The system call filter, `seccomp(2)`: OCI profile to BPF, loading, and the notify descriptor's way to its agent.

mod abi;
mod action;
mod assembler;
mod compile;
mod condition;
mod features;
mod listener;
mod multiplex;
mod table;

#[cfg(test)]
mod tests;

pub use features::{Features, features};
pub use listener::{connect_listener, send_listener};

use crate::spec::{Seccomp, SeccompAction};
use abi::Abi;
use nix::errno::Errno;
use seccompiler::sock_filter;
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Why a filter can't be made, loaded, or handed to its agent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field is out of range or contradicts another.
    #[error("{field}: {problem}")]
    Field {
        /// Path of the field.
        field: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// The profile is larger than the kernel's limit of 4096 instructions.
    #[error(
        "linux.seccomp: the profile needs {length} BPF instructions, and the kernel takes 4096; name fewer arguments"
    )]
    TooLong {
        /// Instructions needed.
        length: usize,
    },
    /// `seccomp(2)` was refused.
    #[error("linux.seccomp: loading the filter of {length} instructions with flags {flags:#x}: {errno}: {why}")]
    Load {
        /// Instructions.
        length: usize,
        /// `SECCOMP_FILTER_FLAG_*`.
        flags: libc::c_ulong,
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

const TSYNC: libc::c_ulong = 1 << 0;
const LOG: libc::c_ulong = 1 << 1;
const SPEC_ALLOW: libc::c_ulong = 1 << 2;
const NEW_LISTENER: libc::c_ulong = 1 << 3;
const TSYNC_ESRCH: libc::c_ulong = 1 << 4;
const WAIT_KILLABLE_RECV: libc::c_ulong = 1 << 5;

/// The flags that a configuration can ask for.
const FLAGS: [(&str, libc::c_ulong); 4] = [
    ("SECCOMP_FILTER_FLAG_TSYNC", TSYNC),
    ("SECCOMP_FILTER_FLAG_LOG", LOG),
    ("SECCOMP_FILTER_FLAG_SPEC_ALLOW", SPEC_ALLOW),
    ("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", WAIT_KILLABLE_RECV),
];

/// A filter ready for the kernel: loading it is one system call.
#[derive(Clone, Debug)]
pub struct Filter {
    program: Vec<sock_filter>,
    flags: libc::c_ulong,
    listener: Option<(PathBuf, String)>,
}

impl Filter {
    /// Compiles the profile for this machine's programs (x86_64 with x32 and i386; aarch64 with 32-bit ARM).
    ///
    /// # Errors
    /// [`Error::Field`], [`Error::TooLong`].
    pub fn compile(s: &Seccomp) -> Result<Filter, Error> {
        let listener = listener(s)?;
        let flags = flags(&s.flags, listener.is_some())?;
        Ok(Filter { program: compile::compile(s, Abi::native())?, flags, listener })
    }

    /// Puts the filter over the calling thread, for good; returns the notify descriptor where a rule notifies. Needs
    /// no_new_privs, or CAP_SYS_ADMIN in the user namespace.
    ///
    /// # Errors
    /// [`Error::Load`].
    pub fn load(&self) -> Result<Option<OwnedFd>, Error> {
        let program = libc::sock_fprog {
            len: self.program.len() as libc::c_ushort,
            filter: self.program.as_ptr().cast_mut().cast(),
        };
        // SAFETY: the program is live and as long as said; the kernel only reads it.
        let result =
            unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, self.flags, &raw const program) };
        let value = Errno::result(result).map_err(|errno| Error::Load {
            length: self.program.len(),
            flags: self.flags,
            errno,
            why: match errno {
                Errno::EACCES => "needs process.noNewPrivileges or CAP_SYS_ADMIN",
                Errno::EBUSY => "a filter with a listener is in force already",
                Errno::EINVAL => "this kernel doesn't know one of the flags",
                Errno::ENOMEM => "the filters in force together are too long",
                _ => "see seccomp(2)",
            },
        })?;
        if !self.notifies() {
            return Ok(None);
        }
        // SAFETY: with NEW_LISTENER the result is a descriptor that nobody else has.
        Ok(Some(unsafe { OwnedFd::from_raw_fd(value as libc::c_int) }))
    }

    /// Whether a rule asks the listener.
    pub fn notifies(&self) -> bool {
        self.flags & NEW_LISTENER != 0
    }

    /// The agent's socket and the metadata for it, where a rule notifies.
    pub fn listener(&self) -> Option<(&Path, &str)> {
        self.listener.as_ref().map(|(path, metadata)| (path.as_path(), metadata.as_str()))
    }
}

/// The agent's socket, where a rule notifies; otherwise the fields mean nothing.
fn listener(s: &Seccomp) -> Result<Option<(PathBuf, String)>, Error> {
    let problem = |field: &str, problem: &str| {
        Err(Error::Field { field: format!("linux.seccomp.{field}"), problem: problem.to_owned() })
    };
    let path = s.listener_path.as_ref().filter(|path| !path.as_os_str().is_empty());
    let metadata = s.listener_metadata.clone().unwrap_or_default();
    if s.default_action == SeccompAction::ScmpActNotify {
        return problem("defaultAction", "SCMP_ACT_NOTIFY cannot be used as default action");
    }
    if path.is_none() && !metadata.is_empty() {
        return problem("listenerMetadata", "is given without listenerPath");
    }
    if !s.syscalls.iter().any(|rule| rule.action == SeccompAction::ScmpActNotify) {
        return Ok(None);
    }
    match path {
        Some(path) => Ok(Some((path.clone(), metadata))),
        None => problem("listenerPath", "SCMP_ACT_NOTIFY needs the socket of an agent that answers"),
    }
}

/// The kernel's flags. Without any asked for, speculative store bypass stays as it is, as with runc: its mitigation costs
/// every process under a filter.
fn flags(names: &[String], notifies: bool) -> Result<libc::c_ulong, Error> {
    let mut flags = if names.is_empty() { SPEC_ALLOW } else { 0 };
    for (index, name) in names.iter().enumerate() {
        let Some((_, flag)) = FLAGS.iter().find(|(known, _)| known == name) else {
            let known = FLAGS.map(|(known, _)| known).join(", ");
            let field = format!("linux.seccomp.flags[{index}]");
            return Err(Error::Field { field, problem: format!("unknown flag {name:?}; known are {known}") });
        };
        flags |= flag;
    }
    if !notifies {
        return Ok(flags & !WAIT_KILLABLE_RECV);
    }
    // Both TSYNC and NEW_LISTENER use the return value; the kernel wants to be told that ESRCH is understood.
    let both = if flags & TSYNC != 0 { TSYNC_ESRCH } else { 0 };
    Ok(flags | NEW_LISTENER | both)
}
