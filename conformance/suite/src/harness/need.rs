//! What a case needs of the machine, and which ring of tests has it.

use std::fmt;
use std::fs;
use std::path::Path;

use clap::ValueEnum;

use super::case::{Verdict, skip};
use super::{cgroup, kernel, rootfs};

/// Where cases run.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ring {
    /// The machine itself: what it lacks is skipped
    Host,
    /// The lab's guest: what it promises and does not have is a failure
    Lab,
}

/// One thing that a case needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need<'a> {
    /// This controller in a mounted hierarchy
    Controller(&'a str),
    /// The v1 hierarchy of this controller
    V1(&'a str),
    /// Every controller on the v2 tree
    V2,
    /// The namespace of this kind, as named in /proc/self/ns
    Namespace(&'a str),
    /// A file of the kernel's
    File(&'a str),
    /// This capability, by name and number of capabilities(7), for the suite itself
    Capability(&'a str, u32),
    /// At least so many CPUs
    Cpus(usize),
    /// The suite's own binary, statically linked
    Probe,
    /// A PREEMPT_RT kernel
    PreemptRt,
    /// systemd as process 1
    Systemd,
    /// CPUs isolated at boot
    IsolatedCpus,
}

impl Need<'_> {
    /// Skips the case with the reason where the machine lacks it.
    pub fn check(&self) -> Verdict {
        if self.is_met() { Ok(()) } else { skip(self) }
    }

    /// The ring that has it for certain.
    pub fn ring(&self) -> Ring {
        match self {
            Need::V2 | Need::PreemptRt | Need::Systemd | Need::IsolatedCpus => Ring::Lab,
            _ => Ring::Host,
        }
    }

    /// Whether the lab promises it: its absence there is no reason to skip. systemd is one flavour of the lab's only.
    pub fn is_promised_by_lab(&self) -> bool {
        matches!(self, Need::V2 | Need::PreemptRt | Need::IsolatedCpus | Need::Capability(..) | Need::Cpus(..))
    }

    fn is_met(&self) -> bool {
        match *self {
            Need::Controller(name) => cgroup::has(name),
            Need::V1(name) => cgroup::hierarchies().iter().any(|one| one.controllers.iter().any(|own| own == name)),
            Need::V2 => cgroup::pure_v2(),
            Need::Namespace(kind) => Path::new("/proc/self/ns").join(kind).exists(),
            Need::File(path) => Path::new(path).exists(),
            Need::Capability(_, number) => {
                let mask = kernel::status_field(std::process::id() as i32, "CapEff").unwrap_or_default();
                u64::from_str_radix(&mask, 16).unwrap_or(0) >> number & 1 == 1
            }
            Need::Cpus(count) => std::thread::available_parallelism().is_ok_and(|have| have.get() >= count),
            Need::Probe => std::env::current_exe().is_ok_and(|exe| rootfs::is_static(&exe)),
            Need::PreemptRt => text("/sys/kernel/realtime") == "1",
            Need::Systemd => Path::new("/run/systemd/system").exists(),
            Need::IsolatedCpus => !text("/sys/devices/system/cpu/isolated").is_empty(),
        }
    }
}

/// What is missing, in words.
impl fmt::Display for Need<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Need::Controller(name) => write!(f, "no {name} cgroup controller here"),
            Need::V1(name) => write!(f, "no v1 {name} hierarchy here"),
            Need::V2 => f.write_str("cgroup v1 or hybrid layout here"),
            Need::Namespace(kind) => write!(f, "no {kind} namespaces here"),
            Need::File(path) => write!(f, "no {path} here"),
            Need::Capability(name, _) => write!(f, "the suite itself lacks {name}"),
            Need::Cpus(count) => write!(f, "fewer than {count} CPUs here"),
            Need::Probe => f.write_str(
                "the suite is linked dynamically: build it with RUSTFLAGS='-C target-feature=+crt-static' and --target",
            ),
            Need::PreemptRt => f.write_str("no PREEMPT_RT kernel here"),
            Need::Systemd => f.write_str("process 1 is not systemd here"),
            Need::IsolatedCpus => f.write_str("no CPU is isolated here"),
        }
    }
}

fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::case::Stop;

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(Need::File("/proc/self").check(), Ok(()));
        assert_eq!(Need::File("/no/such").check(), Err(Stop::Skip("no /no/such here".into())));
        assert_eq!(Need::Cpus(1).check(), Ok(()));
        assert!(Need::Cpus(100_000).check().is_err());
    }
}
