//! The timed rounds: every contender once a round, in an order that moves on by one each round.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use crate::bundle::Bundle;
use crate::contender::{Contender, Life, Runtime};
use crate::error::Result;
use crate::host::Host;
use crate::process::{Command, Streams};
use crate::report::Row;
use crate::stats::Summary;

/// The idle time before a cold life: long enough for the kernel's lazy clean-up to end and its fast paths to be given up.
const IDLE: Duration = Duration::from_millis(150);

/// Whole lives, back to back or each after an idle time.
pub fn lives(contenders: &[Contender], rounds: usize, cold: bool, streams: &Streams) -> Result<Vec<Row>> {
    let mut samples: Vec<Vec<Life>> = vec![Vec::new(); contenders.len()];
    for round in 0..=rounds {
        for turn in 0..contenders.len() {
            let who = (round + turn) % contenders.len();
            if cold {
                sleep(IDLE);
            }
            let life = contenders[who].live(streams)?;
            // The first round fills caches and makes what is made once.
            if round > 0 {
                samples[who].push(life);
            }
        }
    }
    let how = if cold { "cold" } else { "back to back" };
    let mut rows = vec![Row::new(format!("create + start + delete, {how}"), "ms")];
    let total = |lives: &[Life]| Summary::of_times(lives.iter().map(Life::total));
    rows[0].fill(contenders.iter().zip(&samples).map(|(c, lives)| (c.name.clone(), total(lives))));
    for (phase, name) in ["create", "start", "delete"].iter().enumerate() {
        let mut row = Row::new(format!("{name}, {how}"), "ms");
        let split = contenders.iter().zip(&samples).filter(|(c, _)| c.start_delete().is_some());
        let times = |lives: &[Life]| Summary::of_times(lives.iter().map(|life| life.phases[phase]));
        row.fill(split.map(|(c, lives)| (c.name.clone(), times(lives))));
        rows.push(row);
    }
    Ok(rows)
}

/// `exec` of true in a running container, one container a runtime.
pub fn exec(runtimes: &[Runtime], host: &Host, bundle: &Bundle, rounds: usize, streams: &Streams) -> Result<Row> {
    let mut commands = Vec::new();
    let mut containers = Vec::new();
    for runtime in runtimes {
        let name = format!("exec-{}", runtime.name);
        let place = bundle.sibling(&name, &["/bin/sleep", "1000"], &format!("{}/{name}", host.parent))?;
        let contender = Contender::runtime(runtime, host, &place, "exec")?;
        contender.create().time(streams)?;
        if let Some((start, _)) = contender.start_delete() {
            start.time(streams)?;
        }
        containers.push(contender);
        commands.push((runtime.name.clone(), runtime.command(host, &["exec", "exec", "/bin/true"].map(Path::new))?));
    }
    let row = interleave("exec of true".into(), &commands, rounds, streams);
    for (runtime, container) in runtimes.iter().zip(&containers) {
        let init = container.init()?;
        runtime.command(host, &["kill", "exec", "KILL"].map(Path::new))?.time(streams)?;
        init.wait_end()?;
        if let Some((_, delete)) = container.start_delete() {
            delete.time(streams)?;
        }
    }
    row
}

/// `--version` of every runtime, against a program that does nothing.
pub fn version(runtimes: &[Runtime], empty: &Path, host: &Host, rounds: usize, streams: &Streams) -> Result<Row> {
    let mut commands = vec![(crate::EMPTY.to_string(), Command::new([empty])?)];
    for runtime in runtimes {
        commands.push((runtime.name.clone(), runtime.command(host, &[Path::new("--version")])?));
    }
    interleave("--version".into(), &commands, rounds, streams)
}

fn interleave(what: String, commands: &[(String, Command)], rounds: usize, streams: &Streams) -> Result<Row> {
    let mut samples = vec![Vec::new(); commands.len()];
    for round in 0..=rounds {
        for turn in 0..commands.len() {
            let who = (round + turn) % commands.len();
            let taken = commands[who].1.time(streams)?;
            if round > 0 {
                samples[who].push(taken);
            }
        }
    }
    let mut row = Row::new(what, "ms");
    row.fill(commands.iter().zip(samples).map(|((name, _), times)| (name.clone(), Summary::of_times(times))));
    Ok(row)
}
