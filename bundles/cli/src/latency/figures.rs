//! What was measured: rounds, merged histograms, percentiles with the samples that carry them.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use serde_json::Value;

/// Percentiles of a report.
pub const PERCENTILES: [f64; 6] = [50.0, 90.0, 99.0, 99.9, 99.99, 99.999];
/// Samples that must lie above a percentile for it to be told.
const CARRIERS: f64 = 10.0;

/// One measurement of a contender: nanoseconds.
#[derive(Clone, Debug)]
pub struct Round {
    /// By CPU.
    pub cpus: BTreeMap<u64, Histogram<u64>>,
    /// Releases that passed while a thread was late, in all threads.
    pub missed: u64,
    /// Page faults while measuring.
    pub faults: u64,
    /// SMIs, where they can be counted.
    pub smis: Option<u64>,
    /// Whether memory was locked.
    pub locked: bool,
}

impl Round {
    /// Reads the agent's JSON.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &[u8]) -> Result<Round, String> {
        let value: Value = serde_json::from_slice(text).map_err(|error| format!("the agent's JSON: {error}"))?;
        let threads = value["thread"].as_object().ok_or("the agent's JSON has no threads")?;
        let mut round = Round { cpus: BTreeMap::new(), missed: 0, faults: 0, smis: None, locked: true };
        for thread in threads.values() {
            let cpu = thread["cpu"].as_u64().ok_or("a thread without its CPU")?;
            let encoded = thread["hdr"].as_str().ok_or("a thread without its histogram")?;
            let bytes = BASE64.decode(encoded.as_bytes()).map_err(|error| error.to_string())?;
            let histogram =
                Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(|error| error.to_string())?;
            round.cpus.insert(cpu, histogram);
            round.missed += thread["missed"].as_u64().unwrap_or(0);
            round.faults +=
                ["minor_faults", "major_faults"].iter().filter_map(|key| thread[*key].as_u64()).sum::<u64>();
            round.smis = thread["smis"].as_u64().map(|count| count + round.smis.unwrap_or(0)).or(round.smis);
            round.locked &= thread["mlocked"].as_bool().unwrap_or(false);
        }
        Ok(round)
    }

    /// All CPUs together.
    pub fn merged(&self) -> Option<Histogram<u64>> {
        merge(self.cpus.values())
    }
}

/// A contender's rounds.
#[derive(Debug)]
pub struct Figures {
    /// Its name.
    pub name: String,
    /// Those that succeeded.
    pub rounds: Vec<Round>,
    /// What it said when it did not.
    pub refusals: Vec<String>,
}

impl Figures {
    /// None yet.
    pub fn new(name: &str) -> Figures {
        Figures { name: name.to_owned(), rounds: Vec::new(), refusals: Vec::new() }
    }

    /// One more.
    pub fn add(&mut self, measured: Result<Round, String>) {
        match measured {
            Ok(round) => self.rounds.push(round),
            Err(refusal) => self.refusals.push(refusal),
        }
    }

    /// All rounds and CPUs together.
    pub fn merged(&self) -> Option<Histogram<u64>> {
        merge(self.rounds.iter().flat_map(|round| round.cpus.values()))
    }

    /// All rounds of each CPU.
    pub fn by_cpu(&self) -> BTreeMap<u64, Histogram<u64>> {
        let mut all = BTreeMap::new();
        for (cpu, histogram) in self.rounds.iter().flat_map(|round| &round.cpus) {
            let sum = all.entry(*cpu).or_insert_with(|| Histogram::new_from(histogram));
            let _ = sum.add(histogram);
        }
        all
    }

    /// Least and greatest of the rounds' values.
    pub fn range(&self, value: impl Fn(&Histogram<u64>) -> f64) -> Option<(f64, f64)> {
        let values: Vec<f64> = self.rounds.iter().filter_map(|round| round.merged().map(|all| value(&all))).collect();
        let least = values.iter().copied().reduce(f64::min)?;
        Some((least, values.iter().copied().fold(least, f64::max)))
    }
}

/// The sum of histograms that the agent made, and which so have one shape.
fn merge<'a>(all: impl Iterator<Item = &'a Histogram<u64>>) -> Option<Histogram<u64>> {
    all.fold(None, |sum: Option<Histogram<u64>>, histogram| {
        let mut sum = sum.unwrap_or_else(|| Histogram::new_from(histogram));
        // Adding fails only for values beyond the sum's bounds, which are the same.
        let _ = sum.add(histogram);
        Some(sum)
    })
}

/// A percentile in microseconds; `None` where too few samples lie above it.
pub fn percentile(histogram: &Histogram<u64>, percentile: f64) -> Option<f64> {
    let carriers = histogram.len() as f64 * (1.0 - percentile / 100.0);
    (carriers >= CARRIERS).then(|| histogram.value_at_percentile(percentile) as f64 / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_told_only_with_samples_above_it() {
        let mut histogram = Histogram::<u64>::new(3).unwrap();
        for value in 1..=1_000 {
            histogram.record(value * 1_000).unwrap();
        }
        assert!(percentile(&histogram, 99.0).is_some_and(|value| (value - 990.0).abs() < 1.5));
        assert_eq!(percentile(&histogram, 99.9), None);
    }

    #[test]
    fn what_is_no_agents_json_is_an_error() {
        for text in ["", "{}", r#"{"thread": {"0": {"cpu": 0}}}"#, r#"{"thread": {"0": {"cpu": 0, "hdr": "AAAA"}}}"#] {
            assert!(Round::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
