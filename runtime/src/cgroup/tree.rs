//! Directories: made with their ancestors, searched for processes, removed with their children.

use super::{Error, freezer, knob, v1};
use nix::errno::Errno;
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkdir};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a removal waits for the last task to leave; a killed one leaves in microseconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a create has made, newest last; removed again unless kept.
#[derive(Default)]
pub(super) struct Made {
    directories: Vec<PathBuf>,
}

impl Made {
    /// The create went well.
    pub(super) fn keep(mut self) {
        self.directories.clear();
    }

    /// Makes `dir` and what is missing above it. One that exists must be empty.
    pub(super) fn make(&mut self, dir: &Path, mountpoint: &Path, cpuset: bool) -> Result<(), Error> {
        match mkdir(dir, Mode::from_bits_truncate(0o755)) {
            Ok(()) => self.directories.push(dir.to_owned()),
            Err(Errno::EEXIST) => return check_empty(dir),
            Err(Errno::ENOENT) if dir != mountpoint => {
                self.make_ancestors(dir, mountpoint, cpuset)?;
                return self.make(dir, mountpoint, cpuset);
            }
            Err(errno) => return Err(Error::Io { step: "making cgroup", path: dir.into(), errno }),
        }
        if cpuset { v1::inherit_cpuset(dir, mountpoint) } else { Ok(()) }
    }

    fn make_ancestors(&mut self, dir: &Path, mountpoint: &Path, cpuset: bool) -> Result<(), Error> {
        let gone = || Error::Io { step: "making cgroup", path: dir.into(), errno: Errno::ENOENT };
        let parent = dir.parent().filter(|parent| *parent != mountpoint).ok_or_else(gone)?;
        match mkdir(parent, Mode::from_bits_truncate(0o755)) {
            Ok(()) => self.directories.push(parent.to_owned()),
            // Another create was faster.
            Err(Errno::EEXIST) => return Ok(()),
            Err(Errno::ENOENT) => {
                self.make_ancestors(parent, mountpoint, cpuset)?;
                return self.make_ancestors(dir, mountpoint, cpuset);
            }
            Err(errno) => return Err(Error::Io { step: "making cgroup", path: parent.into(), errno }),
        }
        if cpuset {
            v1::inherit_cpuset(parent, mountpoint)?;
            v1::clone_children(parent)?;
        }
        Ok(())
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for dir in self.directories.iter().rev() {
            // An ancestor may have got another container meanwhile: it stays.
            let _ = rmdir(dir);
        }
    }
}

fn check_empty(dir: &Path) -> Result<(), Error> {
    match processes(dir)?.len() {
        0 => Ok(()),
        count => Err(Error::InUse { path: dir.into(), count }),
    }
}

/// The processes of a cgroup and of those below it; none if it is gone.
pub(super) fn processes(dir: &Path) -> Result<Vec<Pid>, Error> {
    let mut found = Vec::new();
    collect(dir, &mut found)?;
    found.sort_unstable_by_key(|pid| pid.as_raw());
    found.dedup();
    Ok(found)
}

fn collect(dir: &Path, found: &mut Vec<Pid>) -> Result<(), Error> {
    let path = dir.join("cgroup.procs");
    let text = match knob::get(&path) {
        // A threaded v2 cgroup answers EOPNOTSUPP: its processes are listed by the domain above.
        Err(Errno::ENOENT | Errno::ENODEV | Errno::EOPNOTSUPP) => String::new(),
        result => result.map_err(|errno| Error::Io { step: "reading", path, errno })?,
    };
    // 0 stands for a process of another PID namespace.
    found.extend(text.lines().filter_map(|line| line.parse().ok()).filter(|&pid| pid > 0).map(Pid::from_raw));
    knob::children(dir)?.iter().try_for_each(|child| collect(child, found))
}

/// Removes a cgroup and those below it; one that is gone is fine. Tasks that are still dying are waited for.
pub(super) fn remove(dir: &Path) -> Result<(), Error> {
    let start = Instant::now();
    let mut pause = Duration::from_micros(100);
    loop {
        match rmdir(dir) {
            Ok(()) | Err(Errno::ENOENT) => return Ok(()),
            Err(Errno::EBUSY | Errno::ENOTEMPTY) if start.elapsed() < PATIENCE => {}
            Err(errno) => return Err(Error::Io { step: "removing cgroup", path: dir.into(), errno }),
        }
        for child in knob::children(dir)? {
            remove(&child)?;
        }
        if !freezer::wait_event(dir, "populated", false, PATIENCE).unwrap_or(false) {
            // v1 has no such event.
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
        }
    }
}

fn rmdir(dir: &Path) -> Result<(), Errno> {
    let result = nix::NixPath::with_nix_path(dir, |path| {
        // SAFETY: rmdir(2) reads a NUL-terminated path, which `with_nix_path` gives for the time of the call.
        unsafe { libc::rmdir(path.as_ptr()) }
    })?;
    Errno::result(result).map(drop)
}
