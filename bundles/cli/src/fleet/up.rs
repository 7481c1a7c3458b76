//! A fleet in the foreground: start in order, release together, pass on what is printed, watch, and end together.

use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::time::{Duration, SystemTime};

use super::health::Watch;
use super::{Fleet, Member, metrics_file};
use crate::agent::{Folder, Store, ending, note_signals};
use crate::commands::{start, stop};
use crate::error::{Error, Result};

/// How often agents, logs and health are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How long agents have to end by themselves when the fleet ends.
const GRACE: Duration = Duration::from_secs(10);
/// Colours of the names on a terminal (ECMA-48).
const COLOURS: [u8; 6] = [36, 33, 32, 35, 34, 31];

/// A member that was started.
struct Started<'a> {
    member: &'a Member,
    name: String,
    folder: Folder,
    log: Option<File>,
    /// The begin of a line whose end was not written yet.
    rest: Vec<u8>,
    watch: Option<Watch>,
    restarts: u32,
}

/// Runs the fleet until all agents have ended or a signal comes; the exit code is the first that is not 0.
///
/// # Errors
/// An agent can't be started, or came up after the start that all were to share; all are stopped and removed then.
pub fn up(fleet: &Fleet) -> Result<u8> {
    let problem = |problem: String| Error::Malformed { path: fleet.name.clone().into(), problem };
    let begin = fleet.start.map(|start| start.instant(SystemTime::now())).transpose().map_err(problem)?;
    let store = Store::new();
    note_signals();
    let mut started: Vec<Started> = Vec::new();
    let ran = start_all(&store, fleet, begin, &mut started).and_then(|()| attend(&mut started));
    let names: Vec<String> = started.iter().rev().map(|one| one.name.clone()).collect();
    let stopped = stop::stop(&store, &names, GRACE);
    started.iter_mut().for_each(|one| one.pass_on());
    let codes: Vec<u8> = started.iter().filter_map(|one| one.folder.load().ok()?.exit_code).collect();
    let removed = stop::rm(&store, &names, true);
    ran.and(stopped).and(removed)?;
    Ok(codes.into_iter().find(|code| *code != 0).unwrap_or(0))
}

fn start_all<'a>(
    store: &Store,
    fleet: &'a Fleet,
    begin: Option<Duration>,
    started: &mut Vec<Started<'a>>,
) -> Result<()> {
    for member in &fleet.members {
        if ending() {
            return Ok(());
        }
        let mut options = member.options.clone();
        options.name = Some(fleet.agent_name(member));
        options.detach = true;
        if let Some(begin) = begin {
            options.env.push(format!("RTRUN_PARAM_T0={}.{:09}", begin.as_secs(), begin.subsec_nanos()));
        }
        let (name, folder) = start(store, &options)?;
        let log = File::open(folder.log()).ok();
        let watch = member.health.map(Watch::new);
        started.push(Started { member, name, folder, log, rest: Vec::new(), watch, restarts: 0 });
    }
    let late = begin.filter(|begin| SystemTime::UNIX_EPOCH + *begin < SystemTime::now());
    match (late, fleet.members.last()) {
        (Some(_), Some(last)) => Err(Error::Late { agent: fleet.agent_name(last) }),
        _ => Ok(()),
    }
}

/// Until all have ended, or a signal asks for the end.
fn attend(started: &mut [Started]) -> Result<()> {
    while !ending() {
        let mut running = false;
        for one in &mut *started {
            let agent = one.folder.load()?;
            running |= agent.is_running();
            one.pass_on();
            one.examine(agent.restarts, &agent.runtime);
        }
        if !running {
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

impl Started<'_> {
    /// Whole lines of the log, each with the agent's name.
    fn pass_on(&mut self) {
        let Some(log) = &mut self.log else { return };
        let _ = log.read_to_end(&mut self.rest);
        let mut lines: Vec<&[u8]> = self.rest.split(|byte| *byte == b'\n').collect();
        let rest = lines.pop().unwrap_or_default().to_vec();
        let mut out = std::io::stdout().lock();
        let name = &self.member.name;
        for line in lines {
            let shown = if out.is_terminal() {
                let colour = COLOURS[name.bytes().map(usize::from).sum::<usize>() % COLOURS.len()];
                format!("\x1b[{colour}m{name}\x1b[0m | ")
            } else {
                format!("{name} | ")
            };
            let _ =
                out.write_all(shown.as_bytes()).and_then(|()| out.write_all(line)).and_then(|()| out.write_all(b"\n"));
        }
        self.rest = rest;
    }

    /// An ill agent is killed; its supervisor starts it again where its restart policy says so.
    fn examine(&mut self, restarts: u32, runtime: &std::path::Path) {
        let Some(watch) = &mut self.watch else { return };
        if restarts != self.restarts {
            self.restarts = restarts;
            watch.restarted();
        }
        if let Some(illness) = watch.look(&metrics_file(&self.folder)) {
            eprintln!("rt-container-cli: {}: {illness}: killed", self.name);
            let killed = crate::runtime::Runtime::find(Some(runtime))
                .and_then(|runtime| runtime.call(&["kill", "--all", &self.name, "KILL"]));
            if let Err(error) = killed {
                eprintln!("rt-container-cli: {error}");
            }
            watch.restarted();
        }
    }
}
