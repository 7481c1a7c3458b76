//! cyclictest's `--json` document, file version 1 (rt-tests, src/lib/rt-utils.c and src/cyclictest/cyclictest.c), with
//! what this agent knows beyond it under keys of its own. Two of cyclictest's keys do end in a colon.

use data_encoding::BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
use serde_json::{Map, Value, json};
use time::format_description::well_known::Rfc2822;

use super::command_line;
use crate::error::{Error, Result};
use crate::measure::Measured;
use crate::run::Run;
use crate::system::is_realtime;

/// The document. `hdr` of a thread is its HdrHistogram of nanoseconds (V2, deflated, base64), which can be merged with others.
///
/// # Errors
/// [`Error::Histogram`] when one can't be written down.
pub fn json(run: &Run) -> Result<String> {
    let date = |time: time::OffsetDateTime| time.format(&Rfc2822).unwrap_or_default();
    let numbered = run.threads.iter().enumerate();
    let threads: Map<String, Value> =
        numbered.map(|(index, thread)| Ok((index.to_string(), one(thread, run.locked)?))).collect::<Result<_>>()?;
    let document = json!({
        "file_version": 1,
        "cmdline:": command_line(),
        "rt_test_version:": concat!("latency-agent ", env!("CARGO_PKG_VERSION")),
        "start_time": date(run.start),
        "end_time": date(run.end),
        "return_code": 0,
        "sysinfo": sysinfo(),
        "num_threads": run.threads.len(),
        "resolution_in_ns": 0,
        "thread": threads,
    });
    Ok(format!("{document:#}\n"))
}

fn sysinfo() -> Value {
    let name = nix::sys::utsname::uname();
    let text = |part: &dyn Fn(&nix::sys::utsname::UtsName) -> String| name.as_ref().map(part).unwrap_or_default();
    json!({
        "sysname": text(&|name| name.sysname().to_string_lossy().into_owned()),
        "nodename": text(&|name| name.nodename().to_string_lossy().into_owned()),
        "release": text(&|name| name.release().to_string_lossy().into_owned()),
        "version": text(&|name| name.version().to_string_lossy().into_owned()),
        "machine": text(&|name| name.machine().to_string_lossy().into_owned()),
        "realtime": u8::from(is_realtime()),
    })
}

fn one(thread: &Measured, locked: bool) -> Result<Value> {
    let record = &thread.record;
    let seen = record.bins.iter().enumerate().filter(|&(_, &count)| count > 0);
    let histogram: Map<String, Value> = seen.map(|(bin, &count)| (bin.to_string(), json!(count))).collect();
    let percentiles: Map<String, Value> = super::text::PERCENTILES
        .iter()
        .map(|&p| (p.to_string(), json!(record.latency.value_at_percentile(p))))
        .collect();
    Ok(json!({
        "histogram": histogram,
        "cycles": record.cycles,
        "min": if record.cycles == 0 { 0 } else { record.min / 1_000 },
        "max": record.max / 1_000,
        "avg": (record.mean() / 10.0).round() / 100.0,
        "cpu": thread.cpu,
        "node": node(thread.cpu),
        "percentiles_ns": percentiles,
        "max_ns": record.max,
        "overflows": record.overflows,
        "missed": record.missed,
        "jitter_max_ns": record.jitter.max(),
        "minor_faults": thread.usage.minor_faults,
        "major_faults": thread.usage.major_faults,
        "voluntary_switches": thread.usage.voluntary_switches,
        "involuntary_switches": thread.usage.involuntary_switches,
        "smis": thread.usage.smis,
        "mlocked": locked,
        "hdr": encoded(&record.latency)?,
        "hdr_corrected": encoded(&record.corrected)?,
    }))
}

fn encoded(histogram: &Histogram<u64>) -> Result<String> {
    let mut bytes = Vec::new();
    let written = V2DeflateSerializer::new().serialize(histogram, &mut bytes);
    written.map_err(|error| Error::Histogram { what: "a thread", problem: error.to_string() })?;
    Ok(BASE64.encode(&bytes))
}

/// The NUMA node of a CPU: the link `nodeN` in its folder of sysfs; 0 where there is none.
fn node(cpu: usize) -> u32 {
    let entries = std::fs::read_dir(format!("/sys/devices/system/cpu/cpu{cpu}")).into_iter().flatten().flatten();
    let number = |entry: std::fs::DirEntry| entry.file_name().to_str()?.strip_prefix("node")?.parse().ok();
    entries.filter_map(number).next().unwrap_or(0)
}
