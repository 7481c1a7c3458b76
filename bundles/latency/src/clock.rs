//! CLOCK_MONOTONIC in nanoseconds, and the two ways to wait for one of its instants.

use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::time::{ClockId as Clock, ClockNanosleepFlags, clock_gettime, clock_nanosleep};

use crate::options::Method;

/// Nanoseconds of CLOCK_MONOTONIC.
pub type Nanos = u64;

const SECOND: u64 = 1_000_000_000;

/// Now.
pub fn now() -> Result<Nanos, Errno> {
    let time = clock_gettime(Clock::CLOCK_MONOTONIC)?;
    Ok(time.tv_sec() as u64 * SECOND + time.tv_nsec() as u64)
}

fn timespec(instant: Nanos) -> TimeSpec {
    TimeSpec::new((instant / SECOND) as _, (instant % SECOND) as _)
}

/// Waits until absolute instants.
#[derive(Debug)]
pub enum Sleeper {
    /// `clock_nanosleep(2)` with TIMER_ABSTIME.
    Nanosleep,
    /// `timerfd_settime(2)` with TFD_TIMER_ABSTIME, and a blocking read.
    Timerfd(TimerFd),
}

impl Sleeper {
    /// # Errors
    /// As `timerfd_create(2)`.
    pub fn new(method: Method) -> Result<Sleeper, Errno> {
        Ok(match method {
            Method::Nanosleep => Sleeper::Nanosleep,
            Method::Timerfd => Sleeper::Timerfd(TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC)?),
        })
    }

    /// Returns at `instant` or after it; at once if it has passed.
    ///
    /// # Errors
    /// As the calls named above; EINTR is waited out.
    pub fn until(&self, instant: Nanos) -> Result<(), Errno> {
        match self {
            Sleeper::Nanosleep => loop {
                let flags = ClockNanosleepFlags::TIMER_ABSTIME;
                match clock_nanosleep(Clock::CLOCK_MONOTONIC, flags, &timespec(instant)) {
                    Ok(_) => return Ok(()),
                    Err(Errno::EINTR) => {}
                    Err(errno) => return Err(errno),
                }
            },
            Sleeper::Timerfd(timer) => {
                let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME;
                timer.set(Expiration::OneShot(timespec(instant)), flags)?;
                let mut expirations = [0; 8];
                loop {
                    match nix::unistd::read(timer.as_fd(), &mut expirations) {
                        Ok(_) => return Ok(()),
                        Err(Errno::EINTR) => {}
                        Err(errno) => return Err(errno),
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_wait_until_the_instant() {
        for method in [Method::Nanosleep, Method::Timerfd] {
            let sleeper = Sleeper::new(method).unwrap();
            let instant = now().unwrap() + 2_000_000;
            sleeper.until(instant).unwrap();
            assert!(now().unwrap() >= instant, "{method:?}");
        }
    }

    #[test]
    fn an_instant_that_has_passed_is_no_wait() {
        for method in [Method::Nanosleep, Method::Timerfd] {
            Sleeper::new(method).unwrap().until(1).unwrap();
        }
    }
}
