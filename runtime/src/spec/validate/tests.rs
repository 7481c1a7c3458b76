use super::{id, validate};
use crate::spec::parse;
use serde_json::{Value, json};
use std::path::Path;

/// A configuration that is right: each case changes one thing.
fn base() -> Value {
    json!({
        "ociVersion": "1.3.0", "root": {"path": "/"},
        "process": {"args": ["sh"], "cwd": "/", "env": ["PATH=/bin"]},
        "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}]}
    })
}

/// The base with `value` at `pointer` (RFC 6901; objects on the way are made).
fn with(changes: &[(&str, Value)]) -> Value {
    let mut config = base();
    for (pointer, value) in changes {
        let mut at = &mut config;
        for key in pointer.split('.') {
            at = match key.parse::<usize>() {
                Ok(index) => &mut at[index],
                Err(_) => &mut at[key],
            };
        }
        *at = value.clone();
    }
    config
}

fn outcome(config: &Value) -> Result<Vec<String>, String> {
    let spec = parse(config.to_string().as_bytes(), "config.json").map_err(|error| error.to_string())?;
    validate(&spec, Path::new("/")).map_err(|error| error.to_string())
}

#[test]
fn every_rule_names_its_field() {
    let namespaces = |kinds: &[&str]| Value::from(kinds.iter().map(|kind| json!({ "type": kind })).collect::<Vec<_>>());
    let line = |inside: u32, outside: u32, size: u32| json!({"containerID": inside, "hostID": outside, "size": size});
    let cases: Vec<(&str, Value, &str)> = vec![
        ("ociVersion", json!("2.0.0"), "ociVersion: \"2.0.0\""),
        ("ociVersion", json!("1."), "ociVersion: \"1.\""),
        ("root", json!(null), "root.path: is required"),
        ("root.path", json!(""), "root.path: is required"),
        ("root.path", json!("no-such-root"), "root.path: \"/no-such-root\" is not an existing directory"),
        ("root.path", json!("a\0b"), "root.path: contains a NUL byte"),
        ("process.args", json!([]), "process.args: is required"),
        ("process.args", json!([""]), "process.args: is required"),
        ("process.args", json!(["a\0"]), "process.args: contains a NUL"),
        ("process.cwd", json!(""), "process.cwd: is required"),
        ("process.cwd", json!("tmp"), "process.cwd: \"tmp\" must be an absolute path"),
        ("process.env", json!(["A=1", "B"]), "process.env[1]: \"B\" must be NAME=value"),
        ("process.env", json!(["=x"]), "process.env[0]: \"=x\""),
        ("process.env", json!([""]), "process.env[0]: \"\""),
        ("process.env", json!(["A=\0"]), "process.env[0]: contains a NUL"),
        ("process.rlimits", json!([{"type": "RLIMIT_NOFIL", "soft": 1, "hard": 1}]), "did you mean \"RLIMIT_NOFILE\""),
        ("process.rlimits", json!([{"type": "RLIMIT_AS", "soft": 2, "hard": 1}]), "soft limit 2 is above"),
        (
            "process.rlimits",
            json!([{"type": "RLIMIT_AS", "soft": 1, "hard": 1}, {"type": "RLIMIT_AS", "soft": 1, "hard": 1}]),
            "process.rlimits[1]: RLIMIT_AS is there more than once",
        ),
        ("process.oomScoreAdj", json!(1001), "process.oomScoreAdj: 1001 is not within -1000 to 1000"),
        ("process.user.umask", json!(0o1000), "process.user.umask: 512"),
        ("process.ioPriority", json!({"class": "IOPRIO_CLASS_BE", "priority": 8}), "process.ioPriority.priority: 8"),
        ("process.execCPUAffinity", json!({"initial": "3-1"}), "process.execCPUAffinity.initial: \"3-1\""),
        ("process.scheduler", json!({"policy": "SCHED_FIFO"}), "process.scheduler.priority (SCHED_FIFO): 0"),
        ("process.scheduler", json!({"policy": "SCHED_RR", "priority": 100}), "100 is not within 1 to 99"),
        ("process.scheduler", json!({"policy": "SCHED_OTHER", "priority": 1}), "SCHED_OTHER: priority is for"),
        ("process.scheduler", json!({"policy": "SCHED_OTHER", "nice": 20}), "process.scheduler.nice: 20"),
        ("process.scheduler", json!({"policy": "SCHED_ISO"}), "SCHED_ISO: the kernel has the name only"),
        ("process.scheduler", json!({"policy": "SCHED_OTHER", "runtime": 1}), "for SCHED_DEADLINE only"),
        ("process.scheduler", json!({"policy": "SCHED_DEADLINE", "runtime": 9}), "1024 ns or more"),
        (
            "process.scheduler",
            json!({"policy": "SCHED_DEADLINE", "runtime": 3000, "deadline": 2000, "period": 4000}),
            "runtime ≤ deadline ≤ period",
        ),
        (
            "process.scheduler",
            json!({"policy": "SCHED_OTHER", "flags": ["SCHED_RESET_ON_FORK"]}),
            "did you mean \"SCHED_FLAG_RESET_ON_FORK\"",
        ),
        ("process.scheduler", json!({"policy": "SCHED_FIFE"}), "process.scheduler.policy: unknown variant"),
        ("hostname", json!("x"), "hostname: needs a uts namespace"),
        ("domainname", json!("x"), "domainname: needs a uts namespace"),
        ("mounts", json!([{"destination": ""}]), "mounts[0].destination: is required"),
        ("mounts", json!([{"destination": "/a\0"}]), "mounts[0].destination: contains a NUL"),
        ("mounts", json!([{"destination": "/a", "options": ["bind"]}]), "mounts[0].source: is required"),
        ("mounts", json!([{"destination": "/a", "options": ["idmap"]}]), "idmap: needs a user namespace"),
        (
            "mounts",
            json!([{"destination": "/a", "source": "/", "options": ["bind"], "uidMappings": [line(0, 1, 1)]}]),
            "mounts[0].gidMappings: is required",
        ),
        ("hooks", json!({"prestart": [{"path": "x"}]}), "hooks.prestart[0].path: \"x\" must be an absolute path"),
        ("hooks", json!({"poststop": [{"path": "/x", "timeout": 0}]}), "hooks.poststop[0].timeout: 0"),
        ("annotations", json!({"org.rtrun.sched.polcy": "x"}), "did you mean \"org.rtrun.sched.policy\""),
        ("annotations", json!({"org.rtrun.cpus": "x"}), "annotations: org.rtrun.cpus: \"x\": "),
        ("annotations", json!({"": "1"}), "annotations: a key: is required"),
        ("linux.namespaces", namespaces(&["pid", "pid"]), "linux.namespaces[1]: pid is there more than once"),
        ("linux.namespaces", json!([{"type": "pid", "path": "x"}]), "linux.namespaces[0].path: \"x\" must be"),
        ("linux.namespaces", namespaces(&["user"]), "linux.uidMappings: is required"),
        ("linux.uidMappings", json!([line(0, 1000, 1)]), "linux.uidMappings: needs a user namespace"),
        ("linux.sysctl", json!({"kernel.sem": "1"}), "\"kernel.sem\" belongs to the ipc namespace"),
        ("linux.sysctl", json!({"fs/mqueue/msg_max": "1"}), "belongs to the ipc namespace"),
        ("linux.sysctl", json!({"net.ipv4.ip_forward": "1"}), "belongs to the network namespace"),
        ("linux.sysctl", json!({"user.max_user_namespaces": "1"}), "belongs to the user namespace"),
        ("linux.sysctl", json!({"kernel.domainname": "x"}), "belongs to the uts namespace"),
        ("linux.sysctl", json!({"vm.swappiness": "1"}), "belongs to no namespace"),
        ("linux.sysctl", json!({"net/../vm/swappiness": "1"}), "is no kernel parameter"),
        ("linux.timeOffsets", json!({"monotonic": {"secs": 1}}), "linux.timeOffsets: needs a time namespace"),
        ("linux.devices", json!([{"path": "x", "type": "c", "major": 1, "minor": 3}]), "linux.devices[0].path"),
        ("linux.devices", json!([{"path": "/x", "type": "a", "major": 1, "minor": 3}]), "linux.devices[0].type"),
        ("linux.devices", json!([{"path": "/x", "type": "c", "major": -1, "minor": 3}]), "linux.devices[0].major: -1"),
        ("linux.devices", json!([{"path": "/x", "type": "b", "major": 1, "minor": 1 << 20}]), "linux.devices[0].minor"),
        ("linux.netDevices", json!({"eth0": {}}), "linux.netDevices: needs a network namespace"),
        ("linux.cgroupsPath", json!("/a/../../b"), "linux.cgroupsPath: \"/a/../../b\": must not climb"),
        ("linux.rootfsPropagation", json!("privat"), "did you mean \"private\""),
        ("linux.maskedPaths", json!(["proc/kcore"]), "linux.maskedPaths: \"proc/kcore\" must be an absolute"),
        ("linux.personality", json!({"domain": "LINUX", "flags": ["X"]}), "linux.personality.flags"),
        ("linux.intelRdt", json!({"closID": "a/b"}), "linux.intelRdt.closID: \"a/b\""),
        ("linux.intelRdt", json!({"memBwSchema": "L3:0=1"}), "linux.intelRdt.memBwSchema"),
        ("linux.intelRdt", json!({"schemata": ["x"]}), "linux.intelRdt.schemata"),
        ("linux.memoryPolicy", json!({"mode": "MPOL_BIND"}), "linux.memoryPolicy.nodes: is required"),
        ("linux.memoryPolicy", json!({"mode": "MPOL_LOCAL", "nodes": "0"}), "linux.memoryPolicy.nodes: can't be"),
        ("linux.memoryPolicy", json!({"mode": "MPOL_BIND", "nodes": "a"}), "linux.memoryPolicy.nodes: \"a\""),
        (
            "linux.memoryPolicy",
            json!({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC"]}),
            "did you mean \"MPOL_F_STATIC_NODES\"",
        ),
        (
            "linux.memoryPolicy",
            json!({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"]}),
            "can't be combined with MPOL_F_RELATIVE_NODES",
        ),
        ("linux.seccomp", json!({"defaultAction": "SCMP_ACT_NOTIFY"}), "linux.seccomp.defaultAction"),
        ("linux.seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["LOG"]}), "linux.seccomp.flags"),
        (
            "linux.seccomp",
            json!({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4096}),
            "linux.seccomp.defaultErrnoRet: 4096",
        ),
        (
            "linux.seccomp",
            json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x"}),
            "linux.seccomp.listenerMetadata",
        ),
        ("linux.resources", json!({"devices": [{"allow": true, "access": "rwx"}]}), "devices[0].access: \"rwx\""),
        ("linux.resources", json!({"memory": {"swappiness": 101}}), "linux.resources.memory.swappiness: 101"),
        ("linux.resources", json!({"memory": {"limit": 10, "swap": 5}}), "linux.resources.memory.swap: 5"),
        ("linux.resources", json!({"cpu": {"cpus": "0-"}}), "linux.resources.cpu.cpus: \"0-\""),
        ("linux.resources", json!({"cpu": {"idle": 2}}), "linux.resources.cpu.idle: 2"),
        ("linux.resources", json!({"blockIO": {"weight": 5}}), "linux.resources.blockIO.weight: 5"),
        ("linux.resources", json!({"hugepageLimits": [{"pageSize": "2", "limit": 1}]}), "hugepageLimits[0].pageSize"),
        ("linux.resources", json!({"unified": {"../x": "1"}}), "linux.resources.unified: \"../x\""),
    ];
    for (pointer, value, expected) in cases {
        let config = with(&[(pointer, value)]);
        let message = outcome(&config).expect_err(pointer);
        assert!(message.contains(expected), "{pointer}: {message:?} lacks {expected:?}");
    }
}

#[test]
fn rules_across_fields() {
    let user = json!([{"type": "user"}, {"type": "mount"}]);
    let map = |lines: &[(u32, u32, u32)]| {
        let lines: Vec<_> = lines.iter().map(|(c, h, n)| json!({"containerID": c, "hostID": h, "size": n})).collect();
        Value::from(lines)
    };
    let mapped = |uids: &[(u32, u32, u32)]| {
        with(&[
            ("linux.namespaces", user.clone()),
            ("linux.uidMappings", map(uids)),
            ("linux.gidMappings", map(&[(0, 9, 9)])),
        ])
    };
    assert_eq!(outcome(&mapped(&[(0, 100_000, 65_536)])), Ok(vec![]));
    let refused = |uids: &[(u32, u32, u32)], expected: &str| {
        let message = outcome(&mapped(uids)).unwrap_err();
        assert!(message.contains(expected), "{message:?} lacks {expected:?}");
    };
    refused(&[(0, 1, 0)], "linux.uidMappings[0].size: 0");
    refused(&[(0, u32::MAX, 9)], "linux.uidMappings[0].size: 9");
    refused(&[(0, 1, 10), (9, 100, 10)], "container IDs of mapping 1 overlap those of mapping 0");
    refused(&[(0, 1, 10), (10, 5, 10)], "host IDs of mapping 1 overlap those of mapping 0");
    refused(&[(5, 1, 10)], "process.user.uid: 0 is in no line of linux.uidMappings");

    let time = json!([{"type": "time"}]);
    let nanosecs = json!({"boottime": {"nanosecs": 1_000_000_000}});
    let message = outcome(&with(&[("linux.namespaces", time), ("linux.timeOffsets", nanosecs)])).unwrap_err();
    assert!(message.contains("linux.timeOffsets.boottime.nanosecs"), "{message}");
    let joined = json!([{"type": "time", "path": "/proc/1/ns/time"}]);
    let offset = json!({"boottime": {"secs": 1}});
    let message = outcome(&with(&[("linux.namespaces", joined), ("linux.timeOffsets", offset)])).unwrap_err();
    assert!(message.contains("joined by path"), "{message}");

    let masked = with(&[("linux.namespaces", json!([{"type": "pid"}])), ("linux.maskedPaths", json!(["/x"]))]);
    assert!(outcome(&masked).unwrap_err().contains("linux.maskedPaths: needs a mount namespace"));

    let network = json!([{"type": "network"}, {"type": "uts"}]);
    for (name, expected) in [("a/b", "is no interface name"), ("sixteen-bytes-xx", "is no interface name")] {
        let config = with(&[("linux.namespaces", network.clone()), ("linux.netDevices", json!({name: {}}))]);
        assert!(outcome(&config).unwrap_err().contains(expected), "{name}");
    }
    let template = json!({"eth0": {"name": "c%d"}});
    assert_eq!(outcome(&with(&[("linux.namespaces", network.clone()), ("linux.netDevices", template)])), Ok(vec![]));
    let hostname = json!({"kernel.hostname": "x"});
    let message = outcome(&with(&[("linux.namespaces", network.clone()), ("linux.sysctl", hostname)])).unwrap_err();
    assert!(message.contains("can't be combined with hostname"), "{message}");
    let own = json!({"net.ipv4.ip_forward": "1", "kernel.domainname": "d"});
    assert_eq!(outcome(&with(&[("linux.namespaces", network), ("linux.sysctl", own)])), Ok(vec![]));
    let callers = json!([{"type": "network", "path": "/proc/self/ns/net"}]);
    let key = json!({"net.ipv4.ip_forward": "1"});
    let message = outcome(&with(&[("linux.namespaces", callers), ("linux.sysctl", key)])).unwrap_err();
    assert!(message.contains("shares with the host"), "{message}");
}

#[test]
fn seccomp_rules() {
    let rule = |rule: Value| with(&[("linux.seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}))]);
    let cases = [
        (json!({"names": [], "action": "SCMP_ACT_KILL"}), "linux.seccomp.syscalls[0].names: is required"),
        (json!({"names": ["read"], "action": "SCMP_ACT_KILL", "errnoRet": 1}), "syscalls[0].errnoRet"),
        (json!({"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5000}), "errnoRet: 5000"),
        (json!({"names": ["read"], "action": "SCMP_ACT_TRACE", "errnoRet": 70000}), "errnoRet: 70000"),
        (json!({"names": ["read"], "action": "SCMP_ACT_NOTIFY"}), "needs linux.seccomp.listenerPath"),
        (
            json!({"names": ["read"], "action": "SCMP_ACT_KILL", "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]}),
            "syscalls[0].args[0].index: 6",
        ),
    ];
    for (value, expected) in cases {
        let message = outcome(&rule(value)).unwrap_err();
        assert!(message.contains(expected), "{message:?} lacks {expected:?}");
    }
    let notify = json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/s",
        "syscalls": [{"names": ["sendmsg"], "action": "SCMP_ACT_NOTIFY"}]});
    assert!(outcome(&with(&[("linux.seccomp", notify)])).unwrap_err().contains("sendmsg"));
}

#[test]
fn what_callers_write_is_accepted() {
    for version in ["1.0", "1.0.2-dev", "1.1.0", "1.3.0", "1.99.0"] {
        assert_eq!(outcome(&with(&[("ociVersion", json!(version))])), Ok(vec![]), "{version}");
    }
    assert_eq!(outcome(&with(&[("process", json!(null))])), Ok(vec![]));
    let default = serde_json::to_value(crate::spec::default(true)).unwrap();
    let warnings = outcome(&{
        let mut config = default;
        config["root"]["path"] = json!("/");
        config
    });
    assert_eq!(warnings, Ok(vec![]));
    let relative = json!([{"destination": "data", "type": "tmpfs"}]);
    assert_eq!(outcome(&with(&[("mounts", relative)])).unwrap().len(), 1);
}

#[test]
fn ids() {
    for good in ["a", "A-b_c.d+e", &"x".repeat(1024), "..."] {
        assert_eq!(id(good), Ok(()), "{good}");
    }
    for bad in ["", ".", "..", "a/b", "a b", "ä", "a\0", &"x".repeat(1025)] {
        assert!(id(bad).is_err(), "{bad:?}");
    }
}
