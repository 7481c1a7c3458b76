//! `run`: create and start in one, in the foreground or detached.

use super::create::{Created, create};
use super::supervise::{Supervisor, receive_master};
use super::{CreateOptions, Error, delete, start};
use crate::spec;
use crate::state::{self, Store};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

/// Runs a container; its exit code, 128 + signal, or 0 when detached.
///
/// # Errors
/// As [`super::create`] and [`super::start`]; the container is removed again.
pub fn run(
    store: &Store,
    options: &CreateOptions,
    detach: bool,
    keep: bool,
    warn: &mut dyn FnMut(String),
) -> Result<i32, Error> {
    let mut supervisor = if detach { None } else { Some(Supervisor::new()?) };
    // In the foreground we are our own console socket's other end.
    let (master_end, console) = if !detach && options.console_socket.is_none() && wants_terminal(options)? {
        let flags = SockFlag::SOCK_CLOEXEC;
        let (ours, theirs) =
            socketpair(AddressFamily::Unix, SockType::Stream, None, flags).map_err(Error::Supervise)?;
        (Some(ours), Some(theirs))
    } else {
        (None, None)
    };
    let mut created = create(store, options, console, warn)?;
    let ended = (|| {
        if let (Some(supervisor), Some(socket)) = (&mut supervisor, &master_end) {
            supervisor.attach(receive_master(socket)?)?;
        }
        start::start_container(&mut created.container, warn)?;
        // The lock is for changes, not for a life: whoever deletes the container meanwhile must not wait for its end.
        created.container.leave_lock();
        match &mut supervisor {
            Some(supervisor) => supervisor.wait(created.pid, &created.pidfd),
            None => Ok(0),
        }
    })();
    let finished = ended.is_err() || (!detach && !keep);
    if finished && still_ours(store, &mut created)? {
        let removed = delete::discard(&created, ended.is_err(), warn);
        if ended.is_ok() {
            removed?;
        }
    }
    ended
}

/// Takes the lock again; false if somebody has deleted the container, and perhaps made another of its name.
fn still_ours(store: &Store, created: &mut Created) -> Result<bool, Error> {
    if created.container.is_locked() {
        return Ok(true);
    }
    match store.lock(created.container.id()) {
        Ok(container) if container.state.init == created.container.state.init => {
            created.container = container;
            Ok(true)
        }
        Ok(_) | Err(state::Error::Absent(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn wants_terminal(options: &CreateOptions) -> Result<bool, Error> {
    let spec = spec::load(&options.bundle, options.config.as_deref())?;
    Ok(spec.process.is_some_and(|process| process.terminal))
}
