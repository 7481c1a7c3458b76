//! process.scheduler, ioPriority, execCPUAffinity, linux.memoryPolicy.

use serde_json::{Value, json};

use crate::harness::case::{mentions, must, same};
use crate::harness::kernel::{io_priority, sched_attr, status_field};
use crate::harness::{Case, Container, Need, Verdict, case, host};

const NEWER: &str = "newer than Debian's crun and runc";

/// See the file's head.
pub const CASES: &[Case] = &[
    case("fifo", |c| policy(c, json!({"policy": "SCHED_FIFO", "priority": 10}), 1, 10)).note(NEWER),
    case("rr", |c| policy(c, json!({"policy": "SCHED_RR", "priority": 5}), 2, 5)).note(NEWER),
    case("batch", |c| policy(c, json!({"policy": "SCHED_BATCH", "nice": 4}), 3, 0)).note(NEWER),
    case("idle", |c| policy(c, json!({"policy": "SCHED_IDLE"}), 5, 0)).note(NEWER),
    case("other-with-nice", |c| {
        c.set("/process/scheduler", json!({"policy": "SCHED_OTHER", "nice": 9}));
        let attr = sched_attr(c.up()?)?;
        same("policy and nice", (attr.policy, attr.nice), (0, 9))
    })
    .note(NEWER),
    case("reset-on-fork", |c| {
        c.set("/process/scheduler", json!({"policy": "SCHED_OTHER", "nice": 5, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}));
        let attr = sched_attr(c.up()?)?;
        same("flags", attr.flags & 1, 1)
    })
    .note(NEWER),
    case("fifo-does-not-reach-hooks", |c| {
        budget(c);
        let file = c.dir.join("hook-policy").display().to_string();
        let script = format!("awk '{{print $41}}' /proc/self/stat > {file}");
        c.set("/hooks/createContainer", json!([]));
        c.set("/hooks/createRuntime", json!([{"path": "/bin/sh", "args": ["sh", "-c", script]}]));
        c.set("/process/scheduler", json!({"policy": "SCHED_FIFO", "priority": 10}));
        c.up()?;
        same("policy of the hook", host::read(&file).as_str(), "0")
    })
    .note("a hook at real-time priority would disturb neighbours; newer than Debian's peers"),
    case("created-is-not-yet-real-time", |c| {
        budget(c);
        c.set("/process/scheduler", json!({"policy": "SCHED_FIFO", "priority": 10}));
        c.script("exec sleep 1000");
        let pid = c.create()?;
        same("policy when created", sched_attr(pid)?.policy, 0)?;
        c.start()?;
        same("policy when started", sched_attr(pid)?.policy, 1)
    })
    .note("peers set the container up at real-time priority already"),
    case("priority-out-of-range-is-refused", |c| {
        budget(c);
        refused(c, json!({"policy": "SCHED_FIFO", "priority": 120}))
    })
    .note(NEWER),
    case("priority-with-other-is-refused", |c| refused(c, json!({"policy": "SCHED_OTHER", "priority": 10})))
        .note(NEWER),
    case("nice-out-of-range-is-refused", |c| refused(c, json!({"policy": "SCHED_OTHER", "nice": 40})))
        .note("the kernel clamps; the spec says -20 to 19"),
    case("unknown-policy-is-refused", |c| {
        c.set("/process/scheduler", json!({"policy": "SCHED_SOMETIMES"}));
        mentions("message", &c.create_refused()?, &["SCHED_SOMETIMES", "policy"])
    })
    .note(NEWER),
    case("unknown-flag-is-refused", |c| refused(c, json!({"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_NONSENSE"]})))
        .note(NEWER),
    case("io-priority-best-effort", |c| io(c, "IOPRIO_CLASS_BE", 3, (2, 3))).note(NEWER),
    case("io-priority-idle", |c| io(c, "IOPRIO_CLASS_IDLE", 0, (3, 0))).note(NEWER),
    case("io-priority-real-time", |c| io(c, "IOPRIO_CLASS_RT", 1, (1, 1))).note(NEWER),
    case("io-priority-unknown-class-is-refused", |c| {
        c.set("/process/ioPriority", json!({"class": "IOPRIO_CLASS_NONE_SUCH", "priority": 0}));
        c.create_refused().map(drop)
    })
    .note(NEWER),
    case("exec-affinity-final", |c| {
        c.set("/process/execCPUAffinity", json!({"initial": "0", "final": "1"}));
        c.up()?;
        same("CPUs of exec", c.exec_sh("grep Cpus_allowed_list /proc/self/status")?.as_str(), "Cpus_allowed_list:\t1")
    })
    .needs(&[Need::Cpus(2)])
    .note(NEWER),
    case("exec-affinity-leaves-the-init-alone", |c| {
        c.set("/process/execCPUAffinity", json!({"initial": "0", "final": "1"}));
        let own = status_field(std::process::id() as i32, "Cpus_allowed_list")?;
        let found = status_field(c.up()?, "Cpus_allowed_list")?;
        // entering a cpuset lifts what isolcpus= keeps from processes that asked for no CPUs
        let allowed = c.cgroup("cpuset").map(|dir| host::read(dir.join("cpuset.cpus.effective")));
        must(
            found == own || allowed.is_ok_and(|cpus| cpus == found),
            format_args!("CPUs of the init: {found}, not {own}"),
        )
    })
    .needs(&[Need::Cpus(2)]),
    case("memory-policy-bind", |c| memory(c, "MPOL_BIND", &[], "2 0x0 0x1")).note(NEWER),
    case("memory-policy-preferred", |c| memory(c, "MPOL_PREFERRED", &[], "1 0x0 0x1")).note(NEWER),
    case("memory-policy-interleave-static", |c| memory(c, "MPOL_INTERLEAVE", &["MPOL_F_STATIC_NODES"], "3 0x8000 0x1"))
        .note(NEWER),
    case("memory-policy-unknown-mode-is-refused", |c| {
        c.set("/linux/memoryPolicy", json!({"mode": "MPOL_NONSENSE", "nodes": "0"}));
        c.create_refused().map(drop)
    })
    .note(NEWER),
];

