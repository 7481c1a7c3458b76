//! A HdrHistogram log: one line a CPU with the tag `cpuN`, and one tagged `cpuN-corrected`, nanoseconds.

use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use crate::error::{Error, Result};
use crate::run::Run;

/// The log's bytes.
///
/// # Errors
/// [`Error::Histogram`] when one can't be written down.
pub fn log(run: &Run) -> Result<Vec<u8>> {
    let failed = |problem: String| Error::Histogram { what: "the log", problem };
    let (start, end) = (SystemTime::from(run.start), SystemTime::from(run.end));
    let duration = end.duration_since(start).unwrap_or_default();
    let (mut bytes, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
    let mut log = IntervalLogWriterBuilder::new()
        .with_start_time(start)
        .with_base_time(start)
        .with_max_value_divisor(1_000.0)
        .begin_log_with(&mut bytes, &mut serializer)
        .map_err(|error| failed(error.to_string()))?;
    for thread in &run.threads {
        let mut line = |name: String, histogram: &Histogram<u64>| {
            let tag = Tag::new(&name);
            log.write_histogram(histogram, Duration::ZERO, duration, tag).map_err(|error| failed(format!("{error:?}")))
        };
        line(format!("cpu{}", thread.cpu), &thread.record.latency)?;
        line(format!("cpu{}-corrected", thread.cpu), &thread.record.corrected)?;
    }
    drop(log);
    Ok(bytes)
}
