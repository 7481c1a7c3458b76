//! All eight namespaces, new, shared and by path; sysctls.

use serde_json::json;

use crate::harness::case::{OrFail, must, same};
use crate::harness::kernel::namespace;
use crate::harness::{Case, Container, Need, Verdict, case, host};

/// See the file's head.
pub const CASES: &[Case] = &[
    case("new-pid", |c| fresh(c, "pid", "pid")),
    case("new-network", |c| fresh(c, "network", "net")),
    case("new-mount", |c| fresh(c, "mount", "mnt")),
    case("new-ipc", |c| fresh(c, "ipc", "ipc")),
    case("new-uts", |c| fresh(c, "uts", "uts")),
    case("new-cgroup", |c| fresh(c, "cgroup", "cgroup")),
    case("new-user", |c| {
        c.user_namespace(&[(0, 100_000, 65_536)]);
        fresh(c, "", "user")
    }),
    case("new-time", |c| fresh(c, "time", "time")).needs(&[Need::Namespace("time")]).note("newer than Debian's runc"),
    case("host-pid", |c| shared(c, "pid", "pid")),
    case("host-network", |c| shared(c, "network", "net")),
    case("host-ipc", |c| {
        c.config["mounts"].as_array_mut().or_fail("mounts")?.retain(|mount| mount["type"] != "mqueue");
        shared(c, "ipc", "ipc")
    }),
    case("host-uts", |c| {
        c.remove("/hostname");
        shared(c, "uts", "uts")
    }),
    case("host-cgroup", |c| shared(c, "cgroup", "cgroup")),
    case("host-mount", |c| {
        only_on_the_host(c);
        let pid = c.up()?;
        same("mount namespace", namespace(pid, "mnt")?, namespace("self", "mnt")?)?;
        let seen = c.exec_sh("test -e /proc/self -a -c /dev/null -a -d /sys/kernel && touch /tmp/x && echo all")?;
        same("what the configuration mounts", seen.as_str(), "all")?;
        c.finish()?;
        c.nothing_left()
    })
    .note("runc and crun leave the mounts on the host"),
    case("host-mount-of-a-run-is-undone", |c| {
        only_on_the_host(c);
        c.sh_is("ls -d /proc/self", "/proc/self")?;
        c.nothing_left()
    })
    .note("runc and crun leave the mounts on the host"),
    case("host-mount-is-undone-when-create-fails", |c| {
        only_on_the_host(c);
        c.mount("/mnt", "no-such-filesystem", "none", &[]);
        c.create_refused().map(drop)
    })
    .note("runc and crun leave the mounts on the host"),
    case("path-network", |c| joined(c, "network", "net")),
    case("path-ipc", |c| joined(c, "ipc", "ipc")),
    case("path-uts", |c| {
        c.remove("/hostname");
        joined(c, "uts", "uts")
    }),
    case("path-pid", |c| joined(c, "pid", "pid")),
    case("path-cgroup", |c| joined(c, "cgroup", "cgroup")),
    case("path-time", |c| joined(c, "time", "time")).needs(&[Need::Namespace("time")]).note("newer than Debian's runc"),
    case("path-user", |c| {
        let holder = holder(c, &["--user"])?;
        for map in ["uid_map", "gid_map"] {
            std::fs::write(format!("/proc/{holder}/{map}"), "0 100000 65536").or_fail(map)?;
        }
        c.namespace("user", Some(&format!("/proc/{holder}/ns/user")));
        let pid = c.up()?;
        same("user namespace", namespace(pid, "user")?, namespace(holder, "user")?)?;
        same("id inside", c.exec_sh("id -u")?.as_str(), "0")
    }),
    case("path-user-and-network", |c| {
        let holder = holder(c, &["--user", "--net"])?;
        for map in ["uid_map", "gid_map"] {
            std::fs::write(format!("/proc/{holder}/{map}"), "0 100000 65536").or_fail(map)?;
        }
        c.namespace("user", Some(&format!("/proc/{holder}/ns/user")));
        c.namespace("network", Some(&format!("/proc/{holder}/ns/net")));
        let pid = c.up()?;
        same("network namespace", namespace(pid, "net")?, namespace(holder, "net")?)
    }),
    case("path-that-is-no-namespace-is-refused", |c| {
        c.namespace("network", Some("/etc/passwd"));
        c.create_refused().map(drop)
    }),
    case("path-of-another-kind-is-refused", |c| {
        c.namespace("network", Some("/proc/self/ns/uts"));
        c.create_refused().map(drop)
    }),
    case("path-that-is-missing-is-refused", |c| {
        c.namespace("network", Some("/nonexistent/ns"));
        c.create_refused().map(drop)
    }),
    case("time-offsets", |c| {
        c.namespace("time", None);
        c.set(
            "/linux/timeOffsets",
            json!({"boottime": {"secs": 1_000_000}, "monotonic": {"secs": 2000, "nanosecs": 5}}),
        );
        let up: f64 = c.sh("cut -d' ' -f1 /proc/uptime")?.parse().or_fail("uptime")?;
        must(up > 1_000_000.0, format_args!("uptime {up} has no offset"))
    })
    .needs(&[Need::Namespace("time")])
    .note("newer than Debian's runc"),
    case("network-has-loopback-up", |c| c.sh_is("ip link show lo | grep -c 'LOOPBACK,UP'", "1")),
    case("network-is-empty-otherwise", |c| {
        c.sh_is("ls /sys/class/net | grep -v -e bonding -e tunl -e sit | wc -l", "1")
    }),
    case("hostname-does-not-leak-out", |c| {
        let before = host::read("/proc/sys/kernel/hostname");
        c.set("/hostname", json!("inside-only"));
        c.sh_is("hostname", "inside-only")?;
        same("the host's name", host::read("/proc/sys/kernel/hostname"), before)
    }),
    case("cgroup-root-is-the-container", |c| {
        c.namespace("cgroup", None);
        c.sh_is("cut -d: -f3 /proc/self/cgroup | sort -u | head -1", "/")
    }),
    case("sysctl-network", |c| {
        c.set("/linux/sysctl", json!({"net.ipv4.ip_forward": "1"}));
        c.sh_is("cat /proc/sys/net/ipv4/ip_forward", "1")
    }),
    case("sysctl-ipc", |c| {
        c.set("/linux/sysctl", json!({"kernel.shm_rmid_forced": "1", "kernel.msgmax": "9999"}));
        c.sh_is("cat /proc/sys/kernel/shm_rmid_forced /proc/sys/kernel/msgmax", "1\n9999")
    }),
    case("sysctl-mqueue", |c| {
        c.set("/linux/sysctl", json!({"fs.mqueue.msg_max": "11"}));
        c.sh_is("cat /proc/sys/fs/mqueue/msg_max", "11")
    }),
    case("sysctl-of-the-host-is-refused", |c| {
        c.set("/linux/sysctl", json!({"vm.swappiness": "60"}));
        c.create_refused().map(drop)
    })
    .note("crun writes it"),
    case("sysctl-without-its-namespace-is-refused", |c| {
        c.no_namespace("network");
        c.set("/linux/sysctl", json!({"net.ipv4.ip_default_ttl": "64"}));
        c.create_refused().map(drop)
    })
    .note("crun writes the host's"),
];

