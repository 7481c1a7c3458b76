//! The process: user, environment, limits, what it inherits.

use nix::sys::signal::{SigHandler, Signal};
use serde_json::json;

use crate::harness::case::{OrFail, must, same};
use crate::harness::kernel::{namespace, status_field};
use crate::harness::{Case, Container, Need, Verdict, case};

/// See the file's head.
pub const CASES: &[Case] = &[
    case("uid-and-gid", |c| {
        c.set("/process/user", json!({"uid": 1000, "gid": 100}));
        c.sh_is("id -u; id -g", "1000\n100")
    }),
    case("additional-gids", |c| {
        c.set("/process/user/additionalGids", json!([5, 6, 4000]));
        c.sh_is("id -G", "0 5 6 4000")
    }),
    case("no-groups-of-the-caller", |c| c.sh_is("grep Groups /proc/self/status", "Groups:")),
    case("umask", |c| {
        c.set("/process/user/umask", json!(0o27));
        c.sh_is("umask", "0027")
    }),
    case("umask-default", |c| c.sh_is("umask", "0022")),
    case("cwd", |c| {
        c.set("/process/cwd", json!("/tmp"));
        c.sh_is("pwd", "/tmp")
    }),
    case("cwd-is-made", |c| {
        c.set("/root/readonly", json!(false));
        c.set("/process/cwd", json!("/srv/new/one"));
        c.sh_is("pwd", "/srv/new/one")
    }),
    case("cwd-of-a-user", |c| {
        let dir = c.inside("/home/own");
        std::fs::create_dir(&dir).or_fail("make folder")?;
        std::os::unix::fs::chown(&dir, Some(1000), Some(1000)).or_fail("chown")?;
        std::fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o700)).or_fail("chmod")?;
        c.set("/process/user", json!({"uid": 1000, "gid": 1000}));
        c.set("/process/cwd", json!("/home/own"));
        c.sh_is("pwd", "/home/own")
    }),
    case("env-is-exactly-that", |c| {
        c.set("/process/env", json!(["PATH=/bin", "A=b=c", "EMPTY=", "HOME=/h"]));
        c.args(&["env"]);
        let text = c.run()?.succeeded()?.stdout;
        let mut lines: Vec<&str> = text.trim().lines().collect();
        lines.sort_unstable();
        same("environment", lines, vec!["A=b=c", "EMPTY=", "HOME=/h", "PATH=/bin"])
    }),
    case("home-from-passwd", |c| {
        c.set("/process/user", json!({"uid": 1000, "gid": 1000}));
        c.sh_is("echo $HOME", "/home")
    }),
    case("env-without-path", |c| {
        c.set("/process/env", json!(["A=1"]));
        c.args(&["/bin/sh", "-c", "echo $A"]);
        same("stdout", c.run()?.succeeded()?.stdout.trim(), "1")
    }),
    case("nofile-limit", |c| limit(c, "RLIMIT_NOFILE", 300, 600, "ulimit -n; ulimit -Hn", "300\n600")),
    case("core-limit", |c| limit(c, "RLIMIT_CORE", 0, 0, "ulimit -c; ulimit -Hc", "0\n0")),
    case("stack-limit", |c| limit(c, "RLIMIT_STACK", 1 << 20, 2 << 20, "ulimit -s; ulimit -Hs", "1024\n2048")),
    case("address-space-limit", |c| limit(c, "RLIMIT_AS", 1 << 30, 1 << 30, "ulimit -v", "1048576")),
    case("file-size-limit", |c| limit(c, "RLIMIT_FSIZE", 512_000, 512_000, "ulimit -f", "1000")),
    case("process-count-limit", |c| {
        limit(
            c,
            "RLIMIT_NPROC",
            900,
            1000,
            "grep processes /proc/self/limits | tr -s ' '",
            "Max processes 900 1000 processes",
        )
    }),
    case("unlimited-limit", |c| {
        limit(
            c,
            "RLIMIT_CPU",
            u64::MAX,
            u64::MAX,
            "grep 'Max cpu time' /proc/self/limits | tr -s ' '",
            "Max cpu time unlimited unlimited seconds",
        )
    }),
    case("raised-limit", |c| {
        limit(
            c,
            "RLIMIT_MSGQUEUE",
            1_000_000,
            2_000_000,
            "grep msgqueue /proc/self/limits | tr -s ' '",
            "Max msgqueue size 1000000 2000000 bytes",
        )
    })
    .needs(&[Need::Capability("CAP_SYS_RESOURCE", 24)]),
    case("limit-above-the-hard-one-without-cap-sys-resource", |c| {
        if Need::Capability("CAP_SYS_RESOURCE", 24).check().is_ok() {
            return crate::harness::skip("the suite has CAP_SYS_RESOURCE");
        }
        c.set("/process/rlimits", json!([{"type": "RLIMIT_NOFILE", "soft": 1 << 20, "hard": 1 << 20}]));
        c.create_refused().map(drop)
    }),
    case("no-new-privileges-on", |c| c.sh_is("grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t1")),
    case("no-new-privileges-off", |c| {
        c.set("/process/noNewPrivileges", json!(false));
        c.sh_is("grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t0")
    }),
    case("oom-score-adj", |c| {
        c.set("/process/oomScoreAdj", json!(500));
        c.sh_is("cat /proc/self/oom_score_adj", "500")
    }),
    case("hostname", |c| {
        c.set("/hostname", json!("wall"));
        c.sh_is("hostname", "wall")
    }),
    case("domainname", |c| {
        c.set("/domainname", json!("example.org"));
        c.sh_is("cat /proc/sys/kernel/domainname", "example.org")
    })
    .note("newer than Debian's runc"),
    case("personality-32-bit", |c| {
        c.set("/linux/personality", json!({"domain": "LINUX32"}));
        let want = if cfg!(target_arch = "x86_64") { "i686" } else { "armv8l" };
        c.sh_is("uname -m", want)
    })
    .note("newer than Debian's runc"),
    case("arguments-are-passed-as-they-are", |c| {
        c.args(&["printf", "%s|", "a b", "", "ü", "$X", "-n"]);
        same("stdout", c.run()?.succeeded()?.stdout.as_str(), "a b||ü|$X|-n|")
    }),
    case("no-descriptor-leaks", |c| {
        c.args(&["ls", "/proc/self/fd"]);
        same("descriptors", c.run()?.succeeded()?.stdout.trim(), "0\n1\n2\n3")
    })
    .note("3 is ls's own"),
    case("signals-are-at-their-defaults", |c| {
        // As a shell does for what it starts with `&`, and nohup.
        for signal in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP, Signal::SIGPIPE] {
            // SAFETY: no code runs at an ignored signal, and this process is the case's alone.
            unsafe { nix::sys::signal::signal(signal, SigHandler::SigIgn) }.or_fail("ignore a signal")?;
        }
        let pid = c.up_script("exec sleep 1000")?;
        // Signals 32 and 33 are the C library's own, which posix_spawn(3) leaves ignored.
        let ordinary = |set: &str| u64::from_str_radix(set, 16).ok().map(|set| set & !(3 << 31));
        let inside = c.exec_sh("exec sed -n 's/SigIgn:.//p' /proc/self/status")?;
        same("ignored by exec's process", ordinary(inside.trim()), Some(0))?;
        let ignored = || ordinary(&status_field(pid, "SigIgn").ok()?);
        let plain = || ignored().filter(|set| *set == 0);
        let what = format!("no ignored signal in {:x?}", ignored());
        crate::harness::call::eventually(&what, plain)?;
        same("SigBlk", status_field(pid, "SigBlk")?.as_str(), "0000000000000000")
    }),
    case("the-dev-null-that-it-was-given-keeps-its-owner", |c| {
        use std::os::unix::fs::MetadataExt;
        c.user_namespace(&[(0, 100_000, 1000)]);
        c.set("/process/user", json!({"uid": 7, "gid": 7}));
        c.run()?.succeeded()?;
        let null = crate::harness::call::null(&c.out()).or_fail("null device")?;
        same("owner", null.metadata().or_fail("null device")?.uid(), 0)
    })
    .note("a runtime hands the terminal to the user, and must not hand over the host's /dev/null"),
    case("standard-streams-can-be-opened-again-by-the-user", |c| {
        c.set("/process/user", json!({"uid": 1000, "gid": 1000}));
        c.sh_is("echo again >> /dev/stdout", "again")
    }),
    case("is-a-session-leader", |c| {
        c.args(&["cat", "/proc/self/stat"]);
        let text = c.run()?.succeeded()?.stdout;
        let fields: Vec<&str> = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        same("session", fields.get(3).copied(), Some("1"))
    }),
    case("is-process-1-of-its-namespace", |c| c.sh_is("echo $$", "1")),
    case("working-directory-is-inside-the-root", |c| {
        c.args(&["readlink", "/proc/self/cwd"]);
        same("cwd", c.run()?.succeeded()?.stdout.trim(), "/")
    }),
    case("cwd-through-a-descriptor-of-the-runtime-is-refused", |c| {
        for fd in 3..12 {
            c.set("/process/cwd", json!(format!("/proc/self/fd/{fd}")));
            c.script("pwd; ls ../../../../etc/os-release");
            must(c.run()?.code != 0, format_args!("cwd /proc/self/fd/{fd} leads out of the container"))?;
        }
        Ok(())
    })
    .note("CVE-2024-21626"),
    case("the-runtime-is-not-visible-after-exec", |c| {
        let pid = c.up()?;
        let exe = || std::fs::read_link(format!("/proc/{pid}/exe")).ok().filter(|path| path.ends_with("busybox"));
        crate::harness::call::eventually("busybox as exe", exe)?;
        must(namespace(pid, "mnt")? != namespace("self", "mnt")?, "the host's mount namespace")
    }),
];

fn limit(c: &mut Container, kind: &str, soft: u64, hard: u64, script: &str, want: &str) -> Verdict {
    c.set("/process/rlimits", json!([{"type": kind, "soft": soft, "hard": hard}]));
    c.sh_is(script, want)
}
