//! All threads: started together, stopped by count, time or signal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::time::TimeSpec;
use time::OffsetDateTime;

use crate::clock::Nanos;
use crate::error::{Error, Result};
use crate::measure::{Measured, Task, measure};
use crate::options::{Lock, Options, Policy};
use crate::record::Record;
use crate::system;

/// A whole run's results.
#[derive(Debug)]
pub struct Run {
    /// Wall-clock time of its begin.
    pub start: OffsetDateTime,
    /// And of its end.
    pub end: OffsetDateTime,
    /// Whether all memory was locked.
    pub locked: bool,
    /// Whether `/dev/cpu_dma_latency` was held.
    pub dma_latency_held: bool,
    /// One a CPU.
    pub threads: Vec<Measured>,
}

/// Of a measuring thread, bytes: locked memory counts against RLIMIT_MEMLOCK, of which a container has 8 MiB by default.
const STACK: usize = 256 * 1024;
/// How often the main thread looks whether all have ended.
const LOOK: Duration = Duration::from_millis(50);

/// Measures as the options say.
///
/// # Errors
/// What was asked for is not to be had here; nothing was measured then.
pub fn run(options: &Options) -> Result<Run> {
    let tasks = tasks(options)?;
    // Before the threads, which inherit the mask: the main thread alone takes these signals.
    let ending = block_ending_signals()?;
    let locked = match options.mlock {
        Lock::False => false,
        Lock::True => system::lock_memory().map(|()| true)?,
        Lock::Try => system::lock_memory().is_ok(),
    };
    let held = options.dma_latency.0.map(system::hold_dma_latency).transpose()?.flatten();
    let start = OffsetDateTime::now_utc();
    let stop = Arc::clone(&tasks[0].stop);
    let threads = tasks.into_iter().map(|task| spawn(task, options)).collect::<Result<Vec<_>>>();
    let threads = threads.inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
    wait(&threads, options.duration, &ending);
    stop.store(true, Ordering::Relaxed);
    let ended = threads.into_iter().map(join).collect::<Result<Vec<_>>>()?;
    Ok(Run { start, locked, end: OffsetDateTime::now_utc(), dma_latency_held: held.is_some(), threads: ended })
}

fn tasks(options: &Options) -> Result<Vec<Task>> {
    let period = Nanos::try_from(options.interval.as_nanos()).unwrap_or(Nanos::MAX);
    if !(1_000..=1_000_000_000).contains(&period) {
        return Err(Error::Interval(options.interval));
    }
    let realtime = matches!(options.policy, Policy::Fifo | Policy::Rr);
    if let Some(priority) = options.prio.filter(|_| !realtime) {
        return Err(Error::PriorityAlone(priority));
    }
    let cpus = cpus(options.cpus.as_deref())?;
    let (stop, start) = (Arc::new(AtomicBool::new(false)), Arc::new(Barrier::new(cpus.len())));
    let task = |cpu| Task {
        cpu,
        period,
        loops: options.loops,
        method: options.method,
        policy: options.policy,
        priority: options.prio.unwrap_or(80),
        stop: Arc::clone(&stop),
        start: Arc::clone(&start),
    };
    Ok(cpus.into_iter().map(task).collect())
}

fn cpus(asked: Option<&str>) -> Result<Vec<usize>> {
    let allowed = system::allowed_cpus()?;
    let Some(list) = asked else { return Ok(allowed) };
    let cpus = system::parse_cpus(list)?;
    match cpus.iter().find(|cpu| !allowed.contains(cpu)) {
        None => Ok(cpus),
        Some(&cpu) => Err(Error::CpuNotAllowed {
            asked: list.to_owned(),
            cpu,
            allowed: allowed.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        }),
    }
}

/// The record is made here, off the measuring thread, so that its pages are there before the thread's memory is counted.
fn spawn(task: Task, options: &Options) -> Result<JoinHandle<Result<Measured>>> {
    let record = Record::new(options.histogram)?;
    let name = format!("latency/{}", task.cpu);
    Builder::new().name(name).stack_size(STACK).spawn(move || measure(&task, record)).map_err(Error::Thread)
}

fn join(thread: JoinHandle<Result<Measured>>) -> Result<Measured> {
    thread.join().unwrap_or_else(|_| Err(Error::Thread(std::io::Error::other("it panicked"))))
}

fn block_ending_signals() -> Result<SigSet> {
    let mut set = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        set.add(signal);
    }
    set.thread_block().map(|()| set).map_err(|errno| Error::Clock { step: "block SIGINT and SIGTERM", errno })
}

/// Returns when all threads have ended, the time is over, or a signal asks for the end.
fn wait(threads: &[JoinHandle<Result<Measured>>], duration: Option<Duration>, ending: &SigSet) {
    let begin = Instant::now();
    while !threads.iter().all(JoinHandle::is_finished) {
        let left = duration.map_or(LOOK, |duration| duration.saturating_sub(begin.elapsed()).min(LOOK));
        if left.is_zero() || signalled(ending, left) {
            return;
        }
    }
}

fn signalled(ending: &SigSet, timeout: Duration) -> bool {
    let timeout = TimeSpec::from_duration(timeout);
    // SAFETY: set and timeout are alive during the call; no information is asked for.
    let signal = unsafe { libc::sigtimedwait(ending.as_ref(), std::ptr::null_mut(), timeout.as_ref()) };
    Errno::result(signal).is_ok()
}
