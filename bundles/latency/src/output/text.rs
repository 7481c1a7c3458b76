//! What a person reads at the end: a line a thread, then percentiles with the samples that carry them.

use std::fmt::Write;

use crate::measure::Measured;
use crate::options::Options;
use crate::run::Run;

/// Percentiles that are told.
pub const PERCENTILES: [f64; 6] = [50.0, 99.0, 99.9, 99.99, 99.999, 100.0];

/// The summary.
pub fn text(options: &Options, run: &Run) -> String {
    let mut text = String::new();
    if run.dma_latency_held {
        let _ = writeln!(text, "# /dev/cpu_dma_latency set to {}us", options.dma_latency.0.unwrap_or_default());
    }
    let interval = options.interval.as_micros();
    for (index, thread) in run.threads.iter().enumerate() {
        let record = &thread.record;
        let minimum = if record.cycles == 0 { 0 } else { record.min / 1_000 };
        let _ = writeln!(
            text,
            "T:{index:2} ({:5}) C:{:2} I:{interval} C:{:7} Min:{minimum:7} Act:{:5} Avg:{:5} Max:{:8}",
            thread.tid,
            thread.cpu,
            record.cycles,
            record.last / 1_000,
            record.mean() as u64 / 1_000,
            record.max / 1_000
        );
    }
    for thread in &run.threads {
        details(&mut text, thread);
    }
    text
}

fn details(text: &mut String, thread: &Measured) {
    let (record, usage) = (&thread.record, &thread.usage);
    let _ = write!(text, "# CPU {}:", thread.cpu);
    for percentile in PERCENTILES {
        // A percentile needs some ten samples above it to be more than an anecdote.
        let carried = record.cycles as f64 * (1.0 - percentile / 100.0) >= 10.0 || percentile >= 100.0;
        let name = if percentile >= 100.0 { "max".to_owned() } else { format!("p{percentile}") };
        let micros = record.latency.value_at_percentile(percentile) as f64 / 1_000.0;
        let _ = if carried { write!(text, " {name} {micros:.1}") } else { write!(text, " {name} -") };
    }
    let _ = writeln!(text, " us of {} samples, {} releases missed", record.cycles, record.missed);
    let smis = usage.smis.map_or("unknown (no MSR)".to_owned(), |count| count.to_string());
    let _ = writeln!(
        text,
        "# CPU {}: jitter p99.9 {:.1} max {:.1} us; faults {} minor {} major; switches {} voluntary {} forced; SMIs {smis}",
        thread.cpu,
        record.jitter.value_at_percentile(99.9) as f64 / 1_000.0,
        record.jitter.max() as f64 / 1_000.0,
        usage.minor_faults,
        usage.major_faults,
        usage.voluntary_switches,
        usage.involuntary_switches,
    );
}
