//! The samples that all of a node's gates share: a pod of ten containers asks the clock once, not ten times.

use super::{Sample, Source, State};
use crate::host::{Host, errno};
use crate::ledger::{Error, file};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

const NAMES: file::Names = file::Names { lock: "clock.lock", file: "clock.json", next: "clock.json.next" };
/// How many are kept of each source.
const KEPT: usize = 16;

/// A sample and how long ago it was taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Aged {
    pub sample: Sample,
    pub age: Duration,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Log {
    boot: String,
    sources: BTreeMap<String, History>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct History {
    /// How often the source has been asked since boot.
    asked: u64,
    /// Newest last.
    samples: Vec<Taken>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Taken {
    /// Nanoseconds of CLOCK_BOOTTIME: the clock that is looked at may be stepped.
    at_ns: u64,
    sample: Sample,
}

/// Where the samples are kept.
#[derive(Clone, Debug)]
pub struct Shared {
    dir: PathBuf,
    host: Host,
}

impl Shared {
    /// Beside the system's ledger.
    pub fn system() -> Shared {
        Shared::new(crate::ledger::DIRECTORY, Host::system())
    }

    /// In another directory.
    pub fn new(dir: impl Into<PathBuf>, host: Host) -> Shared {
        Shared { dir: dir.into(), host }
    }

    /// The source's samples, newest first. If they do not satisfy and the newest is older than `interval`, the source is
    /// asked first, by one caller at a time. A source without an answer is a clock that nothing vouches for.
    pub(super) fn look(
        &self,
        source: &dyn Source,
        interval: Duration,
        satisfy: impl Fn(&[Aged]) -> bool,
    ) -> Result<Vec<Aged>, Error> {
        let Some(locked) = file::lock(&self.dir, &NAMES, true)? else { return Ok(Vec::new()) };
        let boot = self.host.boot_id().map_err(|(path, errno)| Error::File { step: "reading", path, errno })?;
        // A file that can't be read is as good as none: samples are of worth for seconds.
        let mut log: Log = locked.read()?.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        if log.boot != boot {
            log = Log { boot, ..Log::default() };
        }
        let history = log.sources.entry(source.name()).or_default();
        let known = history.aged(now_ns());
        if satisfy(&known) || known.first().is_some_and(|newest| newest.age < interval) {
            return Ok(known);
        }
        history.asked += 1;
        let sample = source.sample().unwrap_or_else(|problem| Sample {
            state: State::Freerun,
            offset_ns: None,
            bound_ns: None,
            detail: problem,
        });
        history.samples.push(Taken { at_ns: now_ns(), sample });
        history.samples.drain(..history.samples.len().saturating_sub(KEPT));
        let all = history.aged(now_ns());
        let text = serde_json::to_vec(&log).map_err(|error| Error::File {
            step: "writing",
            path: self.dir.join(NAMES.next),
            errno: errno(error.into()),
        })?;
        locked.write(&text)?;
        Ok(all)
    }
}

impl History {
    fn aged(&self, now_ns: u64) -> Vec<Aged> {
        let age = |taken: &Taken| Duration::from_nanos(now_ns.saturating_sub(taken.at_ns));
        self.samples.iter().rev().map(|taken| Aged { sample: taken.sample.clone(), age: age(taken) }).collect()
    }
}

fn now_ns() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from);
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}
