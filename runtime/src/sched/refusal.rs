//! What `sched_setattr(2)`'s bare errno stands for on this host. Runs only after a refusal.

use nix::errno::Errno;
use nix::unistd::Pid;
use std::path::Path;

/// In words, with the file or limit that decides where it can be found out.
pub(super) fn explain(policy: u32, errno: Errno, pid: Pid) -> String {
    match (policy, errno) {
        (1 | 2, Errno::EPERM) => realtime(pid),
        (6, Errno::EPERM) => "SCHED_DEADLINE needs CAP_SYS_NICE, and an affinity that covers the whole root domain: put the \
             container on an exclusive cpuset partition (cgroup v2: cpuset.cpus.partition=root; v1: cpuset.cpu_exclusive=1 with \
             sched_load_balance=0 above) instead of a plain subset of CPUs"
            .into(),
        (6, Errno::EBUSY) => format!(
            "the root domain hasn't that much bandwidth left (admission control: the sum of runtime/period of its deadline \
             tasks stays within {} of its CPUs); ask for less or free some",
            bandwidth()
        ),
        (6, Errno::EINVAL) => format!(
            "the period must lie within {} to {} µs (/proc/sys/kernel/sched_deadline_period_{{min,max}}_us)",
            sysctl("sched_deadline_period_min_us"),
            sysctl("sched_deadline_period_max_us")
        ),
        (_, Errno::EPERM) => "a nice value below the present one needs CAP_SYS_NICE or RLIMIT_NICE".into(),
        (_, Errno::EINVAL) => "this kernel doesn't know the policy, or a flag".into(),
        (_, Errno::EOPNOTSUPP) => "this kernel is built without utilisation clamping (CONFIG_UCLAMP_TASK)".into(),
        (_, Errno::E2BIG) => "this kernel's sched_attr is older than Linux 5.3".into(),
        (_, Errno::ESRCH) => "the process is gone".into(),
        _ => "see sched_setattr(2)".into(),
    }
}

fn realtime(pid: Pid) -> String {
    if let Some(file) = empty_budget(pid) {
        return format!(
            "RT_GROUP_SCHED: {file} is 0, so no real-time task may run in that cgroup; give it and each ancestor a budget \
             (linux.resources.cpu.realtimeRuntime)"
        );
    }
    "needs CAP_SYS_NICE, or RLIMIT_RTPRIO of at least this priority; under RT_GROUP_SCHED also cpu.rt_runtime_us above 0 in \
     the cgroup and each ancestor"
        .into()
}

/// The topmost `cpu.rt_runtime_us` that is 0 on the way to the process's cpu cgroup.
fn empty_budget(pid: Pid) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let mut lines = text.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    let (controllers, group) = lines.find(|(controllers, _)| controllers.split(',').any(|name| name == "cpu"))?;
    let root = Path::new("/sys/fs/cgroup").join(controllers);
    let mut path = if root.exists() { root } else { "/sys/fs/cgroup/cpu".into() };
    for part in group.split('/').filter(|part| !part.is_empty()) {
        path.push(part);
        let file = path.join("cpu.rt_runtime_us");
        if std::fs::read_to_string(&file).is_ok_and(|text| text.trim() == "0") {
            return Some(file.display().to_string());
        }
    }
    None
}

/// Share of a CPU that real-time and deadline tasks may use, in percent.
fn bandwidth() -> String {
    let figures = (sysctl("sched_rt_runtime_us").parse::<f64>(), sysctl("sched_rt_period_us").parse::<f64>());
    match figures {
        (Ok(runtime), Ok(period)) if runtime >= 0.0 && period > 0.0 => format!("{:.0} %", 100.0 * runtime / period),
        (Ok(_), Ok(_)) => "100 %".into(),
        _ => "sched_rt_runtime_us/sched_rt_period_us".into(),
    }
}

fn sysctl(name: &str) -> String {
    let text = std::fs::read_to_string(Path::new("/proc/sys/kernel").join(name));
    text.map_or_else(|_| "?".into(), |text| text.trim().to_owned())
}
