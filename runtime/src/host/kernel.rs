//! The kernel: its release, how it pre-empts, what it was built and booted with.

use super::{Error, Host};
use nix::errno::Errno;
use std::time::Duration;

/// How the kernel pre-empts itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Preemption {
    /// PREEMPT_RT: interrupts are threads, spinlocks sleep.
    RealTime,
    /// PREEMPT: between spinlocks.
    Full,
    /// PREEMPT_LAZY.
    Lazy,
    /// PREEMPT_DYNAMIC: chosen at boot or in debugfs.
    Dynamic,
    /// PREEMPT_VOLUNTARY or none: neither is told by the kernel.
    Little,
}

impl Preemption {
    /// The kernel's own name of it.
    pub fn name(self) -> &'static str {
        match self {
            Preemption::RealTime => "PREEMPT_RT",
            Preemption::Full => "PREEMPT",
            Preemption::Lazy => "PREEMPT_LAZY",
            Preemption::Dynamic => "PREEMPT_DYNAMIC",
            Preemption::Little => "PREEMPT_NONE or PREEMPT_VOLUNTARY",
        }
    }
}

/// The running kernel.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// As `uname -r`.
    pub release: String,
    /// Major and minor number of the release.
    pub version: (u32, u32),
    /// How it pre-empts.
    pub preemption: Preemption,
    /// The model that PREEMPT_DYNAMIC has in force (`none`, `voluntary`, `full`, `lazy`), where debugfs tells it.
    pub dynamic_model: Option<String>,
    /// Whether groups need a real-time budget (`CONFIG_RT_GROUP_SCHED`, not switched off at boot); `None` where neither a
    /// cgroup v1 knob nor a configuration in /boot tells.
    pub rt_group_sched: Option<bool>,
    /// What it was booted with.
    pub cmdline: String,
}

impl Kernel {
    /// Reads it.
    ///
    /// # Errors
    /// [`Error::Missing`] without procfs, and those of [`Host::text`].
    pub fn read(host: &Host) -> Result<Kernel, Error> {
        let missing = |path: &str| Error::Missing { path: host.path(path) };
        let release = "/proc/sys/kernel/osrelease";
        let release = host.text(release)?.ok_or_else(|| missing(release))?;
        let cmdline = host.text("/proc/cmdline")?.unwrap_or_default();
        let uname = host.text("/proc/sys/kernel/version")?.unwrap_or_default();
        let real_time = host.number("/sys/kernel/realtime")? == Some(1);
        // For root only, and only where debugfs is mounted.
        let dynamic = host.text("/sys/kernel/debug/sched/preempt").ok().flatten();
        Ok(Kernel {
            version: numbers(&release),
            preemption: if real_time { Preemption::RealTime } else { preemption(&uname) },
            dynamic_model: dynamic.as_deref().and_then(|models| chosen(models, '(', ')')).map(str::to_owned),
            rt_group_sched: rt_group_sched(host, &release, &cmdline)?,
            release,
            cmdline,
        })
    }

    /// The value of a parameter of the command line, the last one if it is given twice; empty for a bare word.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        parameter(&self.cmdline, name)
    }
}

/// Length of the periodic tick, 1/HZ: the resolution of the coarse clocks (`clock_getres(2)`).
///
/// # Errors
/// [`Error::Call`].
pub fn tick() -> Result<Duration, Error> {
    let mut resolution = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure outlives the call, which fills it.
    let result = unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, &mut resolution) };
    Errno::result(result).map_err(|errno| Error::Call { call: "clock_getres(CLOCK_MONOTONIC_COARSE)", errno })?;
    Ok(Duration::new(resolution.tv_sec.unsigned_abs(), u32::try_from(resolution.tv_nsec).unwrap_or(0)))
}

/// The value of `name=value` in a command line, the last one; empty for a bare `name`.
pub(super) fn parameter<'a>(cmdline: &'a str, name: &str) -> Option<&'a str> {
    // What follows `--` is init's.
    let words = cmdline.split_whitespace().take_while(|word| *word != "--");
    let value = |word: &'a str| match word.split_once('=') {
        Some((key, value)) => (key == name).then_some(value),
        None => (word == name).then_some(""),
    };
    words.filter_map(value).last()
}

