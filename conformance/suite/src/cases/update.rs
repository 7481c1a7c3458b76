//! update: by file, by stdin, by flag.

use serde_json::json;

use crate::harness::case::{mentions, must, same};
use crate::harness::{Case, Container, Need, Verdict, case, cgroup, host};

/// See the file's head.
pub const CASES: &[Case] = &[
    case("resources-from-stdin", |c| {
        c.up()?;
        let resources = json!({"pids": {"limit": 33}}).to_string();
        c.call(["update", "--resources", "-", &c.id]).stdin(resources).output(&c.out())?.succeeded()?;
        same("pids.max", c.cgroup_file("pids", "pids.max", "pids.max")?.as_str(), "33")
    })
    .needs(&[Need::Controller("pids")]),
    case("resources-from-stdin-short-flag", |c| {
        c.up()?;
        let resources = json!({"pids": {"limit": 34}}).to_string();
        c.call(["update", "-r", "-", &c.id]).stdin(resources).output(&c.out())?.succeeded()?;
        same("pids.max", c.cgroup_file("pids", "pids.max", "pids.max")?.as_str(), "34")
    })
    .needs(&[Need::Controller("pids")]),
    case("resources-from-a-file", |c| {
        c.up()?;
        let file = c.file("resources.json", &json!({"memory": {"limit": 50_331_648}}).to_string())?;
        c.rt(&["update", "--resources", &file.display().to_string(), &c.id])?.succeeded()?;
        same("memory", c.cgroup_file("memory", "memory.limit_in_bytes", "memory.max")?.as_str(), "50331648")
    })
    .needs(&[Need::Controller("memory")]),
    case("flag-memory", |c| {
        flag(c, "--memory", "41943040", "memory", "memory.limit_in_bytes", "memory.max", "41943040")
    }),
    case("flag-memory-reservation", |c| {
        flag(c, "--memory-reservation", "20971520", "memory", "memory.soft_limit_in_bytes", "memory.low", "20971520")
    }),
    case("flag-cpu-quota", |c| {
        c.set("/linux/resources/cpu", json!({"quota": 10_000, "period": 100_000}));
        flag(
            c,
            "--cpu-quota",
            "25000",
            "cpu",
            "cpu.cfs_quota_us",
            "cpu.max",
            if cgroup::pure_v2() { "25000 100000" } else { "25000" },
        )
    }),
    case("flag-cpu-period", |c| {
        c.set("/linux/resources/cpu", json!({"quota": 10_000, "period": 100_000}));
        flag(
            c,
            "--cpu-period",
            "50000",
            "cpu",
            "cpu.cfs_period_us",
            "cpu.max",
            if cgroup::pure_v2() { "10000 50000" } else { "50000" },
        )
    }),
    case("flag-cpu-share", |c| {
        c.up()?;
        c.rt(&["update", "--cpu-share", "256", &c.id])?.succeeded()?;
        let text = c.cgroup_file("cpu", "cpu.shares", "cpu.weight")?;
        must(["256", "10", "35", "36"].contains(&text.as_str()), format_args!("shares or weight is {text}"))
    }),
    case("flag-cpuset-cpus", |c| flag(c, "--cpuset-cpus", "1", "cpuset", "cpuset.cpus", "cpuset.cpus", "1"))
        .needs(&[Need::Cpus(2)]),
    case("flag-cpuset-mems", |c| flag(c, "--cpuset-mems", "0", "cpuset", "cpuset.mems", "cpuset.mems", "0")),
    case("flag-pids-limit", |c| flag(c, "--pids-limit", "21", "pids", "pids.max", "pids.max", "21")),
    case("flag-cpu-rt-runtime", |c| {
        if !host::rt_group_sched() {
            return crate::harness::skip("no RT_GROUP_SCHED here");
        }
        flag(c, "--cpu-rt-runtime", "3000", "cpu", "cpu.rt_runtime_us", "", "3000")
    })
    .needs(&[Need::V1("cpu")]),
    case("leaves-other-values-alone", |c| {
        c.set("/linux/resources/memory/limit", json!(67_108_864));
        c.up()?;
        c.rt(&["update", "--pids-limit", "9", &c.id])?.succeeded()?;
        same("memory", c.cgroup_file("memory", "memory.limit_in_bytes", "memory.max")?.as_str(), "67108864")
    })
    .needs(&[Need::Controller("memory")]),
    case("memory-and-swap-raised-together", |c| {
        c.set("/linux/resources/memory", json!({"limit": 33_554_432, "swap": 33_554_432}));
        c.up()?;
        c.rt(&["update", "--memory", "67108864", "--memory-swap", "67108864", &c.id])?.succeeded()?;
        c.rt(&["update", "--memory", "33554432", "--memory-swap", "33554432", &c.id])?.succeeded()?;
        same("memory", c.cgroup_file("memory", "memory.limit_in_bytes", "memory.max")?.as_str(), "33554432")
    })
    .needs(&[Need::Controller("memory")])
    .note("the order of the two writes depends on the direction"),
    case("device-rules-survive", |c| {
        c.up()?;
        c.rt(&["update", "--pids-limit", "99", &c.id])?.succeeded()?;
        same("device", c.exec_sh("echo x > /dev/null && echo yes")?.as_str(), "yes")
    })
    .needs(&[Need::Controller("pids")]),
    case("created-container", |c| {
        c.create()?;
        c.rt(&["update", "--pids-limit", "19", &c.id])?.succeeded()?;
        same("pids.max", c.cgroup_file("pids", "pids.max", "pids.max")?.as_str(), "19")
    })
    .needs(&[Need::Controller("pids")]),
    case("stopped-is-refused", |c| {
        c.up_script("true")?;
        c.wait_for("stopped")?;
        c.rt(&["update", "--pids-limit", "19", &c.id])?.refused().map(drop)
    })
    .note("crun updates the cgroup that is left"),
    case("absent-is-refused", |c| c.rt(&["update", "--pids-limit", "19", &c.id])?.refused().map(drop)),
    case("broken-json-is-refused", |c| {
        c.up()?;
        let output = c.call(["update", "-r", "-", &c.id]).stdin("{\"pids\":").output(&c.out())?.refused()?;
        mentions("message", &output.stderr, &["eof", "parse", "unexpected end", "premature", "decode", "line 1"])
    }),
];

fn flag(c: &mut Container, name: &str, value: &str, controller: &str, v1: &str, v2: &str, want: &str) -> Verdict {
    Need::Controller(controller).check()?;
    c.up()?;
    c.rt(&["update", name, value, &c.id])?.succeeded()?;
    same(name, c.cgroup_file(controller, v1, v2)?.as_str(), want)
}
