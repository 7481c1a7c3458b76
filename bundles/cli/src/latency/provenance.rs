//! On what it was measured: figures of another machine, kernel or command line are not comparable.

use std::fs;

/// Names and values, in the order of a report.
#[derive(Debug)]
pub struct Provenance(pub Vec<(&'static str, String)>);

impl Provenance {
    /// Reads what the kernel tells.
    pub fn read() -> Provenance {
        let file = |path: &str| {
            fs::read_to_string(path).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        let cpuinfo = file("/proc/cpuinfo").unwrap_or_default();
        let of_cpu = |key: &str| {
            let line = cpuinfo.lines().find(|line| line.starts_with(key))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let system = nix::sys::utsname::uname();
        let kernel = system.map(|name| {
            [name.sysname(), name.release(), name.version(), name.machine()]
                .map(|part| part.to_string_lossy().into_owned())
                .join(" ")
        });
        let realtime = file("/sys/kernel/realtime").as_deref() == Some("1");
        let virtual_machine = cpuinfo.lines().any(|line| line.starts_with("flags") && line.contains(" hypervisor"));
        let cpu = "/sys/devices/system/cpu";
        let entries = [
            ("kernel", kernel.ok()),
            ("PREEMPT_RT", Some(if realtime { "yes" } else { "no" }.to_owned())),
            ("command line", file("/proc/cmdline")),
            ("CPU", of_cpu("model name").or_else(|| of_cpu("CPU part"))),
            ("microcode", of_cpu("microcode")),
            (
                "virtual machine",
                Some(if virtual_machine { "yes: latencies are the hypervisor's as well" } else { "no" }.to_owned()),
            ),
            ("CPUs online", file(&format!("{cpu}/online"))),
            ("CPUs isolated", file(&format!("{cpu}/isolated")).or(Some("none".to_owned()))),
            ("governor", file(&format!("{cpu}/cpu0/cpufreq/scaling_governor")).or(Some("none: no cpufreq".to_owned()))),
            (
                "SMT",
                file(&format!("{cpu}/smt/active")).map(|text| if text == "1" { "active" } else { "off" }.to_owned()),
            ),
            ("clocksource", file("/sys/devices/system/clocksource/clocksource0/current_clocksource")),
            ("RT throttling, us", file("/proc/sys/kernel/sched_rt_runtime_us")),
            ("BIOS", file("/sys/class/dmi/id/bios_version")),
        ];
        Provenance(entries.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
    }
}
