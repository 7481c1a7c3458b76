//! What a runtime left behind, and sweeping it away.

use std::fs;
use std::path::{Path, PathBuf};

use super::call::eventually;
use super::cgroup;

/// Mount points below `dir`, deepest first.
pub fn mounts_below(dir: &Path) -> Vec<PathBuf> {
    let mountinfo = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = mountinfo.lines().filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from);
    let mut below: Vec<PathBuf> = points.filter(|point| point.starts_with(dir)).collect();
    below.reverse();
    below
}

/// Command names of the processes of this PID namespace other than `known` and what `known` started as helpers.
pub fn strangers(known: &[i32]) -> Vec<String> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| !known.contains(pid) && alive(*pid)).map(describe).collect()
}

/// Whether `pid` runs and is no zombie.
pub fn alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !matches!(rest.trim_start().chars().next(), Some('Z' | 'X')))
}

fn describe(pid: i32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    format!("{pid} ({})", String::from_utf8_lossy(&line).replace('\0', " ").trim())
}

/// Lets every frozen task of the cgroups of `id` run, so that a signal reaches it.
pub fn thaw(id: &str) {
    for group in cgroup::named_like(id) {
        // A group has one of the two files at most; writing to the other fails and means nothing.
        let _ = fs::OpenOptions::new().write(true).open(group.join("freezer.state")).map(|_| {
            let _ = fs::write(group.join("freezer.state"), "THAWED");
        });
        let _ = fs::OpenOptions::new().write(true).open(group.join("cgroup.freeze")).map(|_| {
            let _ = fs::write(group.join("cgroup.freeze"), "0");
        });
    }
}

/// Removes the cgroups of `id`, once their tasks are gone, and `dir`.
pub fn sweep(id: &str, dir: Option<&Path>) {
    thaw(id);
    let emptied = || {
        let groups = cgroup::named_like(id);
        groups.iter().for_each(|group| drop(fs::remove_dir(group)));
        cgroup::named_like(id).is_empty().then_some(())
    };
    if eventually("cgroups gone", emptied).is_err() {
        eprintln!("rtrun-conformance: cgroups named {id} could not be removed");
    }
    if let Some(dir) = dir {
        let _ = fs::remove_dir_all(dir);
    }
}
