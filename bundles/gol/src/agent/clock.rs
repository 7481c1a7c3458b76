//! The clock that all agents of a run share: CLOCK_REALTIME, kept in step by PTP or NTP between hosts.

use nix::errno::Errno;
use nix::libc;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};
use std::time::Duration;

/// CLOCK_REALTIME in nanoseconds since the epoch.
pub fn now() -> u64 {
    // CLOCK_REALTIME is there on every Linux, and the call has no other way to fail.
    let now = clock_gettime(ClockId::CLOCK_REALTIME).unwrap_or(TimeSpec::new(0, 0));
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}

/// `duration` in nanoseconds.
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Sleeps until `instant` (clock_nanosleep(2), TIMER_ABSTIME) and says how late it is then; `None` when a signal came.
pub fn sleep_until(instant: u64) -> Option<Duration> {
    let request = TimeSpec::new((instant / 1_000_000_000) as i64, (instant % 1_000_000_000) as i64);
    match clock_nanosleep(ClockId::CLOCK_REALTIME, ClockNanosleepFlags::TIMER_ABSTIME, &request) {
        Err(Errno::EINTR) => None,
        // The request is well-formed, so that nothing else can be wrong with it.
        _ => Some(Duration::from_nanos(now().saturating_sub(instant))),
    }
}

/// How far CLOCK_REALTIME may be off in µs, as whoever disciplines it told the kernel (adjtimex(2), `maxerror`); `None`
/// while nobody does.
pub fn error_bound() -> Option<u32> {
    // SAFETY: all zero bytes are a timex: modes 0 reads only
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: a valid timex
    let state = unsafe { libc::adjtimex(&mut timex) };
    let known = state >= 0 && state != libc::TIME_ERROR && timex.status & libc::STA_UNSYNC == 0;
    known.then(|| u32::try_from(timex.maxerror).unwrap_or(u32::MAX - 1))
}

/// A number for this host's boot: agents with the same one read the same clock.
pub fn host() -> u32 {
    let boot = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    crc32fast::hash(&boot)
}
