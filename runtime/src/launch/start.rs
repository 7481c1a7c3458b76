//! `start`: lets the parked init become the user's process, with its policy and affinity set from outside.

use super::create::{wait_for, wait_for_execve};
use super::sync::{Channel, Signal};
use super::{Error, hooks, realtime};
use crate::report::Stopwatch;
use crate::sched::SchedAttr;
use crate::spec::Scheduler;
use crate::state::{Container, Status, Store};
use crate::sys::pidfd;
use nix::errno::Errno;
use nix::unistd::Pid;

/// Starts a created container; returns once the user's program is executed and the poststart hooks have run.
///
/// # Errors
/// [`Error::State`] without one, [`Error::NotCreated`], [`Error::Child`] with what the init said, a refused policy.
pub fn start(store: &Store, id: &str, warn: &mut dyn FnMut(String)) -> Result<(), Error> {
    start_container(&mut store.lock(id)?, warn)
}

pub(crate) fn start_container(container: &mut Container, warn: &mut dyn FnMut(String)) -> Result<(), Error> {
    let wrong = |status| Error::NotCreated { id: container.id().to_owned(), status };
    let pid = container.pid()?.ok_or_else(|| wrong(Status::Stopped))?;
    let connection = match container.connect_start() {
        Err(Errno::ECONNREFUSED | Errno::ENOENT) => return Err(wrong(container.status()?)),
        other => other.map_err(Error::Channel)?,
    };
    let init = Channel::from_socket(connection);
    let mut watch = Stopwatch::default();
    init.send(Signal::Hooks, &[], &[]).map_err(Error::Channel)?;
    wait_for(&init, Signal::Ready)?;
    watch.end("hooks");
    realtime::begin(container, pid, watch, warn).inspect_err(|_| end(container))?;
    init.send(Signal::Continue, &[], &[]).map_err(Error::Channel)?;
    wait_for_execve(&init)?;
    let Some(all) = &container.state.hooks else { return Ok(()) };
    hooks::run("poststart", &all.poststart, &container.oci_state()?, None).map_err(|error| {
        // A failed poststart hook ends the container (runtime.md, lifecycle step 9).
        end(container);
        error.into()
    })
}

/// Ends the init, which may have ended itself, and gives back what it had of the node.
fn end(container: &Container) {
    let _ = container.pidfd().map(|init| pidfd::signal(&init, Some(nix::sys::signal::Signal::SIGKILL)));
    let _ = realtime::release(container);
}

/// Gives a policy to a process and reads it back.
pub(crate) fn set_scheduler(scheduler: &Scheduler, pid: Pid) -> Result<(), Error> {
    let attr = SchedAttr::plan(scheduler)?;
    attr.set(pid)?;
    let found = SchedAttr::read(pid)?;
    attr.matches(&found).map_err(Error::SchedulerNotInEffect)
}
