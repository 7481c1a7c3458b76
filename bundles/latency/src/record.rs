//! What one thread has seen: counters and histograms that are whole before the first release, so that nothing is
//! allocated while it measures.

use hdrhistogram::Histogram;

use crate::clock::Nanos;
use crate::error::{Error, Result};

/// Longest latency that is told apart, nanoseconds; longer ones count as this.
const LONGEST: Nanos = 10_000_000_000;
/// Numbers of releases of which overflows are remembered, as many as cyclictest prints.
const OVERFLOWS_KEPT: usize = 64;

/// Wake-up latencies of one thread.
#[derive(Debug)]
pub struct Record {
    /// Count of each whole microsecond, as cyclictest counts.
    pub bins: Vec<u64>,
    /// Releases later than the last bin.
    pub overflows: u64,
    /// Numbers of the first of these releases.
    pub overflow_at: Vec<u64>,
    /// Measured releases.
    pub cycles: u64,
    /// Releases that had passed before the thread could sleep for them: it was late by more than a period.
    pub missed: u64,
    /// Extremes and sum, nanoseconds.
    pub min: Nanos,
    /// See `min`.
    pub max: Nanos,
    /// See `min`.
    pub sum: u128,
    /// The last one.
    pub last: Nanos,
    /// Latency, nanoseconds, three digits.
    pub latency: Histogram<u64>,
    /// Latency with the releases that were missed put in at what they would have found (coordinated omission).
    pub corrected: Histogram<u64>,
    /// Deviation of the time between two wake-ups from the period, nanoseconds.
    pub jitter: Histogram<u64>,
}

impl Record {
    /// Room for latencies of up to `microseconds` in bins.
    pub fn new(microseconds: u32) -> Result<Record> {
        let histogram = |what| {
            Histogram::new_with_bounds(1, LONGEST, 3)
                .map_err(|problem| Error::Histogram { what, problem: problem.to_string() })
        };
        Ok(Record {
            bins: vec![0; microseconds as usize],
            overflows: 0,
            overflow_at: Vec::with_capacity(OVERFLOWS_KEPT),
            cycles: 0,
            missed: 0,
            min: Nanos::MAX,
            max: 0,
            sum: 0,
            last: 0,
            latency: histogram("latency")?,
            corrected: histogram("corrected latency")?,
            jitter: histogram("jitter")?,
        })
    }

    /// One release: woken `latency` after it, `between` after the wake-up before.
    pub fn add(&mut self, latency: Nanos, between: Option<Nanos>, period: Nanos) {
        let bin = usize::try_from(latency / 1_000).ok().and_then(|bin| self.bins.get_mut(bin));
        match bin {
            Some(count) => *count += 1,
            None => {
                self.overflows += 1;
                if self.overflow_at.len() < OVERFLOWS_KEPT {
                    self.overflow_at.push(self.cycles);
                }
            }
        }
        self.cycles += 1;
        self.min = self.min.min(latency);
        self.max = self.max.max(latency);
        self.sum += u128::from(latency);
        self.last = latency;
        self.latency.saturating_record(latency);
        self.corrected.saturating_record(latency);
        if let Some(between) = between {
            self.jitter.saturating_record(between.abs_diff(period));
        }
    }

    /// A release that passed while the thread was still late for the one before: it would have waited this long.
    pub fn miss(&mut self, would_have_waited: Nanos) {
        self.missed += 1;
        self.corrected.saturating_record(would_have_waited);
    }

    /// Mean latency, nanoseconds; 0 before the first release.
    pub fn mean(&self) -> f64 {
        if self.cycles == 0 { 0.0 } else { self.sum as f64 / self.cycles as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_falls_into_its_whole_microsecond_or_overflows() {
        let mut record = Record::new(10).unwrap();
        for latency in [0, 999, 1_000, 9_999, 10_000] {
            record.add(latency, None, 100_000);
        }
        assert_eq!((record.bins[0], record.bins[1], record.bins[9], record.overflows), (2, 1, 1, 1));
        assert_eq!(record.overflow_at, [4]);
        assert_eq!((record.min, record.max, record.cycles), (0, 10_000, 5));
        assert_eq!(record.bins.iter().sum::<u64>() + record.overflows, record.cycles);
    }

    #[test]
    fn missed_releases_count_in_the_corrected_histogram_only() {
        let mut record = Record::new(10).unwrap();
        record.add(2_500, None, 1_000);
        record.miss(1_500);
        record.miss(500);
        assert_eq!((record.latency.len(), record.corrected.len(), record.missed), (1, 3, 2));
    }
}
