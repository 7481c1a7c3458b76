//! `clone3(2)`: a child in new namespaces, in its cgroup, with a pidfd, in one call.

use nix::errno::Errno;
use nix::unistd::Pid;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `CLONE_INTO_CGROUP` of `linux/sched.h`; libc's constant overflows its type.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Which side of the clone returned.
#[derive(Debug)]
pub enum Forked {
    /// The caller, with the child's pid in the caller's PID namespace and its pidfd.
    Parent {
        /// The child.
        pid: Pid,
        /// The child, unmistakably.
        pidfd: OwnedFd,
    },
    /// The child.
    Child,
}

/// Forks with `flags` (`CLONE_NEW*`, `CLONE_PARENT`), into the cgroup v2 directory `cgroup` where one is given.
///
/// # Errors
/// As `clone3(2)`: ENOSPC for a namespace limit, EAGAIN for a task limit, EPERM without CAP_SYS_ADMIN.
///
/// # Safety
/// The caller must be single-threaded: the child goes on with a copy of the whole process, allocator included.
pub unsafe fn fork_into(flags: u64, cgroup: Option<BorrowedFd>) -> Result<Forked, Errno> {
    let mut pidfd: libc::c_int = -1;
    // SAFETY: clone_args is plain integers, for which zero is valid.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = flags | libc::CLONE_PIDFD as u64;
    args.pidfd = (&raw mut pidfd) as u64;
    // CLONE_PARENT takes over the parent's exit signal; the kernel refuses another.
    args.exit_signal = if flags & libc::CLONE_PARENT as u64 == 0 { libc::SIGCHLD as u64 } else { 0 };
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: no CLONE_VM and no stack, so the child returns here on its own copy of this stack; `args` and `pidfd`
    // outlive the call.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<libc::clone_args>()) };
    match Errno::result(pid)? {
        0 => Ok(Forked::Child),
        // SAFETY: CLONE_PIDFD made this descriptor for us, and nobody else has it.
        pid => Ok(Forked::Parent { pid: Pid::from_raw(pid as i32), pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } }),
    }
}
