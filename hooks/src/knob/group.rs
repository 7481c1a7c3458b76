//! `RT_GROUP_SCHED` of cgroup v1: a group runs SCHED_FIFO and SCHED_RR within a budget, which its ancestors must hold as
//! well (`Documentation/scheduler/sched-rt-group.rst`).

use crate::host;
use nix::errno::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const RUNTIME: &str = "cpu.rt_runtime_us";
const PERIOD: &str = "cpu.rt_period_us";

pub(super) fn runtime(group: &Path) -> Result<i64, Errno> {
    number(group, RUNTIME)
}

pub(super) fn set_runtime(group: &Path, micros: i64) -> Result<(), Errno> {
    host::write(&group.join(RUNTIME), &micros.to_string())
}

/// What each group of the budgets' chains must hold: its own budget and what its children have. `settled` gives the value
/// that a group outside the chains is about to have, where that is known; else it counts with what it has.
pub(crate) fn needs(
    budgets: &BTreeMap<(PathBuf, PathBuf), i64>,
    settled: impl Fn(&Path) -> Option<i64>,
) -> BTreeMap<PathBuf, i64> {
    // A kernel without the knob asks for nothing.
    let budgets = budgets.iter().filter(|((group, _), _)| group.join(RUNTIME).exists());
    let mut own: BTreeMap<PathBuf, i64> = BTreeMap::new();
    let mut chain = BTreeSet::new();
    for ((group, mountpoint), budget) in budgets {
        *own.entry(group.clone()).or_default() += budget;
        chain.extend(group.ancestors().take_while(|dir| dir != mountpoint).map(|dir| (depth(dir), dir.to_owned())));
    }
    let mut needs: BTreeMap<PathBuf, i64> = BTreeMap::new();
    for (_, group) in chain.into_iter().rev() {
        let period = number(&group, PERIOD).unwrap_or(0);
        let children = host::directories(&group).into_iter();
        let has =
            |child: &Path| needs.get(child).copied().or_else(|| settled(child)).map_or_else(|| runtime(child), Ok);
        let sum: i64 = children
            .filter_map(|child| Some(share(has(&child).ok()?, number(&child, PERIOD).ok()?, period)))
            .fold(own.get(&group).copied().unwrap_or(0), i64::saturating_add);
        needs.insert(group, sum);
    }
    needs
}

/// How far below the root of all files.
pub(crate) fn depth(group: &Path) -> usize {
    group.components().count()
}

/// The runtime in a period of other length, rounded up.
fn share(runtime: i64, period: i64, other: i64) -> i64 {
    let exact = i128::from(runtime) * i128::from(other);
    let period = i128::from(period.max(1));
    i64::try_from((exact + period - 1).div_euclid(period)).unwrap_or(i64::MAX)
}

fn number(group: &Path, file: &str) -> Result<i64, Errno> {
    host::read(&group.join(file))?.parse().map_err(|_| Errno::EPROTO)
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
    fn ancestors_hold_their_children_those_of_others_too() {
        let top = std::env::temp_dir().join(format!("rtrun-group-{}", std::process::id()));
        for (path, runtime) in [("a", 30), ("a/other", 30), ("a/leaving", 20), ("a/us", 0)] {
            std::fs::create_dir_all(top.join(path)).unwrap();
            std::fs::write(top.join(path).join(RUNTIME), format!("{runtime}\n")).unwrap();
            std::fs::write(top.join(path).join(PERIOD), "1000000\n").unwrap();
        }
        let budgets = BTreeMap::from([((top.join("a/us"), top.clone()), 50)]);
        let needs = needs(&budgets, |group| group.ends_with("leaving").then_some(0));
        assert_eq!(needs, BTreeMap::from([(top.join("a"), 80), (top.join("a/us"), 50)]));
        std::fs::remove_dir_all(&top).unwrap();
    }
}
