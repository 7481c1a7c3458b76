//! Hooks: a program, the container's state on its standard input, a time limit.

use crate::spec::Hook;
use crate::state::OciState;
use crate::sys::pidfd;
use nix::unistd::Pid;
use std::ffi::{CString, OsStr};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

/// Why a hook failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be started.
    #[error("hooks.{point}[{index}]: starting {path}: {error}")]
    Start {
        /// Which point of the lifecycle.
        point: &'static str,
        /// Position in the list.
        index: usize,
        /// The program.
        path: PathBuf,
        /// What the kernel said.
        error: io::Error,
    },
    /// It ended with a failure.
    #[error("hooks.{point}[{index}]: {path} failed: {status}")]
    Failed {
        /// Which point of the lifecycle.
        point: &'static str,
        /// Position in the list.
        index: usize,
        /// The program.
        path: PathBuf,
        /// Exit code or signal.
        status: ExitStatus,
    },
    /// It ran longer than its timeout and was killed.
    #[error("hooks.{point}[{index}]: {path} was killed after its timeout of {seconds} s")]
    Timeout {
        /// Which point of the lifecycle.
        point: &'static str,
        /// Position in the list.
        index: usize,
        /// The program.
        path: PathBuf,
        /// `timeout` of the hook.
        seconds: i64,
    },
}

/// Runs the hooks in order; the first failure ends it. One without variables of its own gets `environment`, or the
/// caller's where there is none, as runc's and crun's do.
pub(crate) fn run(
    point: &'static str,
    hooks: &[Hook],
    state: &OciState,
    environment: Option<&[CString]>,
) -> Result<(), Error> {
    if hooks.is_empty() {
        return Ok(());
    }
    let text = serde_json::to_vec(state).unwrap_or_default();
    hooks.iter().enumerate().try_for_each(|(index, hook)| run_one(point, index, hook, &text, environment))
}

/// Runs all hooks, whatever becomes of each, and gives what failed: so the specification has poststop.
pub(crate) fn run_all(point: &'static str, hooks: &[Hook], state: &OciState) -> Vec<Error> {
    let text = if hooks.is_empty() { Vec::new() } else { serde_json::to_vec(state).unwrap_or_default() };
    hooks.iter().enumerate().filter_map(|(index, hook)| run_one(point, index, hook, &text, None).err()).collect()
}

fn run_one(
    point: &'static str,
    index: usize,
    hook: &Hook,
    state: &[u8],
    environment: Option<&[CString]>,
) -> Result<(), Error> {
    let start_error = |error| Error::Start { point, index, path: hook.path.clone(), error };
    let mut command = Command::new(&hook.path);
    command.stdin(Stdio::piped());
    if let Some((name, arguments)) = hook.args.split_first() {
        command.arg0(name).args(arguments);
    }
    if !hook.env.is_empty() {
        command.env_clear().envs(hook.env.iter().filter_map(|variable| variable.split_once('=')));
    } else if let Some(environment) = environment {
        command.env_clear().envs(environment.iter().filter_map(|variable| split(variable)));
    }
    let mut child = command.spawn().map_err(start_error)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A hook need not read its state: EPIPE is its right.
        let _ = stdin.write_all(state);
    }
    if let Some(seconds) = hook.timeout {
        let handle = pidfd::open(Pid::from_raw(child.id() as i32)).map_err(|errno| start_error(errno.into()))?;
        let limit = i32::try_from(seconds.saturating_mul(1000)).unwrap_or(i32::MAX);
        if !pidfd::wait_ended(&handle, limit).map_err(|errno| start_error(errno.into()))? {
            child.kill().map_err(start_error)?;
            child.wait().map_err(start_error)?;
            return Err(Error::Timeout { point, index, path: hook.path.clone(), seconds });
        }
    }
    let status = child.wait().map_err(start_error)?;
    if status.success() { Ok(()) } else { Err(Error::Failed { point, index, path: hook.path.clone(), status }) }
}

/// Name and value of a variable.
fn split(variable: &CString) -> Option<(&OsStr, &OsStr)> {
    let text = variable.as_bytes();
    let equals = text.iter().position(|&byte| byte == b'=')?;
    Some((OsStr::from_bytes(&text[..equals]), OsStr::from_bytes(&text[equals + 1..])))
}
