//! `stop` and `rm`.

use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::agent::{Agent, Folder, Store};
use crate::error::{Error, Result};
use crate::runtime::Runtime;

/// How often an ending agent is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// How long a killed one may take.
const KILLED: Duration = Duration::from_secs(5);

/// SIGTERM to each, SIGKILL to those that still run after `grace`.
///
/// # Errors
/// No such agent, or one that outlives SIGKILL.
pub fn stop(store: &Store, names: &[String], grace: Duration) -> Result<u8> {
    let agents = names.iter().map(|name| store.find(name)).collect::<Result<Vec<_>>>()?;
    for (folder, agent) in &agents {
        end(folder, agent, grace)?;
    }
    Ok(0)
}

/// Removes agents that have ended, and with `force` those that run.
///
/// # Errors
/// No such agent, or one that runs.
pub fn rm(store: &Store, names: &[String], force: bool) -> Result<u8> {
    for name in names {
        let (folder, agent) = store.find(name)?;
        match (agent.is_running(), force) {
            (true, false) => return Err(Error::Running { name: name.clone() }),
            (true, true) => end(&folder, &agent, Duration::ZERO)?,
            (false, _) => {}
        }
        // A supervisor that was killed leaves its container behind, and a runtime that holds it until the program has ended.
        let runtime = Runtime::find(Some(&agent.runtime))?;
        let _ = runtime.call(&["kill", "--all", &agent.name, "KILL"]);
        runtime.call(&["delete", "--force", &agent.name])?;
        folder.remove()?;
    }
    Ok(0)
}

fn end(folder: &Folder, agent: &Agent, grace: Duration) -> Result<()> {
    let Some(supervisor) = agent.supervisor.filter(|supervisor| supervisor.is_alive()) else { return Ok(()) };
    // The supervisor hands it to the runtime, the runtime to the program; and starts nothing again.
    let _ = kill(Pid::from_raw(supervisor.pid), Signal::SIGTERM);
    if ended_within(folder, grace) {
        return Ok(());
    }
    let runtime = Runtime::find(Some(&agent.runtime))?;
    let killed = runtime.call(&["kill", "--all", &agent.name, "KILL"]);
    if ended_within(folder, KILLED) {
        Ok(())
    } else {
        killed.map(drop).and(Err(Error::Running { name: agent.name.clone() }))
    }
}

fn ended_within(folder: &Folder, limit: Duration) -> bool {
    let begin = Instant::now();
    loop {
        // Its folder is gone where it removes itself.
        if !folder.load().is_ok_and(|agent| agent.is_running()) {
            return true;
        }
        if begin.elapsed() >= limit {
            return false;
        }
        sleep(LOOK);
    }
}
