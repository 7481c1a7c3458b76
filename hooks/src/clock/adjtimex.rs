//! The kernel's own account of its clock, `adjtimex(2)`. It knows whether somebody disciplines it and with what error, but
//! not since when nobody does: the error grows, by 500 ppm, until at 16 s the kernel calls the clock unsynchronised.

use super::{Sample, Source, State};
use nix::errno::Errno;

/// The system clock as the kernel sees it.
pub(super) struct Adjtimex;

impl Source for Adjtimex {
    fn name(&self) -> String {
        "adjtimex".into()
    }

    fn sample(&self) -> Result<Sample, String> {
        let (state, timex) = read().map_err(|errno| format!("adjtimex: {errno}"))?;
        Ok(judge(state, &timex))
    }
}

/// TAI − UTC in seconds as the kernel has it; 0 when nobody has told it.
pub(super) fn tai_offset() -> i64 {
    read().map_or(0, |(_, timex)| timex.tai.into())
}

fn read() -> Result<(i32, libc::timex), Errno> {
    // SAFETY: all zero is a valid timex, and with modes 0 it only reads.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the structure is live.
    let state = Errno::result(unsafe { libc::adjtimex(&mut timex) })?;
    Ok((state, timex))
}

fn judge(state: i32, timex: &libc::timex) -> Sample {
    let unit = if timex.status & libc::STA_NANO != 0 { 1 } else { 1000 };
    let offset = timex.offset.saturating_mul(unit);
    let error = u64::try_from(timex.maxerror).unwrap_or(u64::MAX).saturating_mul(1000);
    let unsynchronised = state == libc::TIME_ERROR || timex.status & libc::STA_UNSYNC != 0;
    let why = match (unsynchronised, timex.status) {
        (false, _) => "a daemon disciplines the kernel's clock",
        (true, status) if status & libc::STA_CLOCKERR != 0 => "STA_CLOCKERR: the clock's hardware is at fault",
        (true, status) if status & libc::STA_UNSYNC != 0 => "STA_UNSYNC: no daemon disciplines the kernel's clock",
        (true, _) => "TIME_ERROR: a PPS signal that is asked for is missing or bad",
    };
    Sample {
        state: if unsynchronised { State::Freerun } else { State::Locked },
        offset_ns: Some(offset),
        bound_ns: Some(error.saturating_add(offset.unsigned_abs())),
        detail: why.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timex(status: i32, maxerror: libc::c_long) -> libc::timex {
        // SAFETY: all zero is a valid timex.
        let mut timex: libc::timex = unsafe { std::mem::zeroed() };
        (timex.status, timex.maxerror, timex.offset) = (status, maxerror, -3);
        timex
    }

    #[test]
    fn the_kernels_word_decides() {
        let sample = judge(libc::TIME_OK, &timex(libc::STA_PLL, 250));
        assert_eq!((sample.state, sample.offset_ns, sample.bound_ns), (State::Locked, Some(-3000), Some(253_000)));
        let sample = judge(libc::TIME_OK, &timex(libc::STA_NANO, 250));
        assert_eq!(sample.bound_ns, Some(250_003));
        for (state, status, word) in [
            (libc::TIME_ERROR, libc::STA_UNSYNC, "STA_UNSYNC"),
            (libc::TIME_ERROR, libc::STA_CLOCKERR, "STA_CLOCKERR"),
            (libc::TIME_ERROR, libc::STA_PPSTIME, "PPS"),
        ] {
            let sample = judge(state, &timex(status, 16_000_000));
            assert_eq!(sample.state, State::Freerun);
            assert!(sample.detail.contains(word), "{}", sample.detail);
        }
    }

    #[test]
    fn the_running_kernel_answers() {
        assert!(Adjtimex.sample().unwrap().bound_ns.is_some());
    }
}