/// On a kernel with RT_GROUP_SCHED, the budget without which FIFO and RR are refused.
fn budget(c: &mut Container) {
    if host::rt_group_sched() {
        c.set("/linux/resources/cpu", json!({"realtimeRuntime": 20_000, "realtimePeriod": 1_000_000}));
    }
}

fn policy(c: &mut Container, scheduler: Value, policy: u32, priority: u32) -> Verdict {
    if priority > 0 {
        budget(c);
    }
    c.set("/process/scheduler", scheduler);
    c.script("exec sleep 1000");
    let pid = c.create()?;
    c.start()?;
    let attr = sched_attr(pid)?;
    same("policy and priority", (attr.policy, attr.priority), (policy, priority))
}

fn refused(c: &mut Container, scheduler: Value) -> Verdict {
    c.set("/process/scheduler", scheduler);
    c.create_refused().map(drop)
}

fn io(c: &mut Container, class: &str, level: i64, want: (i64, i64)) -> Verdict {
    c.set("/process/ioPriority", json!({"class": class, "priority": level}));
    let pid = c.up_script("exec sleep 1000")?;
    same("I/O class and level", io_priority(pid)?, want)
}

fn memory(c: &mut Container, mode: &str, flags: &[&str], want: &str) -> Verdict {
    Need::Probe.check()?;
    Need::File("/proc/self/numa_maps").check()?;
    c.set("/linux/memoryPolicy", json!({"mode": mode, "nodes": "0", "flags": flags}));
    c.args(&["/bin/probe", "probe", "mempolicy"]);
    same("mode, flags and nodes", c.run()?.succeeded()?.stdout.trim(), want)
}
