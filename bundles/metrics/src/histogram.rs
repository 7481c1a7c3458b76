//! A histogram of durations that one thread fills without a lock while others read it.

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Buckets an octave: a value is known to a sixteenth.
const STEPS: usize = 16;
/// Octaves: up to 2^36 ns, 69 s; what is longer counts as that.
const OCTAVES: usize = 36;
/// The longest duration that is told from longer ones, in nanoseconds.
const LONGEST: u64 = 1 << OCTAVES;
/// The first bound that is published is 2^10 ns (1.024 µs), the last 2^35 ns (34 s); each is twice the one before.
const PUBLISHED: std::ops::RangeInclusive<usize> = 10..=35;

#[derive(Debug)]
struct Buckets {
    counts: [AtomicU64; STEPS * OCTAVES],
    sum: AtomicU64,
    max: AtomicU64,
}

/// A histogram of durations, sixteen buckets an octave from 1 ns to 69 s; octaves are published. Clones share the buckets.
#[derive(Clone, Debug)]
pub struct Histogram(Arc<Buckets>);

impl Default for Histogram {
    fn default() -> Self {
        let counts = std::array::from_fn(|_| AtomicU64::new(0));
        Histogram(Arc::new(Buckets { counts, sum: AtomicU64::new(0), max: AtomicU64::new(0) }))
    }
}

/// The bucket of a duration of `nanos`: octave k holds what is longer than 2^k ns and no longer than 2^(k+1) ns.
fn bucket(nanos: u64) -> usize {
    let value = nanos.saturating_sub(1).clamp(1, LONGEST - 1);
    let octave = value.ilog2() as usize;
    let step = ((value - (1 << octave)) * STEPS as u64) >> octave;
    octave * STEPS + step as usize
}

/// The longest duration of a bucket, in nanoseconds.
fn bound(bucket: usize) -> u64 {
    let (octave, step) = (bucket / STEPS, bucket % STEPS + 1);
    (1 << octave) + ((step as u64) << octave).div_ceil(STEPS as u64)
}

impl Histogram {
    /// Counts a duration. Three atomic additions: may stand in a real-time loop.
    pub fn observe(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(LONGEST).min(LONGEST);
        self.0.counts[bucket(nanos)].fetch_add(1, Relaxed);
        self.0.sum.fetch_add(nanos, Relaxed);
        self.0.max.fetch_max(nanos, Relaxed);
    }

    /// How many durations were counted.
    pub fn count(&self) -> u64 {
        self.0.counts.iter().map(|count| count.load(Relaxed)).sum()
    }

    /// The longest duration counted, exactly.
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.0.max.load(Relaxed))
    }

    /// A duration that the share `quantile` (0 to 1) of those counted does not exceed, to a sixteenth; zero before any.
    pub fn quantile(&self, quantile: f64) -> Duration {
        let wanted = (self.count() as f64 * quantile).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in self.0.counts.iter().enumerate() {
            seen += count.load(Relaxed);
            if seen >= wanted && seen > 0 {
                return Duration::from_nanos(bound(bucket)).min(self.max());
            }
        }
        Duration::ZERO
    }
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut buckets = Vec::with_capacity(OCTAVES);
        let (mut count, mut pending) = (0, 0);
        for octave in 0..OCTAVES {
            let octave_counts = &self.0.counts[octave * STEPS..(octave + 1) * STEPS];
            pending += octave_counts.iter().map(|count| count.load(Relaxed)).sum::<u64>();
            if PUBLISHED.contains(&(octave + 1)) {
                buckets.push(((1u64 << (octave + 1)) as f64 / 1e9, pending));
                count += std::mem::take(&mut pending);
            }
        }
        buckets.push((f64::INFINITY, pending));
        let sum = self.0.sum.load(Relaxed) as f64 / 1e9;
        encoder.encode_histogram::<NoLabelSet>(sum, count + pending, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_lies_within_its_bucket() {
        for nanos in (1..5000).chain([1 << 20, (1 << 20) + 1, 123_456_789, 1 << 35]) {
            let bucket = bucket(nanos);
            assert!(nanos <= bound(bucket).max(2), "{nanos} above {}", bound(bucket));
            assert!(bucket == 0 || nanos > bound(bucket - 1) || bound(bucket - 1) == bound(bucket), "{nanos}");
        }
        assert_eq!(bucket(u64::MAX), STEPS * OCTAVES - 1);
    }

    #[test]
    fn quantiles_are_right_to_a_sixteenth() {
        let histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), Duration::ZERO);
        (1..=1000).for_each(|micros| histogram.observe(Duration::from_micros(micros)));
        for (quantile, micros) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0)] {
            let found = histogram.quantile(quantile).as_secs_f64() * 1e6;
            assert!((found / micros - 1.0).abs() < 1.0 / 16.0, "{quantile}: {found}");
        }
        assert_eq!(histogram.quantile(1.0), Duration::from_micros(1000));
        assert_eq!((histogram.count(), histogram.max()), (1000, Duration::from_micros(1000)));
    }
}
