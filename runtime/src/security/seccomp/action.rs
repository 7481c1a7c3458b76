//! What the kernel is told to do, `SECCOMP_RET_*`.

use super::Error;
use crate::spec::SeccompAction;
use std::fmt::Display;

/// The kernel's `MAX_ERRNO`.
const MAX_ERRNO: u32 = 4095;

/// The filter's return value for an action and the errno (or tracer's message) that goes with it; EPERM when absent.
///
/// # Errors
/// [`Error::Field`] for a value out of range or with an action that carries none.
pub(super) fn action_value(
    action: SeccompAction,
    errno: Option<u32>,
    field: &(impl Display + ?Sized),
) -> Result<u32, Error> {
    let problem = |problem: String| Err(Error::Field { field: field.to_string(), problem });
    let carried = |most: u32| match errno.unwrap_or(libc::EPERM as u32) {
        data if data > most => problem(format!("{data} is above {most}, the most that {action:?} carries")),
        data => Ok(data),
    };
    let plain = |value: u32| match errno {
        Some(data) => problem(format!("{data} goes with SCMP_ACT_ERRNO or SCMP_ACT_TRACE only")),
        None => Ok(value),
    };
    match action {
        SeccompAction::ScmpActErrno => Ok(libc::SECCOMP_RET_ERRNO | carried(MAX_ERRNO)?),
        SeccompAction::ScmpActTrace => Ok(libc::SECCOMP_RET_TRACE | carried(libc::SECCOMP_RET_DATA)?),
        SeccompAction::ScmpActKill | SeccompAction::ScmpActKillThread => plain(libc::SECCOMP_RET_KILL_THREAD),
        SeccompAction::ScmpActKillProcess => plain(libc::SECCOMP_RET_KILL_PROCESS),
        SeccompAction::ScmpActTrap => plain(libc::SECCOMP_RET_TRAP),
        SeccompAction::ScmpActAllow => plain(libc::SECCOMP_RET_ALLOW),
        SeccompAction::ScmpActLog => plain(libc::SECCOMP_RET_LOG),
        SeccompAction::ScmpActNotify => plain(libc::SECCOMP_RET_USER_NOTIF),
    }
}
