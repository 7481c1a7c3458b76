use super::{Command, Error, Globals, container_cgroup, print};
use crate::cgroup::Stats;
use crate::state::Status;
use serde::Serialize;
use std::time::Duration;

/// Print what a container uses, as JSON lines, until it ends
#[derive(clap::Parser)]
pub(super) struct Events {
    /// Time between two lines: 5s, 500ms, 1m30s, or a number of seconds
    #[arg(long, default_value = "5s", value_parser = duration)]
    interval: Duration,
    /// Print one line only
    #[arg(long)]
    stats: bool,
    /// Name of the container
    id: String,
}

/// runc's event.
#[derive(Serialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    data: Stats,
}

impl Command for Events {
    fn run(self, globals: &Globals) -> Result<u8, Error> {
        let container = globals.store().load(&self.id)?;
        let cgroup = container_cgroup(&container)?;
        let status = container.status()?;
        if status == Status::Stopped {
            return Err(Error::Status { id: self.id, status, action: "events", wanted: "container not running" });
        }
        loop {
            let event = Event { kind: "stats", id: &self.id, data: cgroup.stats()? };
            print(&format!("{}\n", serde_json::to_string(&event)?))?;
            if self.stats {
                return Ok(0);
            }
            std::thread::sleep(self.interval);
            if container.pid()?.is_none() {
                return Ok(0);
            }
        }
    }
}

/// Go's `time.ParseDuration`, and bare numbers as seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration above 0; 5s, 500ms, 1m30s and 5 are");
    let mut nanoseconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(unit_at);
        let (unit, tail) = tail.split_at(tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len()));
        let scale = match unit {
            "ns" => 1.0,
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" | "" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return Err(wrong()),
        };
        nanoseconds += number.parse::<f64>().map_err(|_| wrong())? * scale;
        rest = tail;
    }
    if nanoseconds >= 1.0 { Duration::try_from_secs_f64(nanoseconds / 1e9).map_err(|_| wrong()) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn durations_as_callers_write_them() {
        for (text, milliseconds) in [("5s", 5000), ("5", 5000), ("500ms", 500), ("1m30s", 90_000), ("1.5s", 1500)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["0", "0s", "", "-1s", "5x", "s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_containerd_passes() {
        let events = Events::try_parse_from(["events", "--interval=5s", "c"]).unwrap();
        assert!(!events.stats && events.interval == Duration::from_secs(5));
        assert!(Events::try_parse_from(["events", "--stats", "c"]).unwrap().stats);
    }
}
