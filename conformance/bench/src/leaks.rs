//! What a thousand lives leave behind, and whether a hundred containers can live at once.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::contender::{Contender, Runtime};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::process::{Command, Streams};

/// Everything that a runtime could forget to remove, counted where only the bench's own things are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// cgroups below the bench's own, in all hierarchies.
    pub cgroups: usize,
    /// Mounts in the bench's mount namespace.
    pub mounts: usize,
    /// The bench's own descriptors, which every runtime inherits a copy of.
    pub fds: usize,
    /// The bench's children and adopted orphans.
    pub processes: usize,
    /// Files and directories in the bench's work directory, state directories included.
    pub files: usize,
}

impl Count {
    /// Counts now.
    pub fn now(host: &Host) -> Result<Self> {
        let read = |path: &str| fs::read_to_string(path).map_err(|e| Error::file("read", path, e));
        Ok(Self {
            cgroups: host.count_cgroups()?,
            mounts: read("/proc/self/mountinfo")?.lines().count(),
            fds: fs::read_dir("/proc/self/fd").map_err(|e| Error::file("read", "/proc/self/fd", e))?.count(),
            processes: read("/proc/thread-self/children")?.split_whitespace().count(),
            files: files(&host.work),
        })
    }
}

fn files(dir: &Path) -> usize {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    let below = |path: &Path| if path.is_dir() && !path.is_symlink() { files(path) } else { 0 };
    entries.flatten().map(|entry| 1 + below(&entry.path())).sum()
}

/// Lives `cycles` lives and counts before and after; equal where nothing leaks.
pub fn cycles(contender: &Contender, cycles: usize, host: &Host, streams: &Streams) -> Result<(Count, Count)> {
    contender.live(streams)?;
    let before = Count::now(host)?;
    for _ in 0..cycles {
        contender.live(streams)?;
    }
    Ok((before, Count::now(host)?))
}

/// How a crowd of containers fared.
pub struct Crowd {
    /// From the first create to the last one's end.
    pub created_in: Duration,
    /// From the first start to the last process's end.
    pub ended_in: Duration,
}

/// Makes `size` containers at once, asks all for their state, starts all, sees all end and deletes all.
pub fn crowd(runtime: &Runtime, size: usize, host: &Host, bundles: &[&Path], streams: &Streams) -> Result<Crowd> {
    let ids: Vec<String> = (0..size).map(|n| format!("crowd-{n}")).collect();
    let lives = ids.iter().zip(bundles).map(|(id, bundle)| Contender::runtime(runtime, host, bundle, id));
    let lives = lives.collect::<Result<Vec<_>>>()?;
    let states =
        ids.iter().map(|id| runtime.command(host, &["state", id].map(Path::new))).collect::<Result<Vec<_>>>()?;
    let starts: Vec<&Command> = lives.iter().filter_map(|life| Some(&life.start_delete()?.0)).collect();
    let deletes: Vec<&Command> = lives.iter().filter_map(|life| Some(&life.start_delete()?.1)).collect();

    let begin = Instant::now();
    all(lives.iter().map(Contender::create), streams)?;
    let created_in = begin.elapsed();
    all(states.iter(), streams)?;
    let inits = lives.iter().map(Contender::init).collect::<Result<Vec<_>>>()?;
    let begin = Instant::now();
    all(starts.into_iter(), streams)?;
    for init in inits {
        init.wait_end()?;
    }
    let ended_in = begin.elapsed();
    all(states.iter(), streams)?;
    all(deletes.into_iter(), streams)?;
    Ok(Crowd { created_in, ended_in })
}

/// Starts all commands at once, then waits for each.
fn all<'a>(commands: impl Iterator<Item = &'a Command>, streams: &Streams) -> Result<()> {
    let started = commands.map(|command| Ok((command, command.spawn(streams)?))).collect::<Result<Vec<_>>>()?;
    let mut first_error = Ok(());
    for (command, child) in started {
        let ended = child.wait().and_then(|status| command.check(status, streams));
        first_error = first_error.and(ended);
    }
    first_error
}
