//! Peak memory, as the kernel counted it for the address space itself.
//!
//! `ru_maxrss` would not do: a process inherits its parent's peak through vfork and execve. The create process is
//! stopped by ptrace at its exit instead, and its VmHWM is read.

use std::fs;

use nix::sys::ptrace::{self, Options};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::contender::Contender;
use crate::error::{Error, Result};
use crate::process::Streams;
use crate::stats::Summary;

/// Peak resident memory of `create`'s own process and of the waiting init, in MiB, over `rounds` lives.
pub fn peaks(contender: &Contender, rounds: usize, streams: &Streams) -> Result<(Option<Summary>, Option<Summary>)> {
    let mut creates = Vec::new();
    let mut inits = Vec::new();
    for _ in 0..rounds {
        creates.push(traced_peak(contender, streams)?);
        let Some((start, delete)) = contender.start_delete() else { continue };
        let init = contender.init()?;
        inits.push(high_water(init.pid())?);
        start.time(streams)?;
        init.wait_end()?;
        delete.time(streams)?;
    }
    Ok((Summary::of(creates), Summary::of(inits)))
}

/// Runs `create` under ptrace, up to the moment before it gives its memory back.
fn traced_peak(contender: &Contender, streams: &Streams) -> Result<f64> {
    let call = |what: &'static str| move |e: nix::Error| Error::Call(what, e.into());
    let child = Pid::from_raw(contender.create().spawn_traced(streams)?);
    waitpid(child, None).map_err(call("waitpid"))?;
    ptrace::setoptions(child, Options::PTRACE_O_TRACEEXIT | Options::PTRACE_O_TRACEEXEC)
        .map_err(call("PTRACE_SETOPTIONS"))?;
    ptrace::cont(child, None).map_err(call("PTRACE_CONT"))?;
    let mut peak = 0.0;
    loop {
        match waitpid(child, Some(WaitPidFlag::__WALL)).map_err(call("waitpid"))? {
            // crun and runc execute a copy of themselves: the last address space is the one that counts.
            WaitStatus::PtraceEvent(..) => {
                peak = high_water(child.as_raw())?;
                ptrace::cont(child, None).map_err(call("PTRACE_CONT"))?;
            }
            WaitStatus::Stopped(_, signal) => ptrace::cont(child, signal).map_err(call("PTRACE_CONT"))?,
            WaitStatus::Exited(_, 0) => return Ok(peak),
            ended => return Err(Error::Command(contender.create().to_string(), format!("{ended:?}"))),
        }
    }
}

/// A process's peak resident memory in MiB.
fn high_water(pid: i32) -> Result<f64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).map_err(|e| Error::file("read", &path, e))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.map(|kib| kib / 1024.0).ok_or(Error::Content { path: path.into(), problem: "no VmHWM".into() })
}
