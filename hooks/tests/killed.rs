//! The hook, killed at each of its system calls in turn: whatever it had done by then, the next caller has a ledger that can
//! be read and a kernel that has what the ledger says; and when the owner is gone too, all is as before.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use common::{FakeHost, skip};
use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// Runs the hook until it enters its n-th system call; false when it has ended before.
fn killed_at(host: &FakeHost, status: &str, n: usize) -> Result<bool, Errno> {
    let bundle = host.root.join("bundle");
    host.write(
        "bundle/config.json",
        r#"{"annotations":{"org.rtrun.cpus":"3","org.rtrun.irq.affinity":"housekeeping"}}"#,
    );
    let state =
        format!(r#"{{"ociVersion":"1.0.2","id":"a","status":"{status}","pid":100,"bundle":"{}"}}"#, bundle.display());
    host.write("bundle/state", &state);
    let mut command = Command::new(env!("CARGO_BIN_EXE_rtrun-hook"));
    command.arg("--host").arg(&host.root).arg("--ledger").arg(host.ledger_dir()).arg("irq-affinity");
    command.stdin(std::fs::File::open(bundle.join("state")).unwrap()).stderr(Stdio::null());
    // SAFETY: one system call, which is async-signal-safe.
    unsafe { command.pre_exec(|| ptrace::traceme().map_err(std::io::Error::from)) };
    let child = command.spawn().map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
    let pid = Pid::from_raw(child.id() as i32);
    waitpid(pid, None)?;
    ptrace::setoptions(pid, Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL)?;
    // A call stops twice, as it is entered and as it is left.
    for stop in 1.. {
        ptrace::syscall(pid, None)?;
        match waitpid(pid, None)? {
            WaitStatus::PtraceSyscall(_) if stop == 2 * n - 1 => {
                ptrace::kill(pid)?;
                waitpid(pid, None)?;
                return Ok(true);
            }
            WaitStatus::PtraceSyscall(_) => {}
            WaitStatus::Exited(_, 0) => return Ok(false),
            status => panic!("ended: {status:?}"),
        }
    }
    Ok(false)
}

fn is_consistent(host: &FakeHost, n: usize) {
    host.ledger().reconcile().unwrap();
    let mask = if host.ledger().entries().unwrap().is_empty() { "0-3" } else { "0-2" };
    assert_eq!((host.mask(40), host.mask(41)), (mask.into(), mask.into()), "killed at call {n}");
}

#[test]
fn a_hook_killed_while_it_books_leaves_nothing_wrong() {
    for n in 1.. {
        let host = FakeHost::new(4, 2);
        let before = host.settings();
        let owner = host.process("a", 100);
        match killed_at(&host, "creating", n) {
            Err(errno) => return skip(&format!("nothing can be traced here: {errno}")).unwrap_or(()),
            Ok(false) => {
                assert!(n > 50, "only {n} calls");
                assert_eq!(host.mask(40), "0-2");
                return;
            }
            Ok(true) => {}
        }
        is_consistent(&host, n);
        host.end(&owner);
        host.ledger().reconcile().unwrap();
        assert_eq!(host.settings(), before, "killed at call {n}");
        assert!(host.ledger().entries().unwrap().is_empty());
    }
}

#[test]
fn a_hook_killed_while_it_gives_back_leaves_nothing_wrong() {
    for n in 1.. {
        let host = FakeHost::new(4, 2);
        let before = host.settings();
        let (owner, other) = (host.process("a", 100), host.process("b", 101));
        for (owner, cpu) in [(&owner, "3"), (&other, "2")] {
            let claim = rtrun_hooks::ledger::Claim::IrqsAway { cpus: cpu.parse().unwrap(), onto: None };
            host.ledger().book(owner, &[claim]).unwrap();
        }
        host.end(&owner);
        let ended = match killed_at(&host, "stopped", n) {
            Err(errno) => return skip(&format!("nothing can be traced here: {errno}")).unwrap_or(()),
            Ok(killed) => !killed,
        };
        host.ledger().reconcile().unwrap();
        assert_eq!(host.mask(40), "0-1,3", "killed at call {n}");
        host.ledger().release(&other).unwrap();
        assert_eq!(host.settings(), before, "killed at call {n}");
        if ended {
            assert!(n > 50, "only {n} calls");
            return;
        }
    }
}
