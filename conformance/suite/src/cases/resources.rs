//! linux.resources: what the cgroup files read back.

use serde_json::{Value, json};

use crate::harness::case::{OrFail, mentions, must, same};
use crate::harness::{Case, Container, Need, Verdict, case, cgroup, host};

/// See the file's head.
pub const CASES: &[Case] = &[
    case("process-is-in-the-cgroup-of-the-path", |c| {
        let pid = c.up()?;
        let dir = c.cgroup("pids")?;
        must(dir.ends_with(&c.id), format_args!("{} is not cgroupsPath", dir.display()))?;
        must(
            host::read(dir.join("cgroup.procs")).lines().any(|line| line == pid.to_string()),
            "pid not in cgroup.procs",
        )
    }),
    case("nested-path", |c| {
        c.set("/linux/cgroupsPath", json!(format!("/{}/a/b", c.id)));
        c.up()?;
        must(c.cgroup("pids")?.ends_with(format!("{}/a/b", c.id)), "not the path asked for")?;
        c.finish()?;
        must(!cgroup::named_like(&c.id).iter().any(|dir| dir.ends_with("b")), "the cgroup is left")?;
        crate::harness::leftovers::sweep(&c.id, None);
        Ok(())
    }),
    case("no-path-still-makes-a-cgroup", |c| {
        c.remove("/linux/cgroupsPath");
        c.up()?;
        must(c.cgroup("pids")?.to_string_lossy().contains(&c.id), "the container's cgroup is not named after it")
    }),
    case("memory-limit", |c| {
        read(c, "/memory/limit", json!(67_108_864), "memory", "memory.limit_in_bytes", "memory.max", "67108864")
    }),
    case("memory-unlimited", |c| {
        c.set("/linux/resources/memory/limit", json!(-1));
        c.up()?;
        let text = c.cgroup_file("memory", "memory.limit_in_bytes", "memory.max")?;
        must(text == "max" || text.len() > 15, format_args!("limit is {text}"))
    })
    .needs(&[Need::Controller("memory")]),
    case("memory-reservation", |c| {
        read(
            c,
            "/memory/reservation",
            json!(33_554_432),
            "memory",
            "memory.soft_limit_in_bytes",
            "memory.low",
            "33554432",
        )
    }),
    case("memory-swap", |c| {
        c.set("/linux/resources/memory", json!({"limit": 67_108_864, "swap": 134_217_728}));
        let file = if cgroup::pure_v2() { "memory.swap.max" } else { "memory.memsw.limit_in_bytes" };
        c.up()?;
        Need::File(&c.cgroup("memory")?.join(file).display().to_string()).check()?;
        let want = if cgroup::pure_v2() { "67108864" } else { "134217728" };
        same(file, host::read(c.cgroup("memory")?.join(file)).as_str(), want)
    })
    .needs(&[Need::Controller("memory")]),
    case("memory-swappiness", |c| read(c, "/memory/swappiness", json!(10), "memory", "memory.swappiness", "", "10"))
        .needs(&[Need::V1("memory")]),
    case("memory-oom-killer-disabled", |c| {
        c.set("/linux/resources/memory/disableOOMKiller", json!(true));
        c.up()?;
        mentions("memory.oom_control", &c.cgroup_file("memory", "memory.oom_control", "")?, &["oom_kill_disable 1"])
    })
    .needs(&[Need::V1("memory")]),
    case("memory-kernel-is-told-to-be-without-effect", |c| {
        c.set("/linux/resources/memory", json!({"kernel": 50_000_000}));
        mentions("warning", &c.create_with(&[])?.succeeded()?.stderr, &["kernel"])
    })
    .note("since Linux 5.16 the kernel takes the value and ignores it; crun says nothing"),
    case("memory-limit-is-enforced", |c| {
        c.set("/linux/resources/memory", json!({"limit": 16_777_216, "swap": 16_777_216}));
        c.script("dd if=/dev/zero of=/dev/null bs=64M count=1");
        c.run()?.ended(137).map(drop)
    })
    .needs(&[Need::Controller("memory")]),
    case("cpu-shares", |c| {
        c.set("/linux/resources/cpu/shares", json!(512));
        c.up()?;
        // v2: 1 + (512 - 2) * 9999 / 262142, or the newer curve of runtime-spec 1.3.
        let text = c.cgroup_file("cpu", "cpu.shares", "cpu.weight")?;
        must(["512", "20", "59"].contains(&text.as_str()), format_args!("shares or weight is {text}"))
    })
    .needs(&[Need::Controller("cpu")]),
    case("cpu-quota-and-period", |c| {
        c.set("/linux/resources/cpu", json!({"quota": 20_000, "period": 50_000}));
        c.up()?;
        same("quota", c.cgroup_file("cpu", "cpu.cfs_quota_us", "cpu.max")?.replace(" 50000", "").as_str(), "20000")?;
        mentions("period", &c.cgroup_file("cpu", "cpu.cfs_period_us", "cpu.max")?, &["50000"])
    }),
    case("cpu-unlimited-quota", |c| {
        c.set("/linux/resources/cpu/quota", json!(-1));
        c.up()?;
        let text = c.cgroup_file("cpu", "cpu.cfs_quota_us", "cpu.max")?;
        must(text == "-1" || text.starts_with("max"), format_args!("quota is {text}"))
    }),
    case("cpu-burst", |c| {
        c.set("/linux/resources/cpu", json!({"quota": 50_000, "period": 100_000, "burst": 20_000}));
        c.up()?;
        let file = if cgroup::pure_v2() { "cpu.max.burst" } else { "cpu.cfs_burst_us" };
        Need::File(&c.cgroup("cpu")?.join(file).display().to_string()).check()?;
        same(file, host::read(c.cgroup("cpu")?.join(file)).as_str(), "20000")
    })
    .note("newer than Debian's crun and runc"),
    case("cpu-idle", |c| {
        c.set("/linux/resources/cpu/idle", json!(1));
        c.up()?;
        Need::File(&c.cgroup("cpu")?.join("cpu.idle").display().to_string()).check()?;
        same("cpu.idle", host::read(c.cgroup("cpu")?.join("cpu.idle")).as_str(), "1")
    }),
    case("cpuset-cpus", |c| {
        read(c, "/cpu/cpus", json!("0"), "cpuset", "cpuset.cpus", "cpuset.cpus", "0")?;
        same("allowed CPUs", c.exec_sh("grep Cpus_allowed_list /proc/self/status")?.as_str(), "Cpus_allowed_list:\t0")
    }),
    case("cpuset-mems", |c| read(c, "/cpu/mems", json!("0"), "cpuset", "cpuset.mems", "cpuset.mems", "0")),
    case("cpuset-of-no-such-cpu-is-refused", |c| {
        c.set("/linux/resources/cpu/cpus", json!("4000"));
        c.create_refused().map(drop)
    })
    .needs(&[Need::Controller("cpuset")]),
    case("cpuset-that-is-no-list-is-refused", |c| {
        c.set("/linux/resources/cpu/cpus", json!("zero"));
        c.create_refused().map(drop)
    })
    .needs(&[Need::Controller("cpuset")]),
    case("cpu-real-time-budget", |c| {
        must_have_rt()?;
        c.set("/linux/resources/cpu", json!({"realtimeRuntime": 5000, "realtimePeriod": 1_000_000}));
        c.up()?;
        same("cpu.rt_runtime_us", c.cgroup_file("cpu", "cpu.rt_runtime_us", "")?.as_str(), "5000")
    })
    .needs(&[Need::V1("cpu")]),
    case("pids-limit", |c| read(c, "/pids/limit", json!(17), "pids", "pids.max", "pids.max", "17")),
    case("pids-limit-minus-one-is-no-limit", |c| {
        read(c, "/pids/limit", json!(-1), "pids", "pids.max", "pids.max", "max")
    }),
    case("pids-limit-is-enforced", |c| {
        c.set("/linux/resources/pids/limit", json!(4));
        c.script("for i in 1 2 3 4 5 6 7 8; do sleep 1 & done 2>&1; wait");
        let output = c.run()?;
        mentions("output", &format!("{}{}", output.stdout, output.stderr), &["can't fork", "temporarily unavailable"])
    })
    .needs(&[Need::Controller("pids")]),
    case("blkio-weight", |c| {
        Need::Controller(if cgroup::pure_v2() { "io" } else { "blkio" }).check()?;
        c.set("/linux/resources/blockIO/weight", json!(300));
        let output = c.create_with(&[])?;
        if output.code != 0 && output.stderr.contains("weight") {
            return crate::harness::skip("no weights for block devices here (no bfq)");
        }
        output.succeeded()?;
        let dir = c.cgroup(if cgroup::pure_v2() { "io" } else { "blkio" })?;
        let found =
            ["blkio.bfq.weight", "blkio.weight", "io.bfq.weight", "io.weight"].map(|file| host::read(dir.join(file)));
        must(
            found.iter().any(|text| text.ends_with("300") || text.ends_with("2930")),
            format_args!("weights {found:?}"),
        )
    }),
    case("blkio-throttle", |c| {
        let controller = if cgroup::pure_v2() { "io" } else { "blkio" };
        Need::Controller(controller).check()?;
        let (major, minor) = block_device()?;
        c.set(
            "/linux/resources/blockIO/throttleReadBpsDevice",
            json!([{"major": major, "minor": minor, "rate": 1_048_576}]),
        );
        c.up()?;
        let file =
            c.cgroup(controller)?.join(if cgroup::pure_v2() { "io.max" } else { "blkio.throttle.read_bps_device" });
        let text = host::read(&file);
        mentions("throttle", &text, &[&format!("{major}:{minor} 1048576"), &format!("{major}:{minor} rbps=1048576")])
    }),
    case("hugetlb-limit", |c| {
        c.set("/linux/resources/hugepageLimits", json!([{"pageSize": "2MB", "limit": 4_194_304}]));
        c.up()?;
        let (v1, v2) = ("hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.max");
        let dir = c.cgroup("hugetlb")?;
        let text = [v1, v2].map(|file| host::read(dir.join(file))).join("");
        same("limit", text.as_str(), "4194304")
    })
    .needs(&[Need::Controller("hugetlb")])
    .note("the v2 half of a hybrid layout is beyond Debian's runc"),
    case("hugetlb-of-no-such-size-is-refused", |c| {
        c.set("/linux/resources/hugepageLimits", json!([{"pageSize": "3MB", "limit": 4_194_304}]));
        c.create_refused().map(drop)
    })
    .needs(&[Need::Controller("hugetlb")]),
    case("network-class", |c| {
        read(c, "/network/classID", json!(1_048_577), "net_cls", "net_cls.classid", "", "1048577")
    })
    .needs(&[Need::V1("net_cls")]),
    case("network-priority", |c| {
        c.set("/linux/resources/network/priorities", json!([{"name": "lo", "priority": 4}]));
        c.up()?;
        mentions("net_prio.ifpriomap", &c.cgroup_file("net_prio", "net_prio.ifpriomap", "")?, &["lo 4"])
    })
    .needs(&[Need::V1("net_prio")]),
    case("unified-on-v2", |c| {
        c.set("/linux/resources/unified", json!({"pids.max": "23", "memory.high": "33554432"}));
        c.up()?;
        same("pids.max", c.cgroup_file("pids", "", "pids.max")?.as_str(), "23")?;
        same("memory.high", c.cgroup_file("memory", "", "memory.high")?.as_str(), "33554432")
    })
    .needs(&[Need::V2]),
    case("unified-on-v1-is-refused", |c| {
        if cgroup::pure_v2() {
            return crate::harness::skip("cgroup v2 here");
        }
        c.set("/linux/resources/unified", json!({"pids.max": "23"}));
        c.create_refused().map(drop)
    })
    .note("crun ignores it on v1"),
    case("rdma", |c| {
        c.set("/linux/resources/rdma", json!({"mlx5_1": {"hcaHandles": 3}}));
        let output = c.create_with(&[])?;
        if output.code != 0 && output.stderr.contains("ENODEV") {
            return crate::harness::skip("no RDMA device is called mlx5_1 here");
        }
        output.succeeded().map(drop)
    })
    .needs(&[Need::Controller("rdma")]),
    case("limits-apply-to-exec", |c| {
        c.set("/linux/resources/pids/limit", json!(40));
        c.up()?;
        let pids = c.cgroup("pids")?;
        let file = c.dir.join("pid").display().to_string();
        c.exec_with(&["--detach", "--pid-file", &file], &["sleep", "1000"])?.succeeded()?;
        must(host::read(pids.join("cgroup.procs")).lines().any(|line| line == host::read(&file)), "exec is elsewhere")
    })
    .needs(&[Need::Controller("pids")]),
    case("pause-stops-and-resume-goes-on", |c| {
        let shared = c.folder("shared")?;
        c.mount("/mnt", "bind", &shared, &["bind"]);
        c.up_script("while :; do echo x >> /mnt/ticks; sleep 0.01; done")?;
        let ticks = || std::fs::metadata(shared.join("ticks")).map_or(0, |meta| meta.len());
        let moves = |before: u64| {
            let moved = || (ticks() > before).then_some(());
            crate::harness::call::eventually("ticks", moved)
        };
        moves(0)?;
        c.rt(&["pause", &c.id])?.succeeded()?;
        let before = ticks();
        std::thread::sleep(std::time::Duration::from_millis(150));
        same("ticks while paused", ticks(), before)?;
        c.rt(&["resume", &c.id])?.succeeded()?;
        moves(before)
    }),
    case("resume-running-is-refused", |c| {
        c.up()?;
        c.rt(&["resume", &c.id])?.refused().map(drop)
    })
    .note("crun resumes a running container without a word"),
    case("pause-stopped-is-refused", |c| {
        c.up_script("true")?;
        c.wait_for("stopped")?;
        c.rt(&["pause", &c.id])?.refused().map(drop)
    }),
];

/// Sets a resource and reads it back from the cgroup file of the layout.
fn read(c: &mut Container, pointer: &str, value: Value, controller: &str, v1: &str, v2: &str, want: &str) -> Verdict {
    Need::Controller(controller).check()?;
    c.set(&format!("/linux/resources{pointer}"), value);
    c.up()?;
    same(pointer, c.cgroup_file(controller, v1, v2)?.as_str(), want)
}

fn must_have_rt() -> Verdict {
    if host::rt_group_sched() { Ok(()) } else { crate::harness::skip("no RT_GROUP_SCHED here") }
}

/// Major and minor number of a whole disk.
fn block_device() -> Verdict<(u64, u64)> {
    let entries = std::fs::read_dir("/sys/block").or_fail("/sys/block")?;
    let numbers = entries.flatten().map(|entry| host::read(entry.path().join("dev")));
    let mut pairs = numbers.filter_map(|text| {
        let (major, minor) = text.split_once(':')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    });
    pairs.next().map_or_else(|| crate::harness::skip("no block device here"), Ok)
}
