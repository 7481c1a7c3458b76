//! Giving a traced process's system call another result than the kernel would (ptrace(2)).

use nix::errno::Errno;
use nix::sys::ptrace::{getregs, setregs};
use nix::unistd::Pid;

/// At a call's entry: the kernel is not to perform it.
#[cfg(target_arch = "x86_64")]
pub fn skip(pid: Pid) -> Result<(), Errno> {
    let mut registers = getregs(pid)?;
    registers.orig_rax = u64::MAX;
    setregs(pid, registers)
}

/// At the call's exit: its result is this error.
#[cfg(target_arch = "x86_64")]
pub fn answer(pid: Pid, errno: Errno) -> Result<(), Errno> {
    let mut registers = getregs(pid)?;
    registers.rax = (-i64::from(errno as i32)) as u64;
    setregs(pid, registers)
}

/// At a call's entry: the kernel is not to perform it.
#[cfg(target_arch = "aarch64")]
pub fn skip(pid: Pid) -> Result<(), Errno> {
    const NT_ARM_SYSTEM_CALL: usize = 0x404;
    let mut none: i32 = -1;
    let part = libc::iovec { iov_base: (&raw mut none).cast(), iov_len: size_of::<i32>() };
    // SAFETY: the kernel reads the four bytes that the iovec tells.
    let set = unsafe { libc::ptrace(libc::PTRACE_SETREGSET, pid.as_raw(), NT_ARM_SYSTEM_CALL, &raw const part) };
    Errno::result(set).map(drop)
}

/// At the call's exit: its result is this error.
#[cfg(target_arch = "aarch64")]
pub fn answer(pid: Pid, errno: Errno) -> Result<(), Errno> {
    let mut registers = getregs(pid)?;
    registers.regs[0] = (-i64::from(errno as i32)) as u64;
    setregs(pid, registers)
}
