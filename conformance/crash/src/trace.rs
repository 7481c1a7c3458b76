//! A process run under ptrace(2) from one of its system calls to the next, and killed at a chosen one. Its children are
//! not traced: they live or die as they would without it.

use crate::outcome::{Check, fail};
use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// How a traced run ended.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// By itself, after this many system calls.
    Exited {
        /// System calls entered.
        calls: usize,
        /// Exit code.
        code: i32,
    },
    /// By SIGKILL, before a system call was performed.
    Killed {
        /// The architecture's number of the call.
        call: u64,
    },
}

/// Runs `command` to its end, or kills it as it enters its `kill_at`-th system call after execve (from 1).
pub fn run(command: &mut Command, kill_at: Option<usize>) -> Check<End> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let traceme = || ptrace::traceme().map_err(std::io::Error::from);
    // SAFETY: one system call, which is async-signal-safe.
    let child = unsafe { command.pre_exec(traceme) }.spawn()?;
    let pid = Pid::from_raw(child.id() as i32);
    match waitpid(pid, None)? {
        WaitStatus::Stopped(_, Signal::SIGTRAP) => {}
        status => return fail(format_args!("no stop at execve: {status:?}")),
    }
    ptrace::setoptions(pid, Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACEEXEC | Options::PTRACE_O_EXITKILL)?;
    let mut calls = 0;
    let mut pass = None;
    loop {
        ptrace::syscall(pid, pass.take())?;
        match waitpid(pid, None)? {
            WaitStatus::PtraceSyscall(_) => {
                let info = syscall_info(pid)?;
                if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
                    continue;
                }
                calls += 1;
                if Some(calls) == kill_at {
                    // SAFETY: the kernel says that this is an entry.
                    let call = unsafe { info.u.entry.nr };
                    ptrace::kill(pid)?;
                    waitpid(pid, None)?;
                    return Ok(End::Killed { call });
                }
            }
            WaitStatus::PtraceEvent(..) => {}
            WaitStatus::Stopped(_, signal) => pass = Some(signal),
            WaitStatus::Exited(_, code) => return Ok(End::Exited { calls, code }),
            status => return fail(format_args!("ended: {status:?}")),
        }
    }
}

/// `PTRACE_GET_SYSCALL_INFO`; nix's own passes no size, so that the kernel tells nothing.
pub fn syscall_info(pid: Pid) -> Result<libc::ptrace_syscall_info, Errno> {
    // SAFETY: plain integers, for which zero is valid.
    let mut info: libc::ptrace_syscall_info = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::ptrace_syscall_info>();
    // SAFETY: the kernel writes at most `size` bytes to `info`, which is that large.
    let got = unsafe { libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, pid.as_raw(), size, &raw mut info) };
    Errno::result(got).map(|_| info)
}
