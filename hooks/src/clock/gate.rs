use super::shared::Aged;
use super::{Error, Sample, Shared, Source, State};
use crate::annotation::{CLOCK_TIMEOUT, Clock, ClockState, OnTimeout};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::{Duration, Instant};

/// Samples in a row that must be good: one alone may be luck.
const IN_A_ROW: usize = 3;
/// Between two of them.
const INTERVAL: Duration = Duration::from_millis(100);
/// An older sample tells nothing of now.
const FRESH: Duration = Duration::from_secs(2);

/// What a container asks of the clock.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Gate {
    /// The least state.
    pub require: State,
    /// The largest error of the system clock; none is any.
    pub max_offset: Option<Duration>,
    /// How long to wait. A series of good samples that has begun is waited for all the same.
    pub timeout: Duration,
    /// What then.
    pub on_timeout: OnTimeout,
}

/// What a source said last.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Reading {
    /// The source's name.
    pub source: String,
    /// Its last sample.
    pub sample: Sample,
    /// How old that is, nanoseconds.
    pub age_ns: u64,
    /// What is not good about it.
    pub problem: Option<String>,
}

/// How the gate was passed.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Passage {
    /// False when the time was over and the container may start all the same.
    pub good: bool,
    /// How long it took, nanoseconds.
    pub waited_ns: u64,
    /// The last of each source.
    pub readings: Vec<Reading>,
}

impl Gate {
    /// The gate that the `clock.*` annotations describe, if they ask for one.
    pub fn asked(clock: &Clock) -> Option<Gate> {
        let require = match clock.require? {
            ClockState::None => return None,
            ClockState::Holdover => State::Holdover,
            ClockState::Locked => State::Locked,
        };
        Some(Gate {
            require,
            max_offset: clock.max_offset,
            timeout: clock.timeout.unwrap_or(CLOCK_TIMEOUT),
            on_timeout: clock.on_timeout.unwrap_or(OnTimeout::Fail),
        })
    }

    /// Waits until each source has had enough good samples in a row.
    ///
    /// # Errors
    /// [`Error::Timeout`] unless a warning is enough, [`Error::Shared`].
    pub fn wait(&self, sources: &[Box<dyn Source>], shared: &Shared) -> Result<Passage, Error> {
        let start = Instant::now();
        loop {
            let looks =
                sources.iter().map(|source| self.look(source.as_ref(), shared)).collect::<Result<Vec<_>, _>>()?;
            let good = looks.iter().all(|look| look.in_a_row >= IN_A_ROW);
            let begun = looks.iter().all(|look| look.in_a_row > 0);
            let late = start.elapsed() >= self.timeout && !begun;
            if good || late {
                let readings: Vec<Reading> = looks.into_iter().map(|look| look.reading).collect();
                return match (good, self.on_timeout) {
                    (false, OnTimeout::Fail) => {
                        Err(Error::Timeout { require: self.require, timeout: self.timeout, readings })
                    }
                    _ => Ok(Passage { good, waited_ns: nanoseconds(start.elapsed()), readings }),
                };
            }
            let left = self.timeout.saturating_sub(start.elapsed());
            std::thread::sleep(if begun { INTERVAL } else { INTERVAL.min(left) });
        }
    }

    fn look(&self, source: &dyn Source, shared: &Shared) -> Result<Look, Error> {
        let samples = shared.look(source, INTERVAL, |samples| self.in_a_row(samples) >= IN_A_ROW)?;
        let newest = samples.first().cloned().unwrap_or_else(|| Aged {
            sample: Sample { state: State::Freerun, offset_ns: None, bound_ns: None, detail: "never asked".into() },
            age: Duration::ZERO,
        });
        let problem = self.problem(&newest.sample);
        let reading =
            Reading { source: source.name(), sample: newest.sample, age_ns: nanoseconds(newest.age), problem };
        Ok(Look { in_a_row: self.in_a_row(&samples), reading })
    }

    /// How many of the newest are good, without a bad or an old one between.
    fn in_a_row(&self, samples: &[Aged]) -> usize {
        samples.iter().take_while(|aged| aged.age <= FRESH && self.problem(&aged.sample).is_none()).count()
    }

    fn problem(&self, sample: &Sample) -> Option<String> {
        if sample.state < self.require {
            return Some(format!("it is not {}", self.require));
        }
        let max = self.max_offset?;
        match sample.bound_ns.map(Duration::from_nanos) {
            None => Some("the source tells of no error bound".to_owned()),
            Some(bound) if bound > max => Some(format!("its error may be more than {max:?}")),
            Some(_) => None,
        }
    }
}

struct Look {
    in_a_row: usize,
    reading: Reading,
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.sample)?;
        self.problem.as_ref().map_or(Ok(()), |problem| write!(f, ": {problem}"))
    }
}

impl fmt::Display for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.good { "the clock is good" } else { "the clock is not good" };
        write!(f, "{verdict} after {:?}: {}", Duration::from_nanos(self.waited_ns), join(&self.readings))
    }
}

pub(super) fn join(readings: &[Reading]) -> String {
    readings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