/// The namespace is another than the suite's.
fn fresh(c: &mut Container, kind: &str, link: &str) -> Verdict {
    if !kind.is_empty() {
        c.namespace(kind, None);
    }
    let pid = c.up()?;
    must(namespace(pid, link)? != namespace("self", link)?, format_args!("{link} namespace is the host's"))
}

/// Without an entry the namespace is the suite's.
fn shared(c: &mut Container, kind: &str, link: &str) -> Verdict {
    c.no_namespace(kind);
    let pid = c.up()?;
    same(format_args!("{link} namespace"), namespace(pid, link)?, namespace("self", link)?)
}

/// No mount namespace, and none of what needs one.
fn only_on_the_host(c: &mut Container) {
    c.no_namespace("mount");
    c.set("/linux/maskedPaths", json!([]));
    c.set("/linux/readonlyPaths", json!([]));
    c.set("/root/readonly", json!(false));
}

/// With a path the namespace is that of a process which made it before.
fn joined(c: &mut Container, kind: &str, link: &str) -> Verdict {
    let holder = holder(c, &[&format!("--{link}")])?;
    c.namespace(kind, Some(&format!("/proc/{holder}/ns/{link}")));
    let pid = c.up()?;
    same(format_args!("{link} namespace"), namespace(pid, link)?, namespace(holder, link)?)
}

/// A process in new namespaces, made by `unshare`.
fn holder(c: &mut Container, flags: &[&str]) -> Verdict<i32> {
    let mut args: Vec<&str> = flags.to_vec();
    let forks = flags.iter().any(|flag| ["--pid", "--time"].contains(flag));
    if forks {
        args.push("--fork");
    }
    args.extend(["sleep", "1000"]);
    let running = crate::harness::call::Call::new("/usr/bin/unshare".as_ref(), args).spawn(&c.out())?;
    c.helper(running.pid());
    let pid = || {
        let parent = running.pid();
        let text = host::read(format!("/proc/{parent}/task/{parent}/children"));
        let pid = if forks { text.split_whitespace().next()?.parse().ok()? } else { parent };
        host::read(format!("/proc/{pid}/cmdline")).starts_with("sleep").then_some(pid)
    };
    let pid = crate::harness::call::eventually("a namespace to join", pid)?;
    c.helper(pid);
    Ok(pid)
}
