//! What only the lab's kernel can show: PREEMPT_RT, isolated CPUs, pure cgroup v2, systemd as process 1.

use serde_json::json;

use crate::harness::case::{OrFail, mentions, must, same};
use crate::harness::kernel::{sched_attr, status_field};
use crate::harness::{Case, Container, Need, Verdict, case, cgroup, host};

const REAL_TIME: &[Need] = &[Need::PreemptRt, Need::V2, Need::IsolatedCpus];

/// See the file's head.
pub const CASES: &[Case] = &[
    case("fifo-on-an-isolated-cpu", |c| {
        let cpu = isolated_cpu();
        c.set("/process/scheduler", json!({"policy": "SCHED_FIFO", "priority": 80}));
        c.set("/linux/resources/cpu", json!({"cpus": cpu}));
        let pid = c.up()?;
        let attr = sched_attr(pid)?;
        same("policy and priority", (attr.policy, attr.priority), (1, 80))?;
        same("CPUs of the process", status_field(pid, "Cpus_allowed_list")?, cpu)
    })
    .needs(REAL_TIME)
    .note("process.scheduler is newer than Debian's crun and runc"),
    case("deadline", |c| {
        let times =
            json!({"policy": "SCHED_DEADLINE", "runtime": 1_000_000, "deadline": 5_000_000, "period": 10_000_000});
        c.set("/process/scheduler", times);
        let attr = sched_attr(c.up()?)?;
        same("policy", attr.policy, 6)?;
        same("times", (attr.runtime, attr.deadline, attr.period), (1_000_000, 5_000_000, 10_000_000))
    })
    .needs(&[Need::PreemptRt, Need::V2])
    .note("process.scheduler is newer than Debian's crun and runc"),
    case("freezer-of-v2", |c| {
        c.up()?;
        let group = c.cgroup("")?;
        c.rt(&["pause", &c.id])?.succeeded()?;
        same("cgroup.freeze", host::read(group.join("cgroup.freeze")).as_str(), "1")?;
        mentions("cgroup.events", &host::read(group.join("cgroup.events")), &["frozen 1"])?;
        c.rt(&["resume", &c.id])?.succeeded()?;
        same("cgroup.freeze", host::read(group.join("cgroup.freeze")).as_str(), "0")
    })
    .needs(&[Need::V2]),
    case("one-cgroup-in-the-one-hierarchy", |c| {
        c.up()?;
        same("cgroups of the container", cgroup::named_like(&c.id).len(), 1)
    })
    .needs(&[Need::V2]),
    case("systemd-makes-the-scope", |c| {
        c.set("/linux/cgroupsPath", json!(format!("system.slice:conformance:{}", c.id)));
        c.set("/linux/resources/pids/limit", json!(33));
        c.script("exec sleep 1000");
        systemd(c, &["create", "--bundle", &c.bundle.display().to_string(), &c.id])?;
        systemd(c, &["start", &c.id])?;
        let group = cgroup::of_process(c.pid()?, "pids").or_fail("cgroup of the process")?;
        let scope = format!("system.slice/conformance-{}.scope", c.id);
        must(group.ends_with(&scope), format_args!("{} is not {scope}", group.display()))?;
        same("pids.max", host::read(group.join("pids.max")).as_str(), "33")?;
        systemd(c, &["delete", "--force", &c.id])?;
        must(!group.exists(), "the scope is left")
    })
    .needs(&[Need::Systemd, Need::V2]),
];

/// The first of the isolated CPUs.
fn isolated_cpu() -> String {
    let list = host::read("/sys/devices/system/cpu/isolated");
    list.split([',', '-']).next().unwrap_or_default().to_string()
}

/// A command with the systemd cgroup manager.
fn systemd(c: &Container, args: &[&str]) -> Verdict {
    c.write_config()?;
    c.call(std::iter::once(&"--systemd-cgroup").chain(args)).output(&c.out())?.succeeded().map(drop)
}
