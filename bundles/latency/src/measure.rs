//! One measuring thread, from its CPU and policy to its last release.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{UsageWho, getrusage};
use nix::unistd::Pid;

use crate::clock::{Nanos, Sleeper, now};
use crate::error::{Error, Result};
use crate::options::{Method, Policy};
use crate::record::Record;
use crate::system::smi_count;

/// Stack that is touched before the first release, bytes: more than the loop ever uses.
const PREFAULT: usize = 64 * 1024;

/// What a thread is to do.
#[derive(Clone, Debug)]
pub struct Task {
    /// The CPU that it is bound to.
    pub cpu: usize,
    /// Nanoseconds between releases.
    pub period: Nanos,
    /// Releases to measure; 0: until told to stop.
    pub loops: u64,
    /// How to wait.
    pub method: Method,
    /// What to run as.
    pub policy: Policy,
    /// With FIFO and RR.
    pub priority: u8,
    /// Set by whoever wants the end.
    pub stop: Arc<AtomicBool>,
    /// Where all threads meet before the first release.
    pub start: Arc<Barrier>,
}

/// What the kernel counted for a thread while it measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Page faults without I/O.
    pub minor_faults: i64,
    /// Page faults with I/O.
    pub major_faults: i64,
    /// The thread slept.
    pub voluntary_switches: i64,
    /// The thread was pre-empted.
    pub involuntary_switches: i64,
    /// System management interrupts of its CPU (MSR_SMI_COUNT); `None` where it can't be read.
    pub smis: Option<u64>,
}

/// A thread's whole result.
#[derive(Debug)]
pub struct Measured {
    /// Its CPU.
    pub cpu: usize,
    /// Its kernel thread ID.
    pub tid: i32,
    /// Its latencies.
    pub record: Record,
    /// The kernel's counts.
    pub usage: Usage,
}

/// Runs a task on the calling thread. The barrier is reached whatever fails, so that nobody waits for ever.
///
/// # Errors
/// Affinity or policy refused, or a clock that fails.
pub fn measure(task: &Task, mut record: Record) -> Result<Measured> {
    let ready = prepare(task);
    task.start.wait();
    let sleeper = ready?;
    let before = usage(task.cpu)?;
    releases(task, &sleeper, &mut record).map_err(|errno| Error::Clock { step: "wait for a release", errno })?;
    let after = usage(task.cpu)?;
    Ok(Measured { cpu: task.cpu, tid: nix::unistd::gettid().as_raw(), record, usage: after.since(before) })
}

/// Affinity, then policy, then the stack's pages: a page fault while measuring would be the measurement's own.
fn prepare(task: &Task) -> Result<Sleeper> {
    let mut cpus = CpuSet::new();
    cpus.set(task.cpu)
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &cpus))
        .map_err(|errno| Error::Affinity { cpu: task.cpu, errno })?;
    set_policy(task.policy, task.priority)?;
    std::hint::black_box([0u8; PREFAULT]);
    Sleeper::new(task.method).map_err(|errno| Error::Clock { step: "timerfd_create", errno })
}

fn set_policy(policy: Policy, priority: u8) -> Result<()> {
    let (name, number, priority) = match policy {
        Policy::Inherit => return Ok(()),
        Policy::Other => ("other", libc::SCHED_OTHER, 0),
        Policy::Fifo => ("fifo", libc::SCHED_FIFO, priority),
        Policy::Rr => ("rr", libc::SCHED_RR, priority),
    };
    let parameters = libc::sched_param { sched_priority: priority.into() };
    // SAFETY: the parameters are alive during the call, which reads them; 0 is the calling thread.
    let set = unsafe { libc::sched_setscheduler(0, number, &raw const parameters) };
    Errno::result(set).map(drop).map_err(|errno| Error::Policy { policy: name, priority, errno })
}

/// The loop itself: sleep, read the clock, count. A release that has passed already is missed, not slept for.
fn releases(task: &Task, sleeper: &Sleeper, record: &mut Record) -> std::result::Result<(), Errno> {
    let mut release = now()? + task.period;
    let mut before = None;
    while !task.stop.load(Ordering::Relaxed) && (task.loops == 0 || record.cycles < task.loops) {
        sleeper.until(release)?;
        let woken = now()?;
        record.add(woken.saturating_sub(release), before.map(|before| woken - before), task.period);
        before = Some(woken);
        release += task.period;
        while release <= woken {
            record.miss(woken - release);
            before = None;
            release += task.period;
        }
    }
    Ok(())
}

fn usage(cpu: usize) -> Result<Usage> {
    let usage =
        getrusage(UsageWho::RUSAGE_THREAD).map_err(|errno| Error::Clock { step: "getrusage(RUSAGE_THREAD)", errno })?;
    Ok(Usage {
        minor_faults: usage.minor_page_faults(),
        major_faults: usage.major_page_faults(),
        voluntary_switches: usage.voluntary_context_switches(),
        involuntary_switches: usage.involuntary_context_switches(),
        smis: smi_count(cpu),
    })
}

impl Usage {
    fn since(self, earlier: Usage) -> Usage {
        Usage {
            minor_faults: self.minor_faults - earlier.minor_faults,
            major_faults: self.major_faults - earlier.major_faults,
            voluntary_switches: self.voluntary_switches - earlier.voluntary_switches,
            involuntary_switches: self.involuntary_switches - earlier.involuntary_switches,
            smis: self.smis.zip(earlier.smis).map(|(now, then)| now.saturating_sub(then)),
        }
    }
}
