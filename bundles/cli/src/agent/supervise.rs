//! Waiting for an agent: in the foreground, or by a process of its own that outlives the command.

use std::fs::OpenOptions;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::{Agent, Folder, Joined, Supervisor, notify};
use crate::cli::Restart;
use crate::error::{Error, Result, errno};
use crate::fleet::metrics_file;
use crate::runtime::Runtime;

/// Wait before the first restart; it doubles up to [`LONGEST_WAIT`], and falls back when an agent has lived as long.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long a supervisor has to come up.
const COMING_UP: Duration = Duration::from_secs(5);

/// Set by SIGTERM and SIGINT: no more restarts.
static ENDING: AtomicBool = AtomicBool::new(false);
/// The runtime that SIGTERM is handed on to, while there is one. A terminal's SIGINT reaches it by itself.
static RUNTIME: AtomicI32 = AtomicI32::new(0);

/// Runs the agent with the caller's terminal; returns its exit code.
///
/// # Errors
/// The runtime can't be started.
pub fn in_foreground(folder: &Folder, agent: &mut Agent) -> Result<u8> {
    let _joined = Joined::new(&agent.options.net, &agent.name)?;
    watch(folder, agent, Stdio::inherit)
}

/// Leaves the agent to a supervisor, and returns when that has taken over.
///
/// # Errors
/// The supervisor can't be started or ended at once.
pub fn detach(folder: &Folder) -> Result<()> {
    let own = std::env::current_exe()
        .map_err(|error| Error::Start { program: "this program again".to_owned(), errno: errno(&error) })?;
    let log =
        || OpenOptions::new().create(true).append(true).open(folder.log()).map_err(Error::file("open", &folder.log()));
    let mut command = Command::new(own);
    command.arg("supervise").arg(folder.path()).stdin(Stdio::null()).stdout(log()?).stderr(log()?);
    // SAFETY: setsid(2) is async-signal-safe and touches nothing of this process's.
    unsafe { command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(Into::into)) };
    let failed = |error| Error::Start { program: "the supervisor".to_owned(), errno: errno(&error) };
    let mut child = command.spawn().map_err(failed)?;
    let start = Instant::now();
    loop {
        if folder.load()?.supervisor.is_some() {
            return Ok(());
        }
        if let Some(status) = child.try_wait().map_err(failed)? {
            let said = std::fs::read_to_string(folder.log()).unwrap_or_default();
            return Err(Error::Failed {
                program: "the supervisor".to_owned(),
                what: format!("ended with {status}"),
                message: said.trim().to_owned(),
            });
        }
        if start.elapsed() > COMING_UP {
            return Err(failed(std::io::ErrorKind::TimedOut.into()));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The supervisor's whole life.
///
/// # Errors
/// The agent's folder can't be read, its network not made, the runtime not started.
pub fn supervise(folder: &Folder) -> Result<u8> {
    let mut agent = folder.load()?;
    let joined = Joined::new(&agent.options.net, &agent.name)?;
    let code = watch(folder, &mut agent, Stdio::null)?;
    drop(joined);
    if agent.options.rm {
        folder.remove()?;
    }
    Ok(code)
}

/// Starts the program, waits, and starts it again as `--restart` has it.
fn watch(folder: &Folder, agent: &mut Agent, stdin: impl Fn() -> Stdio) -> Result<u8> {
    note_signals();
    agent.supervisor = Supervisor::own();
    let runtime = Runtime::find(Some(&agent.runtime))?;
    if notify::wanted() {
        notify::begin(runtime.clone(), agent.name.clone(), metrics_file(folder));
    }
    let mut wait = FIRST_WAIT;
    loop {
        agent.exit_code = None;
        folder.save(agent)?;
        let begin = Instant::now();
        let mut command = runtime.command(["run", "--bundle"]);
        command.arg(folder.bundle()).arg(&agent.name).stdin(stdin()).env_remove("NOTIFY_SOCKET");
        let code = code(wait_for(&mut command)?);
        agent.exit_code = Some(code);
        if ending() || !wants_restart(agent.options.restart, code, agent.restarts) {
            agent.supervisor = None;
            folder.save(agent)?;
            return Ok(code);
        }
        folder.save(agent)?;
        wait = if begin.elapsed() > LONGEST_WAIT { FIRST_WAIT } else { wait };
        pause(wait);
        wait = (wait * 2).min(LONGEST_WAIT);
        agent.restarts += 1;
    }
}

fn wait_for(command: &mut Command) -> Result<ExitStatus> {
    let ran = command.spawn().and_then(|mut child| {
        RUNTIME.store(child.id() as i32, Ordering::Relaxed);
        let status = child.wait();
        RUNTIME.store(0, Ordering::Relaxed);
        status
    });
    ran.map_err(|error| Error::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        errno: errno(&error),
    })
}

fn wants_restart(policy: Restart, code: u8, so_far: u32) -> bool {
    match policy {
        Restart::No => false,
        Restart::Always => true,
        Restart::OnFailure(most) => code != 0 && most.is_none_or(|most| so_far < most),
    }
}

/// Sleeps, but not through a wish to end.
fn pause(wait: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < wait && !ending() {
        std::thread::sleep((wait - begin.elapsed().min(wait)).min(Duration::from_millis(50)));
    }
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

extern "C" fn note(signal: libc::c_int) {
    ENDING.store(true, Ordering::Relaxed);
    let runtime = RUNTIME.load(Ordering::Relaxed);
    if signal == libc::SIGTERM && runtime > 0 {
        // SAFETY: kill(2) is async-signal-safe and takes numbers only.
        unsafe { libc::kill(runtime, signal) };
    }
}

/// Whether SIGTERM or SIGINT has come.
pub fn ending() -> bool {
    ENDING.load(Ordering::Relaxed)
}

/// From now on SIGTERM and SIGINT are noted, and handed on, where they ended this process before.
pub fn note_signals() {
    let action = SigAction::new(SigHandler::Handler(note), SaFlags::SA_RESTART, SigSet::empty());
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        // SAFETY: the handler touches atomics and calls kill(2), both async-signal-safe.
        let _ = unsafe { sigaction(signal, &action) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_follow_the_policy() {
        assert!(!wants_restart(Restart::No, 1, 0));
        assert!(wants_restart(Restart::Always, 0, 1000));
        assert!(!wants_restart(Restart::OnFailure(None), 0, 0));
        assert!(wants_restart(Restart::OnFailure(Some(2)), 3, 1) && !wants_restart(Restart::OnFailure(Some(2)), 3, 2));
    }
}
