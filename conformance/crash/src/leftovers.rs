//! What a container has left on the host.

use crate::sandbox::{CGROUPS, Sandbox};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long a killed process may take to leave; it is given no longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// State directory, cgroups, mounts, processes; empty when all is clean.
pub fn of(sandbox: &Sandbox) -> Vec<String> {
    let begin = Instant::now();
    loop {
        let found = now(sandbox);
        if found.is_empty() || begin.elapsed() > PATIENCE {
            return found;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn now(sandbox: &Sandbox) -> Vec<String> {
    let mut found = Vec::new();
    if let Ok(entries) = fs::read_dir(&sandbox.root) {
        found.extend(entries.flatten().map(|entry| format!("file {}", entry.path().display())));
    }
    found.extend(cgroups(&sandbox.id).iter().map(|path| format!("cgroup {}", path.display())));
    found.extend(mounts(sandbox).iter().map(|path| format!("mount {}", path.display())));
    found.extend(of_processes());
    found
}

/// The processes that the runtime has started and that have not ended.
pub fn of_processes() -> Vec<String> {
    descendants().iter().map(|&pid| format!("process {}", describe(pid))).collect()
}

/// The mount points of every cgroup hierarchy.
pub fn hierarchies() -> Vec<PathBuf> {
    let mountinfo = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let cgroup = |line: &&str| line.contains(" - cgroup ") || line.contains(" - cgroup2 ");
    mountinfo.lines().filter(cgroup).filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from).collect()
}

fn cgroups(id: &str) -> Vec<PathBuf> {
    let places = hierarchies().into_iter().map(|mountpoint| mountpoint.join(CGROUPS).join(id));
    places.filter(|path| path.exists()).collect()
}

fn mounts(sandbox: &Sandbox) -> Vec<PathBuf> {
    let mountinfo = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = mountinfo.lines().filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from);
    points.filter(|point| point.starts_with(&sandbox.dir) && *point != sandbox.root).collect()
}

/// Everything that the runtime started and that has not ended: as a subreaper this program is the parent of it all.
fn descendants() -> Vec<Pid> {
    // Whatever has ended is reaped here; nobody else waits for it.
    while matches!(waitpid(None, Some(WaitPidFlag::WNOHANG)), Ok(status) if status != WaitStatus::StillAlive) {}
    let mut found = Vec::new();
    collect(std::process::id() as i32, &mut found);
    found
}

fn collect(pid: i32, found: &mut Vec<Pid>) {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
        found.push(Pid::from_raw(child));
        collect(child, found);
    }
}

fn describe(pid: Pid) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    format!("{pid} ({})", String::from_utf8_lossy(&line).replace('\0', " ").trim())
}

/// Ends and removes what a failed case has left, so that the next one starts clean.
pub fn sweep(sandbox: &Sandbox) {
    for group in cgroups(&sandbox.id) {
        let freezer = group.join("freezer.state");
        if freezer.exists() {
            // Best effort: a group that can't be thawed is reported by the next case.
            let _ = fs::write(freezer, "THAWED");
        }
    }
    for pid in descendants() {
        match kill(pid, Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => eprintln!("rtrun-crash: killing {pid}: {errno}"),
        }
    }
    let _ = fs::remove_dir_all(sandbox.root.join(&sandbox.id));
    let begin = Instant::now();
    while !(descendants().is_empty() && cgroups(&sandbox.id).is_empty()) && begin.elapsed() < PATIENCE {
        cgroups(&sandbox.id).iter().for_each(|group| drop(fs::remove_dir(group)));
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Removes the cgroups above all containers'.
pub fn remove_cgroups() {
    for mountpoint in hierarchies() {
        // Absent where no container has been.
        let _ = fs::remove_dir(mountpoint.join(CGROUPS));
    }
}
