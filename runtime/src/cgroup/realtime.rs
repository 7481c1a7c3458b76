//! `RT_GROUP_SCHED` of v1: a group may run SCHED_FIFO and SCHED_RR tasks only within a budget, which its ancestors must
//! hold as well (`Documentation/scheduler/sched-rt-group.rst`).

use super::{Cgroup, Error, knob};
use nix::errno::Errno;
use std::path::{Path, PathBuf};
use std::time::Duration;

const RUNTIME: &str = "cpu.rt_runtime_us";
const PERIOD: &str = "cpu.rt_period_us";

/// A cgroup that needs a budget for real-time tasks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RealtimeGroup {
    /// The container's directory in the `cpu` hierarchy.
    pub directory: PathBuf,
    /// Where that hierarchy is mounted.
    pub mountpoint: PathBuf,
}

impl Cgroup {
    /// The container's cgroup if it needs a budget for real-time tasks: on v1 with `RT_GROUP_SCHED`.
    #[must_use]
    pub fn realtime_group(&self) -> Option<RealtimeGroup> {
        let cpu = self.controller("cpu").filter(|cpu| cpu.mountpoint.join(RUNTIME).exists())?;
        Some(RealtimeGroup { directory: cpu.directory(), mountpoint: cpu.mountpoint.clone() })
    }
}

impl RealtimeGroup {
    /// What the root's budget has left beside its other cgroups, in microseconds of a period of this length.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn left(&self, period: Duration) -> Result<u64, Error> {
        let (runtime, root_period) = (number(&self.mountpoint, RUNTIME)?, number(&self.mountpoint, PERIOD)?);
        let period = i64::try_from(period.as_micros()).unwrap_or(i64::MAX);
        if runtime < 0 {
            return Ok(period.unsigned_abs());
        }
        let mut left = runtime;
        for child in knob::children(&self.mountpoint)? {
            left -= share(number(&child, RUNTIME)?, number(&child, PERIOD)?, root_period);
        }
        // Rounded down: what is left can be asked for.
        let exact = i128::from(left.max(0)) * i128::from(period) / i128::from(root_period.max(1));
        Ok(u64::try_from(exact).unwrap_or(u64::MAX))
    }
}

/// Gives `dir` a runtime of `budget_us` microseconds a period. An ancestor below the root is raised to the sum of its
/// children, never lowered. Nothing to do where the kernel has no such knob.
pub(super) fn allow(dir: &Path, mountpoint: &Path, budget_us: i64) -> Result<(), Error> {
    match knob::get(&dir.join(RUNTIME)) {
        Err(Errno::ENOENT) if dir.exists() => return Ok(()),
        Err(errno) => return Err(Error::Io { step: "reading", path: dir.join(RUNTIME), errno }),
        Ok(_) => {}
    }
    for (group, runtime) in needs(dir, mountpoint, budget_us)?.into_iter().rev() {
        let path = group.join(RUNTIME);
        knob::set(&path, &runtime.to_string()).map_err(|errno| Error::Realtime {
            budget_us,
            value: runtime,
            path,
            errno,
        })?;
    }
    Ok(())
}

/// What must be written, from `dir` upwards.
fn needs(dir: &Path, mountpoint: &Path, budget_us: i64) -> Result<Vec<(PathBuf, i64)>, Error> {
    let mut needs = Vec::new();
    let (mut group, mut runtime) = (dir, budget_us);
    loop {
        if number(group, RUNTIME)? != runtime {
            needs.push((group.to_owned(), runtime));
        }
        let Some(parent) = group.parent().filter(|parent| *parent != mountpoint) else { return Ok(needs) };
        let parent_period = number(parent, PERIOD)?;
        let mut sum = share(runtime, number(group, PERIOD)?, parent_period);
        for sibling in knob::children(parent)?.iter().filter(|sibling| *sibling != group) {
            sum += share(number(sibling, RUNTIME)?, number(sibling, PERIOD)?, parent_period);
        }
        (group, runtime) = (parent, sum.max(number(parent, RUNTIME)?));
    }
}

/// The runtime in a period of other length, rounded up.
fn share(runtime: i64, period: i64, other: i64) -> i64 {
    let exact = i128::from(runtime) * i128::from(other);
    let period = i128::from(period.max(1));
    i64::try_from((exact + period - 1).div_euclid(period)).unwrap_or(i64::MAX)
}

fn number(dir: &Path, file: &str) -> Result<i64, Error> {
    match knob::get(&dir.join(file)) {
        Ok(text) => Ok(text.trim().parse().unwrap_or(0)),
        // A sibling that was removed meanwhile.
        Err(Errno::ENOENT | Errno::ENODEV) => Ok(0),
        Err(errno) => Err(Error::Io { step: "reading", path: dir.join(file), errno }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_up() {
        assert_eq!(share(10_000, 1_000_000, 1_000_000), 10_000);
        assert_eq!(share(10_000, 100_000, 1_000_000), 100_000);
        assert_eq!(share(1, 3, 1), 1);
    }

    #[test]
    fn what_is_left_is_the_root_s_less_its_children_s() {
        let top = std::env::temp_dir().join(format!("rtrun-left-{}", std::process::id()));
        for (path, runtime, period) in [("", 950, 1000), ("a", 300, 1000), ("b", 10, 100)] {
            std::fs::create_dir_all(top.join(path)).unwrap();
            std::fs::write(top.join(path).join(RUNTIME), format!("{runtime}\n")).unwrap();
            std::fs::write(top.join(path).join(PERIOD), format!("{period}\n")).unwrap();
        }
        let group = RealtimeGroup { directory: top.join("a/us"), mountpoint: top.clone() };
        assert_eq!(group.left(Duration::from_micros(1000)).unwrap(), 550);
        assert_eq!(group.left(Duration::from_micros(10)).unwrap(), 5);
        std::fs::write(top.join(RUNTIME), "-1").unwrap();
        assert_eq!(group.left(Duration::from_micros(10)).unwrap(), 10);
        std::fs::remove_dir_all(&top).unwrap();
    }

    #[test]
    fn ancestors_hold_the_sum_of_their_children() {
        let top = std::env::temp_dir().join(format!("rtrun-rt-{}", std::process::id()));
        for (path, runtime) in [("a", 30), ("a/other", 30), ("a/us", 0)] {
            std::fs::create_dir_all(top.join(path)).unwrap();
            std::fs::write(top.join(path).join(RUNTIME), format!("{runtime}\n")).unwrap();
            std::fs::write(top.join(path).join(PERIOD), "1000000\n").unwrap();
        }
        assert_eq!(needs(&top.join("a/us"), &top, 50).unwrap(), [(top.join("a/us"), 50), (top.join("a"), 80)]);
        std::fs::remove_dir_all(&top).unwrap();
    }
}
