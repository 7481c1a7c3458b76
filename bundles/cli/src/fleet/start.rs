//! The start barrier: one instant of the wall clock at which every agent begins.

use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rtrun_hooks::annotation;

/// `start` of a fleet file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// So long after `up`, then the next whole second.
    After(Duration),
    /// At this time.
    At(SystemTime),
}

impl FromStr for Start {
    type Err = String;

    fn from_str(text: &str) -> Result<Start, String> {
        match text.strip_prefix('+') {
            Some(rest) => annotation::duration(rest).map(Start::After).map_err(|problem| format!("{text:?} {problem}")),
            None => humantime::parse_rfc3339(text)
                .map(Start::At)
                .map_err(|_| format!("{text:?} is neither +DURATION nor a time as 2026-11-25T12:00:00Z")),
        }
    }
}

impl Start {
    /// The instant, as nanoseconds since the epoch; whole seconds, so that agents of other hosts can be told the same.
    ///
    /// # Errors
    /// It has passed.
    pub fn instant(self, now: SystemTime) -> Result<Duration, String> {
        let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default();
        match self {
            Start::After(wait) => {
                let earliest = since(now + wait);
                Ok(Duration::from_secs(earliest.as_secs() + u64::from(earliest.subsec_nanos() > 0)))
            }
            Start::At(time) if time <= now => Err(format!("start {} has passed", humantime::format_rfc3339(time))),
            Start::At(time) => Ok(since(time)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_on_a_whole_second() {
        let now = UNIX_EPOCH + Duration::from_millis(1_500);
        assert_eq!("+2s".parse::<Start>().unwrap().instant(now), Ok(Duration::from_secs(4)));
        assert_eq!("+500ms".parse::<Start>().unwrap().instant(now), Ok(Duration::from_secs(2)));
    }

    #[test]
    fn a_time_that_has_passed_is_refused() {
        let start: Start = "2020-01-01T00:00:00Z".parse().unwrap();
        assert!(start.instant(SystemTime::now()).is_err());
    }
}
