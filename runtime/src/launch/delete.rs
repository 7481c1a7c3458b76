//! `kill` and `delete`.

use super::create::Created;
use super::{Error, hooks, salvage};
use crate::state::{Container, Status, Store};
use crate::sys::pidfd;
use nix::errno::Errno;
use nix::sys::signal::Signal;

/// How long the kernel may take to end a killed init, milliseconds.
const END_LIMIT_MS: i32 = 10_000;

/// How long `kill` waits for the end that SIGKILL brings, milliseconds: a delete that follows finds it stopped.
const KILL_LIMIT_MS: i32 = 500;

/// Sends signal `number` to the init, or with `all` to every process of the container.
///
/// # Errors
/// [`Error::NotRunning`] when there is nobody to send to.
pub fn kill(store: &Store, id: &str, number: i32, all: bool) -> Result<(), Error> {
    let container = store.load(id)?;
    let signal = Signal::try_from(number).ok();
    if all {
        if let (Some(cgroup), Some(signal)) = (container.cgroup(), signal) {
            return Ok(cgroup.kill(signal)?);
        }
    }
    let gone = || Error::NotRunning(id.to_owned());
    let init = container.pidfd().map_err(|errno| Error::of_init(&container, errno))?;
    match pidfd::signal_number(&init, number) {
        Err(Errno::ESRCH) => return Err(gone()),
        other => other.map_err(|errno| Error::Kill { number, id: id.to_owned(), errno })?,
    }
    // A frozen task doesn't see SIGKILL on cgroup v1.
    if signal == Some(Signal::SIGKILL) {
        if let Some(cgroup) = container.cgroup() {
            if cgroup.frozen()? {
                cgroup.thaw()?;
            }
        }
        pidfd::wait_ended(&init, KILL_LIMIT_MS).map_err(Error::Channel)?;
    }
    Ok(())
}

/// Removes a stopped container, or with `force` any; runs its poststop hooks. By the specification one that is created is
/// not stopped, though runc and crun remove it.
///
/// # Errors
/// [`Error::NotStopped`] without `force`; a failed poststop hook is told through `warn`, for it must not keep a
/// container undeletable.
pub fn delete(store: &Store, id: &str, force: bool, warn: &mut dyn FnMut(String)) -> Result<(), Error> {
    let container = match store.lock(id) {
        Err(crate::state::Error::Absent(_)) if force => return Ok(()),
        Err(crate::state::Error::Malformed { .. }) if force => return salvage::delete(store, id, warn),
        other => other?,
    };
    if !force {
        let status = container.status()?;
        if status != Status::Stopped {
            return Err(Error::NotStopped { id: id.to_owned(), status });
        }
    }
    // Of a stopped one too: what outlived the init, its children without a PID namespace or the child of a create that
    // was killed.
    end(&container)?;
    remove(&container, warn)
}

/// Kills everything in the container and waits for its init, by pidfd.
pub(super) fn end(container: &Container) -> Result<(), Error> {
    let init = match container.pidfd() {
        Err(Errno::ESRCH) => None,
        other => Some(other.map_err(|errno| Error::of_init(container, errno))?),
    };
    let killed = init.as_ref().map_or(Ok(()), |init| pidfd::signal(init, Some(Signal::SIGKILL)));
    match (container.cgroup(), killed) {
        (Some(cgroup), _) => cgroup.kill(Signal::SIGKILL)?,
        (None, Ok(()) | Err(Errno::ESRCH)) => {}
        (None, Err(errno)) => return Err(Error::Kill { number: libc::SIGKILL, id: container.id().to_owned(), errno }),
    }
    let Some(init) = init else { return Ok(()) };
    match pidfd::wait_ended(&init, END_LIMIT_MS).map_err(Error::Channel)? {
        true => Ok(()),
        false => Err(Error::Unkillable(container.id().to_owned())),
    }
}

/// Mounts on the host, cgroups, resctrl groups, directory, then the poststop hooks, which by the specification see it deleted.
pub(crate) fn remove(container: &Container, warn: &mut dyn FnMut(String)) -> Result<(), Error> {
    super::realtime::release(container)?;
    if let Some(cover) = &container.state.cover {
        cover.remove()?;
    }
    if let Some(cgroup) = container.cgroup() {
        cgroup.remove()?;
    }
    if let Some(group) = &container.state.rdt {
        group.remove()?;
    }
    super::realtime::dissolve(container);
    container.remove()?;
    run_poststop(container, warn);
    Ok(())
}

/// Of a container that is gone; what fails is told and keeps nothing from going on.
pub(crate) fn run_poststop(container: &Container, warn: &mut dyn FnMut(String)) {
    if let Some(hooks) = &container.state.hooks {
        let state = container.oci_state_as(Status::Stopped);
        hooks::run_all("poststop", &hooks.poststop, &state).into_iter().for_each(|error| warn(error.to_string()));
    }
}

/// Removes what `run` made; after a failure the init may still be parked.
pub(crate) fn discard(created: &Created, kill: bool, warn: &mut dyn FnMut(String)) -> Result<(), Error> {
    if kill {
        end(&created.container)?;
        super::create::reap(created.pid, &created.pidfd);
    }
    if let Some(cgroup) = created.container.cgroup() {
        cgroup.kill(Signal::SIGKILL)?;
    }
    remove(&created.container, warn)
}
