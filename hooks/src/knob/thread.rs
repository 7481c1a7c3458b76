//! The kernel threads `irq/N-name` that serve interrupts, on PREEMPT_RT all of them.

use super::Value;
use crate::host::{self, Host};
use nix::errno::Errno;

/// pid of kthreadd, the parent of every kernel thread and of nothing else.
const KTHREADD: i32 = 2;

/// The names of an interrupt's threads.
pub(crate) fn names(host: &Host, irq: u32) -> Vec<String> {
    let mut names: Vec<String> = threads(host, irq).into_iter().map(|(_, name)| name).collect();
    names.dedup();
    names
}

/// A program may call itself `irq/9-x`; only what kthreadd has made is believed.
fn threads(host: &Host, irq: u32) -> Vec<(i32, String)> {
    let prefix = format!("irq/{irq}-");
    let pids = host::names(&host.path("proc")).into_iter().filter_map(|name| name.parse().ok());
    let named = pids.filter_map(|pid: i32| Some((pid, host::read(&host.path(format!("proc/{pid}/comm"))).ok()?)));
    let mut threads: Vec<(i32, String)> = named
        .filter(|(_, name)| name.starts_with(&prefix))
        .filter(|(pid, _)| host::process_stat(host, *pid).is_ok_and(|stat| stat.parent == KTHREADD))
        .collect();
    threads.sort_by(|a, b| a.1.cmp(&b.1));
    threads
}

fn pids(host: &Host, irq: u32, name: &str) -> Result<Vec<i32>, Errno> {
    let pids: Vec<i32> =
        threads(host, irq).into_iter().filter(|(_, other)| other == name).map(|(pid, _)| pid).collect();
    if pids.is_empty() { Err(Errno::ESRCH) } else { Ok(pids) }
}

pub(super) fn read(host: &Host, irq: u32, name: &str) -> Result<Value, Errno> {
    let pid = pids(host, irq, name)?[0];
    // SAFETY: the call takes a number and gives one.
    let policy = Errno::result(unsafe { libc::sched_getscheduler(pid) })?;
    let mut parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: the structure is live.
    Errno::result(unsafe { libc::sched_getparam(pid, &mut parameters) })?;
    Ok(Value::Scheduling { policy, priority: parameters.sched_priority })
}

pub(super) fn write(host: &Host, irq: u32, name: &str, policy: i32, priority: i32) -> Result<(), Errno> {
    let parameters = libc::sched_param { sched_priority: priority };
    pids(host, irq, name)?.into_iter().try_for_each(|pid| {
        // SAFETY: the structure is live.
        Errno::result(unsafe { libc::sched_setscheduler(pid, policy, &parameters) }).map(drop)
    })
}

pub(super) fn policy_name(policy: i32) -> String {
    match policy & !libc::SCHED_RESET_ON_FORK {
        libc::SCHED_OTHER => "SCHED_OTHER".into(),
        libc::SCHED_FIFO => "SCHED_FIFO".into(),
        libc::SCHED_RR => "SCHED_RR".into(),
        other => format!("policy {other}"),
    }
}
