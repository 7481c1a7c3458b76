//! A command and the children that it clones, run under ptrace(2), with one system call that fails as if the kernel had
//! said so. A program that a child executes (a hook, the container's own) is let go.

use super::calls::{self, About, Call};
use super::registers;
use crate::call::{LIMIT, Output, Running};
use crate::outcome::{Check, fail};
use crate::trace::syscall_info;
use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, alarm};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Instant;

/// Where a system call was made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// 0 is the command, 1 the first child that it cloned, and so on.
    pub process: usize,
    /// How many calls the process had entered before, execve's own included.
    pub index: usize,
    /// Which call.
    pub call: Call,
    /// The path that it is about, as the process gave it, or that of its descriptor.
    pub about: String,
}

/// What is made to fail.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The call.
    pub place: Place,
    /// Its result.
    pub errno: Errno,
    /// Whether the same call fails ever after as well, in all of the processes.
    pub lasting: bool,
}

/// How a traced command went.
#[derive(Debug)]
pub struct Run {
    /// The calls that can fail, in the order in which they were entered.
    pub places: Vec<Place>,
    /// Whether the fault's call was reached.
    pub hit: bool,
    /// How the command ended.
    pub output: Output,
}

/// Runs `command` to its end.
pub fn run(command: &mut Command, fault: Option<&Fault>) -> Check<Run> {
    let traceme = || ptrace::traceme().map_err(std::io::Error::from);
    // SAFETY: one system call, which is async-signal-safe.
    unsafe { command.pre_exec(traceme) };
    let mut running = Running::start(command)?;
    let mut tracer = Tracer {
        known: vec![running.pid],
        entered: vec![0],
        in_main: false,
        skipped: vec![],
        hit: false,
        places: vec![],
        fault,
    };
    interrupt_waits()?;
    alarm::set(LIMIT.as_secs() as u32);
    let code = tracer.follow(running.pid);
    alarm::cancel();
    running.code = Some(code.inspect_err(|_| tracer.kill())?);
    tracer.let_go()?;
    Ok(Run { places: tracer.places, hit: tracer.hit, output: running.output()? })
}

/// SIGALRM does nothing but end a wait.
fn interrupt_waits() -> Check {
    extern "C" fn nothing(_: libc::c_int) {}
    let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing.
    unsafe { sigaction(Signal::SIGALRM, &action) }?;
    Ok(())
}

struct Tracer<'a> {
    /// Every traced process by its number; one that is gone or let go has pid 0.
    known: Vec<Pid>,
    /// Calls entered, by process.
    entered: Vec<usize>,
    /// Whether the command has come past what the C library does before main, which no program can answer for: the Rust
    /// runtime ends that with an rt_sigaction.
    in_main: bool,
    /// In a call that is not performed.
    skipped: Vec<Pid>,
    hit: bool,
    places: Vec<Place>,
    fault: Option<&'a Fault>,
}

const GONE: Pid = Pid::from_raw(0);

