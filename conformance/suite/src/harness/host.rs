//! What this machine is.

use std::fs;
use std::path::Path;

use super::case::OrFail;
use super::{Verdict, cgroup};

/// Whether real-time group scheduling is on: FIFO and RR need a budget in the cgroup.
pub fn rt_group_sched() -> bool {
    cgroup::hierarchies()
        .iter()
        .filter(|one| one.controllers.iter().any(|name| name == "cpu"))
        .any(|one| one.mount.join("cpu.rt_runtime_us").exists())
}

/// A small file of the kernel's that must be there.
pub fn read_whole(path: impl AsRef<Path>) -> Verdict<String> {
    fs::read_to_string(&path).or_fail(path.as_ref().display())
}

/// The first line of a small file of the kernel's.
pub fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_string()
}
