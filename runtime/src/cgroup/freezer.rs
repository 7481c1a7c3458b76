//! Stopping and resuming all tasks of a cgroup at once.

use super::{Error, knob};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// A task in an uninterruptible sleep freezes only when it wakes.
const PATIENCE: Duration = Duration::from_secs(10);

/// v1: writes `freezer.state` until it reads FROZEN; a fork during freezing can leave it at FREEZING.
pub(super) fn set_v1(dir: &Path, freeze: bool) -> Result<(), Error> {
    let path = dir.join("freezer.state");
    let wanted = if freeze { "FROZEN" } else { "THAWED" };
    let start = Instant::now();
    let mut pause = Duration::from_micros(50);
    loop {
        knob::write_text(path.clone(), wanted)?;
        let state = knob::read_text(path.clone())?.trim().to_owned();
        if state == wanted {
            return Ok(());
        }
        if start.elapsed() > PATIENCE {
            knob::write_text(path, "THAWED")?;
            return Err(Error::NotFrozen { path: dir.into(), state, seconds: PATIENCE.as_secs() });
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

/// Whether v1 has stopped the tasks, or is about to.
pub(super) fn frozen_v1(dir: &Path) -> Result<bool, Error> {
    Ok(knob::read_text(dir.join("freezer.state"))?.trim() != "THAWED")
}

/// v2: writes `cgroup.freeze` and waits for `cgroup.events` to agree.
pub(super) fn set_v2(dir: &Path, freeze: bool) -> Result<(), Error> {
    knob::write_text(dir.join("cgroup.freeze"), if freeze { "1" } else { "0" })?;
    if wait_event(dir, "frozen", freeze, PATIENCE)? {
        return Ok(());
    }
    if freeze {
        knob::write_text(dir.join("cgroup.freeze"), "0")?;
    }
    Err(Error::NotFrozen { path: dir.into(), state: "FREEZING".into(), seconds: PATIENCE.as_secs() })
}

/// Whether v2 was asked to stop the tasks.
pub(super) fn frozen_v2(dir: &Path) -> Result<bool, Error> {
    Ok(knob::read_text(dir.join("cgroup.freeze"))?.trim() == "1")
}

/// Waits until `key` of `cgroup.events` is `wanted`: the kernel signals each change with POLLPRI. False after `patience`.
pub(super) fn wait_event(dir: &Path, key: &str, wanted: bool, patience: Duration) -> Result<bool, Error> {
    let path = dir.join("cgroup.events");
    let io = |step, errno| Error::Io { step, path: path.clone(), errno };
    let raw = |error: std::io::Error| crate::sys::errno(error);
    let file = File::open(&path).map_err(|error| io("opening", raw(error)))?;
    let line = format!("{key} {}", u8::from(wanted));
    let start = Instant::now();
    loop {
        let mut text = [0u8; 256];
        let n = std::os::unix::fs::FileExt::read_at(&file, &mut text, 0).map_err(|error| io("reading", raw(error)))?;
        if String::from_utf8_lossy(&text[..n]).lines().any(|have| have == line) {
            return Ok(true);
        }
        let Some(left) = patience.checked_sub(start.elapsed()) else { return Ok(false) };
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(file.as_fd(), PollFlags::POLLPRI)], left) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(io("polling", errno)),
        }
    }
}
