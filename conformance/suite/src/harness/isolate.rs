//! A case in a process, PID namespace and mount namespace of its own.
//!
//! Three processes: the one that the runner started waits and passes the exit code on; process 1 of the namespace
//! reaps orphans, as the init of a machine does, and takes everything with it when it ends; process 2 runs the case.

use std::process::ExitCode;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, wait, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use serde_json::json;

use super::case::{Stop, Verdict, fail};
use super::need::Ring;
use super::{Container, leftovers};
use crate::cases;
use crate::options::Job;

/// Exit code that tells that the case's process was ended by a signal.
pub const KILLED: u8 = 137;
/// Where rtrun keeps what containers ask of the node.
const LEDGER: &str = "/run/rtrun/ledger";

/// Runs one case and prints its result as one JSON line.
pub fn run_job(job: &Job) -> Result<ExitCode, String> {
    let text = |what: &'static str| move |errno: Errno| format!("isolate case: {what}: {errno}");
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID)
        .map_err(text("unshare mount and PID namespace (the suite needs root)"))?;
    // SAFETY: this process has one thread.
    if let ForkResult::Parent { child } = unsafe { fork() }.map_err(text("fork"))? {
        return Ok(exit_code(waitpid(child, None).map_err(text("wait"))?));
    }
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(text("prctl"))?;
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).map_err(text("make / private"))?;
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), none).map_err(text("mount /proc"))?;
    private_ledger().map_err(|error| format!("isolate case: {LEDGER}: {error}"))?;
    // SAFETY: this process has one thread.
    match unsafe { fork() }.map_err(text("fork"))? {
        ForkResult::Parent { child } => Ok(reap_until(child)),
        ForkResult::Child => {
            println!("{}", line(&verdict(job)));
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// A case's runtime sees the process IDs of its own namespace, so it can't share the node's account of who lives.
fn private_ledger() -> std::io::Result<()> {
    std::fs::create_dir_all(LEDGER)?;
    Ok(mount(Some("tmpfs"), LEDGER, Some("tmpfs"), MsFlags::empty(), Some("mode=700"))?)
}

/// Reaps whatever ends, until `worker` does.
fn reap_until(worker: Pid) -> ExitCode {
    loop {
        match wait() {
            Ok(status) if status.pid() == Some(worker) => return exit_code(status),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return ExitCode::FAILURE,
        }
    }
}

fn exit_code(status: WaitStatus) -> ExitCode {
    match status {
        WaitStatus::Exited(_, code) => ExitCode::from(code as u8),
        _ => ExitCode::from(KILLED),
    }
}

/// The case's own verdict, or, if that is good, the verdict on what it left behind.
fn verdict(job: &Job) -> Verdict {
    let Some(case) = cases::all().find(|case| case.full_name() == job.name) else {
        return Err(Stop::Fail(format!("no case is named {}", job.name)));
    };
    for need in case.needs {
        need.check().or_else(|stop| match job.ring {
            Ring::Lab if need.is_promised_by_lab() => fail(format_args!("the lab lacks what it promises: {need}")),
            _ => Err(stop),
        })?;
    }
    let mut container = Container::new(job)?;
    let done = (case.run)(&mut container);
    let left = container.clean_up();
    leftovers::thaw(&job.id);
    done.and(left)
}

fn line(verdict: &Verdict) -> serde_json::Value {
    match verdict {
        Ok(()) => json!({"verdict": "pass", "message": ""}),
        Err(Stop::Fail(message)) => json!({"verdict": "fail", "message": message}),
        Err(Stop::Skip(reason)) => json!({"verdict": "skip", "message": reason}),
    }
}
