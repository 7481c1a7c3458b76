//! Medians with their range.

use std::time::Duration;

/// The median of a set of samples and its extremes; times in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// The middle sample, or the mean of the two middle ones.
    pub median: f64,
    /// The least sample.
    pub min: f64,
    /// The greatest sample.
    pub max: f64,
}

impl Summary {
    /// Sums times up, in milliseconds. `None` of no samples.
    pub fn of_times(times: impl IntoIterator<Item = Duration>) -> Option<Self> {
        Self::of(times.into_iter().map(|time| time.as_secs_f64() * 1e3))
    }

    /// Sums plain numbers up. `None` of no samples.
    pub fn of(samples: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut samples: Vec<f64> = samples.into_iter().collect();
        samples.sort_by(f64::total_cmp);
        let middle = samples.len() / 2;
        let upper = *samples.get(middle)?;
        let lower = if samples.len() % 2 == 0 { *samples.get(middle - 1)? } else { upper };
        Some(Self { median: (lower + upper) / 2.0, min: *samples.first()?, max: *samples.last()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_the_middle_whatever_the_order() {
        let odd = Summary::of([9.0, 1.0, 5.0]).unwrap();
        assert_eq!((odd.median, odd.min, odd.max), (5.0, 1.0, 9.0));
        let even = Summary::of([4.0, 1.0, 2.0, 8.0]).unwrap();
        assert_eq!((even.median, even.min, even.max), (3.0, 1.0, 8.0));
        assert!(Summary::of([]).is_none());
    }
}
