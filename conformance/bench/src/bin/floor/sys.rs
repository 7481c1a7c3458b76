//! The few system calls that the standard library does not have, and the floor's one error type.

use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What can go wrong in the floor.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The arguments are not the ones named in the program's documentation.
    #[error("usage: rtrun-bench-floor one|create|start|delete DIR CGROUP…")]
    Usage,
    /// A system call failed.
    #[error("{0}: {1}")]
    Call(&'static str, std::io::Error),
    /// A file could not be used.
    #[error("{0} {1}: {2}")]
    File(&'static str, PathBuf, std::io::Error),
}

/// The floor's result.
pub type Result<T> = std::result::Result<T, Failure>;

/// From linux/sched.h; libc's constant is too narrow for it.
const CLONE_INTO_CGROUP: u64 = 1 << 33;

/// Turns a system call's −1 into an error with its errno.
pub fn check<T: PartialEq + From<i8>>(call: &'static str, result: T) -> Result<T> {
    if result == T::from(-1) { Err(Failure::Call(call, std::io::Error::last_os_error())) } else { Ok(result) }
}

/// A path as the kernel takes it.
pub fn path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Failure::Usage)
}

/// `clone3` with SIGCHLD and no shared memory, into a v2 cgroup where one is given: returns 0 in the child.
pub fn clone3(flags: u64, cgroup: Option<&File>) -> Result<libc::pid_t> {
    // SAFETY: all zeroes is a valid clone_args: every field is optional.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = flags;
    if let Some(cgroup) = cgroup {
        // Joining by a write to cgroup.procs instead takes a system-wide lock that costs 5–15 ms.
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    args.exit_signal = libc::SIGCHLD as u64;
    // SAFETY: args outlives the call and its size is given; this process has one thread, so the child may go on using
    // everything that it sees.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<libc::clone_args>()) };
    check("clone3", pid).map(|pid| pid as libc::pid_t)
}

/// Waits for a child's end.
pub fn wait_end(pid: libc::pid_t) -> Result<()> {
    let mut status = 0;
    // SAFETY: status is a valid place for the result.
    check("waitpid", unsafe { libc::waitpid(pid, &mut status, 0) })?;
    if status == 0 {
        Ok(())
    } else {
        Err(Failure::Call("the container's process", std::io::Error::from_raw_os_error(0)))
    }
}

/// A pipe; both ends close at execve.
pub fn pipe_cloexec() -> Result<(File, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: the array has the two places that pipe2 fills.
    check("pipe2", unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    // SAFETY: pipe2 has just made both, nobody else owns them.
    Ok(unsafe { (File::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

/// Reads until every writer is gone.
pub fn read_to_end(mut file: &File) -> Result<()> {
    let mut buffer = [0; 16];
    while file.read(&mut buffer).map_err(|e| Failure::Call("read", e))? > 0 {}
    Ok(())
}
