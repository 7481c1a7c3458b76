//! Signals and waits by pidfd, which can't hit a process that took the number over.

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

/// `pidfd_open(2)`.
///
/// # Errors
/// ESRCH when there is no such process, or only what its parent's wait is just taking away: the number is then still there and
/// leads no threads, for which `kernel/fork.c` (`pidfd_prepare`) says EINVAL.
pub fn open(pid: Pid) -> Result<OwnedFd, Errno> {
    // SAFETY: no pointers are passed.
    let opened = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) });
    let fd = opened.map_err(|errno| if errno == Errno::EINVAL { Errno::ESRCH } else { errno })?;
    // SAFETY: the kernel made this descriptor for us, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// `pidfd_send_signal(2)`; `signal` 0 (`None`) only asks whether the process is there.
///
/// # Errors
/// ESRCH when the process has ended, EPERM as `kill(2)`.
pub fn signal<F: AsFd>(pidfd: F, signal: Option<Signal>) -> Result<(), Errno> {
    signal_number(pidfd, signal.map_or(0, |signal| signal as i32))
}

/// [`signal`] for any number, real-time signals included.
///
/// # Errors
/// As [`signal`]; EINVAL for a number that is no signal.
pub fn signal_number<F: AsFd>(pidfd: F, number: i32) -> Result<(), Errno> {
    let none = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo is allowed and means one as kill(2) makes.
    let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_fd().as_raw_fd(), number, none, 0) };
    Errno::result(sent).map(drop)
}

/// Waits up to `limit_ms` milliseconds (−1: for ever) for the process to end; true when it has.
///
/// # Errors
/// As `poll(2)`; EINTR is retried.
pub fn wait_ended<F: AsFd>(pidfd: F, limit_ms: i32) -> Result<bool, Errno> {
    let mut poll = libc::pollfd { fd: pidfd.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
    loop {
        // SAFETY: one pollfd, alive for the call.
        match Errno::result(unsafe { libc::poll(&raw mut poll, 1, limit_ms) }) {
            Err(Errno::EINTR) => {}
            other => return other.map(|ready| ready > 0),
        }
    }
}
