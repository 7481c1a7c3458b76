//! System calls of `create` and of the init that it makes, counted by strace.

use std::fs;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use crate::contender::{Contender, find};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::process::{Command, Streams};

/// Counts one create; the init's part includes its execve and the payload's own calls. `None` without strace.
pub fn count(contender: &Contender, host: &Host, streams: &Streams) -> Result<Option<f64>> {
    let (Some(strace), Some((start, delete))) = (find("strace"), contender.start_delete()) else { return Ok(None) };
    let table = host.work.join("strace");
    let words = [strace, "-f".into(), "-c".into(), "-o".into(), table.clone()].into_iter();
    let traced = Command::new(words.chain(contender.create().words().map(PathBuf::from)))?;
    contender.forget_pid();
    let tracer = traced.spawn(streams)?;
    // strace ends with the last process that it traces, the init: `start` has to come while it still runs. How far
    // `create` has come can be seen by its pid file, and by trying, for runc writes its state after that.
    let mut tries = 0;
    let init = loop {
        let ready = contender.init().and_then(|init| start.time(streams).map(|_| init));
        match ready {
            Ok(init) => break init,
            Err(e) if tries == 200 => return Err(e),
            Err(_) => tries += 1,
        }
        sleep(Duration::from_millis(50));
    };
    init.wait_end()?;
    traced.check(tracer.wait()?, streams)?;
    delete.time(streams)?;
    let text = fs::read_to_string(&table).map_err(|e| Error::file("read", &table, e))?;
    let total = text.lines().rev().find(|line| line.trim_end().ends_with("total"));
    // "100.00 0.012345 12 1007 85 total": the fourth column, errors after it only where there are some.
    let calls = total.and_then(|line| line.split_whitespace().nth(3)?.parse().ok());
    calls.map(Some).ok_or(Error::Content { path: table, problem: "no line with a total".into() })
}
