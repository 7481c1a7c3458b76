//! cyclictest's histogram (`-h`, `--histfile`), which OSADL's plot scripts read.

use std::fmt::Write;

use crate::measure::Measured;
use crate::run::Run;

/// A row a microsecond, a column a thread, then the totals as comments.
pub fn histogram(microseconds: u32, run: &Run) -> String {
    let mut text = String::from("# Histogram\n");
    for bin in 0..microseconds as usize {
        let counts = columns(run, "\t", |thread| format!("{:06}", thread.record.bins[bin]));
        let _ = writeln!(text, "{bin:06} {counts}");
    }
    let total = |thread: &Measured| thread.record.cycles - thread.record.overflows;
    let micros = |nanos: u64| nanos / 1_000;
    let minimum = |thread: &Measured| if thread.record.cycles == 0 { 0 } else { micros(thread.record.min) };
    let _ = writeln!(text, "# Total: {}", columns(run, " ", |thread| format!("{:09}", total(thread))));
    let _ = writeln!(text, "# Min Latencies: {}", columns(run, " ", |thread| format!("{:05}", minimum(thread))));
    let average = |thread: &Measured| thread.record.mean() as u64 / 1_000;
    let _ = writeln!(text, "# Avg Latencies: {}", columns(run, " ", |thread| format!("{:05}", average(thread))));
    let _ =
        writeln!(text, "# Max Latencies: {}", columns(run, " ", |thread| format!("{:05}", micros(thread.record.max))));
    let _ = writeln!(
        text,
        "# Histogram Overflows: {}",
        columns(run, " ", |thread| format!("{:05}", thread.record.overflows))
    );
    text.push_str("# Histogram Overflow at cycle number:\n");
    for (index, thread) in run.threads.iter().enumerate() {
        let numbers: Vec<String> = thread.record.overflow_at.iter().map(|number| format!("{number:05}")).collect();
        let _ = writeln!(text, "# Thread {index}: {}", numbers.join(" "));
    }
    text.push('\n');
    text
}

fn columns(run: &Run, separator: &str, cell: impl Fn(&Measured) -> String) -> String {
    run.threads.iter().map(cell).collect::<Vec<_>>().join(separator)
}
