//! The agent's files beside those of the real cyclictest: same keys, same line shapes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Files that one run of a program left.
struct Files {
    json: Value,
    histogram: String,
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn read(folder: &Path) -> Files {
    Files {
        json: serde_json::from_str(&std::fs::read_to_string(folder.join("json")).unwrap()).unwrap(),
        histogram: std::fs::read_to_string(folder.join("histogram")).unwrap(),
    }
}

/// Own results: 100 releases a CPU.
fn agent(name: &str, more: &[&str]) -> (Files, PathBuf) {
    let folder = folder(name);
    let file = |key: &str| format!("{key}={}", folder.join(key.replace("histfile", "histogram")).display());
    let output = Command::new(env!("CARGO_BIN_EXE_latency-agent"))
        .args(["interval=1ms", "loops=100", "mlock=false", "dma-latency=off", "histogram=200"])
        .args([file("json"), file("histfile"), file("hlog")])
        .args(more)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (read(&folder), folder)
}

/// cyclictest's; `None` where it is not installed.
fn cyclictest() -> Option<Files> {
    let folder = folder("cyclictest");
    let file = |key: &str| format!("--{key}={}", folder.join(key.replace("histfile", "histogram")).display());
    let ran = Command::new("cyclictest")
        .args(["-q", "-a", "-t", "-i1000", "-l100", "-h200", "--default-system"])
        .args([file("json"), file("histfile")])
        .output();
    match ran {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Some(read(&folder))
        }
        Err(error) => {
            println!("skip: cyclictest (package rt-tests): {error}");
            None
        }
    }
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// A line without its numbers.
fn shape(line: &str) -> String {
    line.split_whitespace().filter(|word| word.parse::<u64>().is_err()).collect::<Vec<_>>().join(" ")
}

#[test]
fn files_have_the_shape_of_cyclictests() {
    let Some(theirs) = cyclictest() else { return };
    let (ours, _) = agent("shape", &[]);
    assert_eq!(keys(&ours.json), keys(&theirs.json));
    assert_eq!(keys(&ours.json["sysinfo"]), keys(&theirs.json["sysinfo"]));
    assert_eq!(keys(&ours.json["thread"]), keys(&theirs.json["thread"]));
    assert!(keys(&ours.json["thread"]["0"]).is_superset(&keys(&theirs.json["thread"]["0"])));
    let (rows, comments): (Vec<&str>, Vec<&str>) = theirs.histogram.lines().partition(|line| !line.starts_with('#'));
    let (our_rows, our_comments): (Vec<&str>, Vec<&str>) =
        ours.histogram.lines().partition(|line| !line.starts_with('#'));
    assert_eq!(our_rows.len(), rows.len());
    assert_eq!(our_rows[0].len(), rows[0].len());
    let shapes = |lines: &[&str]| lines.iter().map(|line| shape(line)).collect::<Vec<_>>();
    assert_eq!(shapes(&our_comments), shapes(&comments));
}

#[test]
fn every_release_is_in_the_histogram_or_an_overflow() {
    for method in ["method=nanosleep", "method=timerfd"] {
        let (files, _) = agent(method, &[method]);
        for (_, thread) in files.json["thread"].as_object().unwrap() {
            let counted: u64 = thread["histogram"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
            assert_eq!(counted + thread["overflows"].as_u64().unwrap(), 100);
            assert_eq!(thread["cycles"], 100);
        }
    }
}

#[test]
fn the_log_gives_every_sample_back() {
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
    let (files, folder) = agent("log", &["cpus=0"]);
    let log = std::fs::read(folder.join("hlog")).unwrap();
    let entries: Vec<LogEntry> = IntervalLogIterator::new(&log).map(Result::unwrap).collect();
    let [.., LogEntry::Interval(latency), LogEntry::Interval(corrected)] = entries.as_slice() else {
        panic!("two intervals in {entries:?}")
    };
    let tags = [latency, corrected].map(|interval| interval.tag().unwrap().as_str().to_owned());
    assert_eq!(tags, ["cpu0", "cpu0-corrected"]);
    let decode = |text: &str| {
        let bytes = data_encoding::BASE64.decode(text.as_bytes()).unwrap();
        Deserializer::new().deserialize::<u64, _>(&mut bytes.as_slice()).unwrap()
    };
    assert_eq!(decode(latency.encoded_histogram()).len(), 100);
    let missed = files.json["thread"]["0"]["missed"].as_u64().unwrap();
    assert_eq!(decode(corrected.encoded_histogram()).len(), 100 + missed);
}

#[test]
fn a_signal_ends_it_with_results() {
    let folder = folder("signal");
    let json = folder.join("json");
    let mut child = Command::new(env!("CARGO_BIN_EXE_latency-agent"))
        .args(["mlock=false", "dma-latency=off", &format!("json={}", json.display())])
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    let killed = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().unwrap();
    assert!(killed.success() && child.wait().unwrap().success());
    let document: Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    assert!(document["thread"]["0"]["cycles"].as_u64().unwrap() > 0);
}
