use super::{arg, profile, profiles, rule};
use crate::security::seccomp::Filter;
use crate::spec::{Seccomp, SeccompAction, SeccompOperator, SeccompSyscall};
use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

/// What becomes of a child that loads the filter and then runs `act`; its result is the exit status.
fn child(s: &Seccomp, act: impl Fn() -> i32) -> WaitStatus {
    let filter = Filter::compile(s).unwrap();
    // SAFETY: the child makes system calls only.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => waitpid(child, None).unwrap(),
        ForkResult::Child => {
            // SAFETY: plain numbers; and _exit runs nothing of the test's.
            unsafe {
                libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
                let status = if filter.load().is_ok() { act() } else { 99 };
                libc::_exit(status)
            }
        }
    }
}

fn exits(s: &Seccomp, act: impl Fn() -> i32) -> i32 {
    match child(s, act) {
        WaitStatus::Exited(_, status) => status,
        status => panic!("{status:?}"),
    }
}

/// errno of a call with these arguments, 0 if it succeeds.
fn call(number: libc::c_long, first: libc::c_long, second: libc::c_long) -> i32 {
    // SAFETY: the calls made here read nothing through their arguments.
    let result = unsafe { libc::syscall(number, first, second) };
    if result == -1 { Errno::last_raw() } else { 0 }
}

fn one(rule: SeccompSyscall) -> Seccomp {
    Seccomp { syscalls: vec![rule], ..profile(SeccompAction::ScmpActAllow) }
}

#[test]
fn the_kernel_returns_the_rules_errno() {
    let s = one(rule(&["getppid"], SeccompAction::ScmpActErrno, Some(61), &[]));
    assert_eq!(exits(&s, || call(libc::SYS_getppid, 0, 0)), 61);
    assert_eq!(exits(&s, || call(libc::SYS_getpid, 0, 0)), 0);
}

#[test]
fn the_kernel_compares_arguments_in_full_width() {
    let s = one(rule(
        &["getpriority"],
        SeccompAction::ScmpActErrno,
        Some(62),
        &[arg(0, SeccompOperator::ScmpCmpGt, 0xffff_ffff, 0), arg(1, SeccompOperator::ScmpCmpLe, 5, 0)],
    ));
    let getpriority = |first, second| exits(&s, || call(libc::SYS_getpriority, first, second));
    assert_eq!(getpriority(1 << 32, 5), 62);
    assert_ne!(getpriority(0, 5), 62);
    assert_ne!(getpriority(1 << 32, 6), 62);
}

#[test]
fn kill_process_and_trap_end_it_by_sigsys() {
    for action in [SeccompAction::ScmpActKillProcess, SeccompAction::ScmpActKill, SeccompAction::ScmpActTrap] {
        let status = child(&one(rule(&["getppid"], action, None, &[])), || call(libc::SYS_getppid, 0, 0));
        assert!(matches!(status, WaitStatus::Signaled(_, Signal::SIGSYS, _)), "{action:?}: {status:?}");
    }
}

#[test]
fn trace_without_a_tracer_is_enosys() {
    let s = one(rule(&["getppid"], SeccompAction::ScmpActTrace, Some(7), &[]));
    assert_eq!(exits(&s, || call(libc::SYS_getppid, 0, 0)), libc::ENOSYS);
}

#[test]
fn log_and_every_supported_flag_let_the_call_through() {
    for flag in crate::security::seccomp::features().supported_flags {
        let mut s = one(rule(&["getppid"], SeccompAction::ScmpActLog, None, &[]));
        s.flags = vec![flag.to_owned()];
        assert_eq!(exits(&s, || call(libc::SYS_getppid, 0, 0)), 0, "{flag}");
    }
}

#[test]
fn calls_newer_than_the_profile_are_enosys_and_older_ones_eperm() {
    let names = ["exit_group", "exit", "rt_sigreturn", "futex_waitv"];
    let mut s = profile(SeccompAction::ScmpActErrno);
    s.syscalls = vec![rule(&names, SeccompAction::ScmpActAllow, None, &[])];
    assert_eq!(exits(&s, || call(libc::SYS_futex_waitv + 1, 0, 0)), libc::ENOSYS);
    assert_eq!(exits(&s, || call(libc::SYS_getppid, 0, 0)), libc::EPERM);
}

#[test]
fn a_notifying_filter_gives_a_descriptor() {
    let mut s = one(rule(&["getppid"], SeccompAction::ScmpActNotify, None, &[]));
    s.listener_path = Some("/run/agent.sock".into());
    let filter = Filter::compile(&s).unwrap();
    assert!(filter.notifies());
    // SAFETY: the child makes system calls only.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => assert!(matches!(waitpid(child, None).unwrap(), WaitStatus::Exited(_, 0))),
        ForkResult::Child => {
            // SAFETY: plain numbers; and _exit runs nothing of the test's.
            unsafe {
                libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
                libc::_exit(if matches!(filter.load(), Ok(Some(_))) { 0 } else { 1 })
            }
        }
    }
}

#[test]
fn podmans_profile_loads_and_decides() {
    let Some(s) = profiles::podman() else {
        eprintln!("skip: podman's /usr/share/containers/seccomp.json is not installed");
        return;
    };
    assert_eq!(exits(&s, || call(libc::SYS_getppid, 0, 0)), 0);
    assert_eq!(exits(&s, || call(libc::SYS_swapon, 0, 0)), libc::EPERM);
}