/// The word in brackets: `always [madvise] never`.
pub(super) fn chosen(text: &str, open: char, close: char) -> Option<&str> {
    text.split_once(open)?.1.split_once(close).map(|(word, _)| word)
}

/// `#1 SMP PREEMPT_DYNAMIC Debian 6.12…`, as `init/version-timestamp.c` and `scripts/mkcompile_h` make it.
fn preemption(version: &str) -> Preemption {
    let words: Vec<&str> = version.split_whitespace().collect();
    let known = [
        ("PREEMPT_RT", Preemption::RealTime),
        ("PREEMPT_DYNAMIC", Preemption::Dynamic),
        ("PREEMPT_LAZY", Preemption::Lazy),
        ("PREEMPT", Preemption::Full),
    ];
    known.into_iter().find(|(word, _)| words.contains(word)).map_or(Preemption::Little, |(_, model)| model)
}

fn numbers(release: &str) -> (u32, u32) {
    let mut parts = release.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

fn rt_group_sched(host: &Host, release: &str, cmdline: &str) -> Result<Option<bool>, Error> {
    if parameter(cmdline, "rt_group_sched").is_some_and(|value| matches!(value, "0" | "off" | "n" | "no")) {
        return Ok(Some(false));
    }
    if let Some(cpu) = super::cgroup::Cgroups::read(host)?.v1("cpu") {
        return Ok(Some(host.has(cpu.join("cpu.rt_runtime_us"))));
    }
    let Some(config) = host.text(format!("/boot/config-{release}"))? else { return Ok(None) };
    let has = |option: &str| config.lines().any(|line| line == option);
    let off_unless_asked = has("CONFIG_RT_GROUP_SCHED_DEFAULT_DISABLED=y");
    let asked = parameter(cmdline, "rt_group_sched").is_some();
    Ok(Some(has("CONFIG_RT_GROUP_SCHED=y") && (asked || !off_unless_asked)))
}

#[cfg(test)]
mod tests {
    use super::super::fake::Tree;
    use super::*;

    #[test]
    fn preemption_by_file_and_by_word() {
        let tree = Tree::new().files(
            "/proc/sys/kernel/osrelease = 6.1.0-20-rt-amd64
             /proc/sys/kernel/version = #1 SMP PREEMPT_RT Debian 6.1.85-1
             /proc/cmdline = root=/dev/vda quiet=1 -- quiet=2",
        );
        let kernel = Kernel::read(&tree.host()).unwrap();
        assert_eq!((kernel.version, kernel.preemption), ((6, 1), Preemption::RealTime));
        assert_eq!((kernel.parameter("quiet"), kernel.parameter("debug")), (Some("1"), None));
        assert_eq!(kernel.rt_group_sched, None);
        let dynamic = tree
            .file("/proc/sys/kernel/version", "#1 SMP PREEMPT_DYNAMIC x\n")
            .file("/sys/kernel/debug/sched/preempt", "none voluntary (full) lazy\n");
        let kernel = Kernel::read(&dynamic.host()).unwrap();
        assert_eq!((kernel.preemption, kernel.dynamic_model.as_deref()), (Preemption::Dynamic, Some("full")));
    }

    #[test]
    fn group_scheduling_by_configuration_and_boot() {
        let config = "CONFIG_RT_GROUP_SCHED=y\nCONFIG_RT_GROUP_SCHED_DEFAULT_DISABLED=y\n";
        let with = |cmdline: &str| {
            let tree = Tree::new().files("/proc/sys/kernel/osrelease = 6.16.0").file("/boot/config-6.16.0", config);
            Kernel::read(&tree.file("/proc/cmdline", cmdline).host()).unwrap().rt_group_sched
        };
        assert_eq!(with("quiet"), Some(false));
        assert_eq!(with("rt_group_sched=1"), Some(true));
    }
}