impl Tracer<'_> {
    /// From stop to stop, until `root` has ended; its exit code, or 128 + signal.
    fn follow(&mut self, root: Pid) -> Check<i32> {
        let mut begun = false;
        let start = Instant::now();
        loop {
            let status = match waitpid(None, Some(WaitPidFlag::__WALL)) {
                // One that waits and one that tries for ever.
                Err(Errno::EINTR) => return fail(format_args!("hangs (over {} s)", LIMIT.as_secs())),
                Ok(_) if start.elapsed() > LIMIT => return fail(format_args!("tries for over {} s", LIMIT.as_secs())),
                other => other?,
            };
            match status {
                WaitStatus::Exited(pid, code) if pid == root => return Ok(self.forget(pid, code)),
                WaitStatus::Signaled(pid, signal, _) if pid == root => return Ok(self.forget(pid, 128 + signal as i32)),
                WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..) => drop(self.forget(pid, 0)),
                WaitStatus::PtraceSyscall(pid) => {
                    self.at_call(pid)?;
                    self.resume(pid, None)?;
                }
                WaitStatus::PtraceEvent(pid, _, libc::PTRACE_EVENT_EXEC) if pid != root => {
                    self.forget(pid, 0);
                    alive(ptrace::detach(pid, None))?;
                }
                WaitStatus::PtraceEvent(pid, _, event) => {
                    self.in_main &= event != libc::PTRACE_EVENT_EXEC;
                    self.resume(pid, None)?;
                }
                WaitStatus::Stopped(pid, Signal::SIGTRAP) if pid == root && !begun => {
                    begun = true;
                    let clones =
                        Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_TRACEFORK | Options::PTRACE_O_TRACEVFORK;
                    let options = clones | Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACEEXEC;
                    ptrace::setoptions(pid, options | Options::PTRACE_O_EXITKILL)?;
                    self.resume(pid, None)?;
                }
                // A new child's first stop.
                WaitStatus::Stopped(pid, Signal::SIGSTOP) if !self.known.contains(&pid) => {
                    self.number(pid);
                    self.resume(pid, None)?;
                }
                WaitStatus::Stopped(pid, signal) => self.resume(pid, Some(signal))?,
                _ => {}
            }
        }
    }

    fn number(&mut self, pid: Pid) -> usize {
        self.known.iter().position(|known| *known == pid).unwrap_or_else(|| {
            self.known.push(pid);
            self.entered.push(0);
            self.known.len() - 1
        })
    }

    fn forget(&mut self, pid: Pid, code: i32) -> i32 {
        self.known.iter_mut().filter(|known| **known == pid).for_each(|known| *known = GONE);
        code
    }

    /// Once the fault has happened nothing more is to be seen, and the command runs at full speed.
    fn resume(&self, pid: Pid, signal: Option<Signal>) -> Check {
        let over = self.hit && self.skipped.is_empty() && self.fault.is_some_and(|fault| !fault.lasting);
        alive(if over { ptrace::cont(pid, signal) } else { ptrace::syscall(pid, signal) })
    }

    fn at_call(&mut self, pid: Pid) -> Check {
        let info = match syscall_info(pid) {
            // Killed in the stop.
            Err(Errno::ESRCH) => return Ok(()),
            other => other?,
        };
        if info.op == libc::PTRACE_SYSCALL_INFO_EXIT {
            return self.at_exit(pid);
        }
        if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
            return Ok(());
        }
        // SAFETY: the kernel says that this is an entry.
        let (number, arguments) = unsafe { (info.u.entry.nr, info.u.entry.args) };
        let process = self.number(pid);
        self.entered[process] += 1;
        self.in_main |= number == libc::SYS_rt_sigaction as u64;
        let (Some(call), true) = (calls::find(number), self.in_main) else { return Ok(()) };
        let index = self.entered[process];
        let Some(fault) = self.fault else {
            let about = match call.about {
                About::Nothing => String::new(),
                About::Path(argument) => text_at(pid, arguments[argument]),
                About::Descriptor => link_of(pid, arguments[0]),
            };
            self.places.push(Place { process, index, call: *call, about });
            return Ok(());
        };
        let wanted = fault.place.call == *call;
        let here = !self.hit && (fault.place.process, fault.place.index) == (process, index);
        if wanted && (here || (self.hit && fault.lasting)) {
            registers::skip(pid)?;
            self.skipped.push(pid);
            self.hit = true;
        }
        Ok(())
    }

    fn at_exit(&mut self, pid: Pid) -> Check {
        if let (Some(at), Some(fault)) = (self.skipped.iter().position(|skipped| *skipped == pid), self.fault) {
            self.skipped.remove(at);
            registers::answer(pid, fault.errno)?;
        }
        Ok(())
    }

    /// Detaches from what outlives the command: the parked init. A tracee must be stopped for that.
    fn let_go(&mut self) -> Check {
        for pid in std::mem::take(&mut self.known).into_iter().filter(|pid| *pid != GONE) {
            if kill(pid, Signal::SIGSTOP).is_err() {
                continue;
            }
            loop {
                match waitpid(pid, Some(WaitPidFlag::__WALL)) {
                    Ok(WaitStatus::Stopped(_, Signal::SIGSTOP)) => {
                        alive(ptrace::detach(pid, None))?;
                        break;
                    }
                    Ok(WaitStatus::Stopped(_, signal)) => alive(ptrace::cont(pid, signal))?,
                    Ok(WaitStatus::PtraceSyscall(_)) => {
                        self.at_call(pid)?;
                        alive(ptrace::cont(pid, None))?;
                    }
                    Ok(WaitStatus::PtraceEvent(..)) => alive(ptrace::cont(pid, None))?,
                    _ => break,
                }
            }
        }
        Ok(())
    }

    fn kill(&mut self) {
        for pid in self.known.drain(..).filter(|pid| *pid != GONE) {
            // One that has ended meanwhile is what is wanted.
            let _ = kill(pid, Signal::SIGKILL);
            let _ = waitpid(pid, Some(WaitPidFlag::__WALL));
        }
    }
}

/// A tracee that was killed in its stop is no failure.
fn alive(done: Result<(), Errno>) -> Check {
    match done {
        Err(Errno::ESRCH) => Ok(()),
        other => Ok(other?),
    }
}

/// What a descriptor of a stopped process is open on.
fn link_of(pid: Pid, fd: u64) -> String {
    let link = std::fs::read_link(format!("/proc/{pid}/fd/{fd}"));
    link.map(|path| path.display().to_string()).unwrap_or_default()
}

/// A string in a stopped process; at most 255 bytes of it.
fn text_at(pid: Pid, address: u64) -> String {
    let mut bytes = [0u8; 255];
    let read = File::open(format!("/proc/{pid}/mem")).and_then(|memory| memory.read_at(&mut bytes, address));
    let bytes = &bytes[..read.unwrap_or(0)];
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
