//! seccomp: every action, errno values, argument comparisons, flags, the notify listener, the 32-bit ABI.

use std::os::fd::{AsRawFd, OwnedFd};

use serde_json::{Value, json};

use crate::harness::case::{OrFail, must, same};
use crate::harness::{Case, Container, Need, Verdict, case, host, socket};

/// See the file's head.
pub const CASES: &[Case] = &[
    case("mode-is-filter", |c| {
        c.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW"}));
        c.set("/linux/seccomp/syscalls", rules(&["mkdir"], json!({"action": "SCMP_ACT_ERRNO"})));
        c.sh_is("grep ^Seccomp: /proc/self/status", "Seccomp:\t2")
    }),
    case("none-without-the-object", |c| c.sh_is("grep ^Seccomp: /proc/self/status", "Seccomp:\t0")),
    case("errno-default-is-eperm", |c| getpid(c, json!({"action": "SCMP_ACT_ERRNO"}), "EPERM")),
    case("errno-ret", |c| getpid(c, json!({"action": "SCMP_ACT_ERRNO", "errnoRet": 38}), "ENOSYS")),
    case("errno-ret-zero", |c| getpid(c, json!({"action": "SCMP_ACT_ERRNO", "errnoRet": 0}), "ok")),
    case("several-errno-values", |c| {
        let mut list = rules(&["getppid"], json!({"action": "SCMP_ACT_ERRNO", "errnoRet": 11}));
        let more = rules(&["getsid"], json!({"action": "SCMP_ACT_ERRNO", "errnoRet": 22}));
        list.as_array_mut().or_fail("rules")?.extend(more.as_array().cloned().unwrap_or_default());
        c.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": list}));
        let calls =
            format!("/bin/probe probe syscall {}; /bin/probe probe syscall {}", libc::SYS_getppid, libc::SYS_getsid);
        c.sh_is(&calls, "EAGAIN\nEINVAL")
    })
    .needs(&[Need::Probe]),
    case("default-errno-ret", |c| {
        c.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38}));
        let all = all_but_getppid(c)?;
        c.set("/linux/seccomp/syscalls", rules(&all, json!({"action": "SCMP_ACT_ALLOW"})));
        probe(c, &[libc::SYS_getppid], "ENOSYS")
    })
    .needs(&[Need::Probe]),
    case("allow-list", |c| {
        c.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ERRNO"}));
        let all = all_but_getppid(c)?;
        c.set("/linux/seccomp/syscalls", rules(&all, json!({"action": "SCMP_ACT_ALLOW"})));
        probe(c, &[libc::SYS_getppid], "EPERM")?;
        probe(c, &[libc::SYS_getsid], "ok")
    })
    .needs(&[Need::Probe]),
    case("kill-process", |c| ends(c, "SCMP_ACT_KILL_PROCESS", 159)),
    case("kill", |c| ends(c, "SCMP_ACT_KILL", 159)),
    case("kill-thread", |c| ends(c, "SCMP_ACT_KILL_THREAD", 159)),
    case("trap", |c| ends(c, "SCMP_ACT_TRAP", 159)),
    case("log", |c| getpid(c, json!({"action": "SCMP_ACT_LOG"}), "ok")),
    case("trace-without-tracer-is-enosys", |c| getpid(c, json!({"action": "SCMP_ACT_TRACE", "errnoRet": 1}), "ENOSYS")),
    case("allow", |c| getpid(c, json!({"action": "SCMP_ACT_ALLOW"}), "ok")),
    case("argument-equal", |c| compares(c, "SCMP_CMP_EQ", 7, 0, &[7], &[6, 8])),
    case("argument-not-equal", |c| compares(c, "SCMP_CMP_NE", 7, 0, &[6, 8], &[7])),
    case("argument-less", |c| compares(c, "SCMP_CMP_LT", 7, 0, &[6], &[7, 8])),
    case("argument-less-or-equal", |c| compares(c, "SCMP_CMP_LE", 7, 0, &[6, 7], &[8])),
    case("argument-greater", |c| compares(c, "SCMP_CMP_GT", 7, 0, &[8], &[7, 6])),
    case("argument-greater-or-equal", |c| compares(c, "SCMP_CMP_GE", 7, 0, &[8, 7], &[6])),
    case("argument-masked-equal", |c| compares(c, "SCMP_CMP_MASKED_EQ", 0xf0, 0x30, &[0x3f, 0x130], &[0x4f])),
    case("argument-64-bit", |c| compares(c, "SCMP_CMP_EQ", 0x1_0000_0007, 0, &[0x1_0000_0007], &[7])),
    case("arguments-must-all-match", |c| {
        let args =
            json!([{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 2, "op": "SCMP_CMP_EQ"}]);
        filter(c, "kcmp", args)?;
        probe(c, &[libc::SYS_kcmp, 1, 2], "EXDEV")?;
        must_differ(c, &[libc::SYS_kcmp, 1, 3])
    }),
    case("unknown-system-call-is-ignored", |c| {
        c.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW"}));
        c.set("/linux/seccomp/syscalls", rules(&["call_of_tomorrow", "mkdir"], json!({"action": "SCMP_ACT_ERRNO"})));
        c.run()?.succeeded().map(drop)
    }),
    case("unknown-action-is-refused", |c| {
        c.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_NONSENSE"}));
        c.create_refused().map(drop)
    }),
    case("unknown-operator-is-refused", |c| {
        let args = json!([{"index": 0, "value": 1, "op": "SCMP_CMP_NONSENSE"}]);
        c.set(
            "/linux/seccomp",
            json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls":
            [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "args": args}]}),
        );
        c.create_refused().map(drop)
    }),
    case("unknown-architecture-is-refused", |c| {
        c.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_NONSENSE"]}));
        c.create_refused().map(drop)
    }),
    case("architectures", |c| {
        let list = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"];
        c.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": list}));
        c.set(
            "/linux/seccomp/syscalls",
            rules(&["mkdir", "mkdirat"], json!({"action": "SCMP_ACT_ERRNO", "errnoRet": 95})),
        );
        c.sh_is("mkdir /dev/shm/x 2>&1 | grep -c 'not supported'", "1")
    }),
    case("32-bit-calls-are-filtered-too", |c| {
        needs_int80(c)?;
        c.set(
            "/linux/seccomp",
            json!({"defaultAction": "SCMP_ACT_ALLOW",
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]}),
        );
        c.set("/linux/seccomp/syscalls", rules(&["getppid"], json!({"action": "SCMP_ACT_ERRNO", "errnoRet": 38})));
        c.args(&["/bin/probe", "probe", "int80", "64"]);
        same("getppid by int 0x80", c.run()?.succeeded()?.stdout.trim(), "ENOSYS")
    }),
    case("32-bit-calls-of-an-unnamed-architecture-are-killed", |c| {
        needs_int80(c)?;
        c.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"]}));
        c.set("/linux/seccomp/syscalls", rules(&["getppid"], json!({"action": "SCMP_ACT_ERRNO", "errnoRet": 38})));
        c.script("/bin/probe probe int80 64 || echo ended");
        must(!c.run()?.stdout.contains("ok"), "a 32-bit call passed a filter for 64-bit calls")
    })
    .note("libseccomp's default for architectures that a filter does not name"),
    case("flag-log", |c| flag(c, "SECCOMP_FILTER_FLAG_LOG")),
    case("flag-spec-allow", |c| flag(c, "SECCOMP_FILTER_FLAG_SPEC_ALLOW")),
    case("flag-unknown-is-refused", |c| {
        c.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_NONSENSE"]}));
        c.create_refused().map(drop)
    }),
    case("without-no-new-privileges", |c| {
        c.set("/process/noNewPrivileges", json!(false));
        c.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW"}));
        c.set(
            "/linux/seccomp/syscalls",
            rules(&["mkdir", "mkdirat"], json!({"action": "SCMP_ACT_ERRNO", "errnoRet": 95})),
        );
        c.sh_is(
            "mkdir /dev/shm/x 2>&1 | grep -c 'not supported'; grep NoNewPrivs /proc/self/status",
            "1\nNoNewPrivs:\t0",
        )
    }),
    case("for-an-unprivileged-user", |c| {
        c.set("/process/user", json!({"uid": 1000, "gid": 1000}));
        c.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW"}));
        c.set(
            "/linux/seccomp/syscalls",
            rules(&["mkdir", "mkdirat"], json!({"action": "SCMP_ACT_ERRNO", "errnoRet": 95})),
        );
        c.sh_is("mkdir /dev/shm/x 2>&1 | grep -c 'not supported'", "1")
    }),
    case("notify-hands-the-listener-over", notify),
    case("notify-answers-a-call", answered),
    case("notify-without-listener-is-refused", |c| {
        c.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW"}));
        c.set("/linux/seccomp/syscalls", rules(&["mkdir"], json!({"action": "SCMP_ACT_NOTIFY"})));
        c.create_refused().map(drop)
    }),
    case("notify-with-absent-socket-is-refused", |c| {
        c.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/nonexistent/socket"}));
        c.set("/linux/seccomp/syscalls", rules(&["mkdir"], json!({"action": "SCMP_ACT_NOTIFY"})));
        c.write_config()?;
        must(c.run()?.code != 0, "a container started without its listener")
    }),
];

/// One rule for these calls.
fn rules(names: &[&str], rule: Value) -> Value {
    let mut rule = rule;
    rule["names"] = json!(names);
    json!([rule])
}

/// A probe's system call under the config as it is.
fn probe(c: &mut Container, numbers: &[i64], want: &str) -> Verdict {
    same(format_args!("system call {numbers:?}"), call(c, numbers)?.as_str(), want)
}

fn call(c: &mut Container, numbers: &[i64]) -> Verdict<String> {
    Need::Probe.check()?;
    let mut args = vec!["/bin/probe".to_string(), "probe".into(), "syscall".into()];
    args.extend(numbers.iter().map(i64::to_string));
    c.set("/process/args", json!(args));
    Ok(c.run()?.succeeded()?.stdout.trim().to_string())
}

fn must_differ(c: &mut Container, numbers: &[i64]) -> Verdict {
    let seen = call(c, numbers)?;
    must(seen != "EXDEV", format_args!("system call {numbers:?} was filtered"))
}

/// getppid under one rule.
fn getpid(c: &mut Container, rule: Value, want: &str) -> Verdict {
    c.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW"}));
    c.set("/linux/seccomp/syscalls", rules(&["getppid"], rule));
    probe(c, &[libc::SYS_getppid], want)
}

/// The process ends with SIGSYS at its getppid.
fn ends(c: &mut Container, action: &str, code: i32) -> Verdict {
    Need::Probe.check()?;
    c.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW"}));
    c.set("/linux/seccomp/syscalls", rules(&["getppid"], json!({"action": action})));
    let call = format!("/bin/probe probe syscall {}; echo $?", libc::SYS_getppid);
    // The shell itself may ask for its parent; the probe is then the process.
    c.script(&call);
    let shell = c.run()?;
    if shell.stdout.trim() == code.to_string() {
        return Ok(());
    }
    c.args(&["/bin/probe", "probe", "syscall", &libc::SYS_getppid.to_string()]);
    c.run()?.ended(code).map(drop)
}

/// kcmp with EXDEV where `args` match; kcmp takes any integers and is used by nothing else here.
fn filter(c: &mut Container, name: &str, args: Value) -> Verdict {
    Need::Probe.check()?;
    c.set(
        "/linux/seccomp",
        json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls":
        [{"names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": libc::EXDEV, "args": args}]}),
    );
    Ok(())
}

fn compares(c: &mut Container, op: &str, value: u64, two: u64, hits: &[i64], misses: &[i64]) -> Verdict {
    // The third argument is kcmp's type, which no number here makes a privileged one.
    filter(c, "kcmp", json!([{"index": 3, "value": value, "valueTwo": two, "op": op}]))?;
    for hit in hits {
        probe(c, &[libc::SYS_kcmp, 0, 0, 99, *hit], "EXDEV")?;
    }
    misses.iter().try_for_each(|miss| must_differ(c, &[libc::SYS_kcmp, 0, 0, 99, *miss]))
}

/// System calls that busybox, the probe and a runtime's init use, and many more.
fn all_but_getppid(_: &Container) -> Verdict<Vec<&'static str>> {
    Ok(include_str!("syscalls.txt").lines().filter(|name| *name != "getppid").collect())
}

fn flag(c: &mut Container, flag: &str) -> Verdict {
    c.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW", "flags": [flag]}));
    c.set("/linux/seccomp/syscalls", rules(&["mkdir", "mkdirat"], json!({"action": "SCMP_ACT_ERRNO", "errnoRet": 95})));
    c.sh_is("mkdir /dev/shm/x 2>&1 | grep -c 'not supported'", "1")
}

fn needs_int80(c: &mut Container) -> Verdict {
    Need::Probe.check()?;
    c.args(&["/bin/probe", "probe", "int80", "64"]);
    let output = c.run()?;
    if output.stdout.trim() == "ok" { Ok(()) } else { crate::harness::skip("no 32-bit system calls here") }
}

/// A container whose mkdir asks the listener; gives the descriptor and the state that came with it.
fn listening(c: &mut Container, script: &str) -> Verdict<(Value, Vec<OwnedFd>)> {
    let path = c.dir.join("listener");
    let listener = socket::listen(&path)?;
    c.set(
        "/linux/seccomp",
        json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path, "listenerMetadata": "meta"}),
    );
    c.set("/linux/seccomp/syscalls", rules(&["mkdir", "mkdirat"], json!({"action": "SCMP_ACT_NOTIFY"})));
    c.script(script);
    // The descriptor comes with create or with start; until it is read it waits in the socket.
    c.create()?;
    c.start()?;
    let (bytes, fds) = socket::receive(&listener, "seccomp listener")?;
    Ok((serde_json::from_slice(&bytes).or_fail("state of the listener is no JSON")?, fds))
}

fn notify(c: &mut Container) -> Verdict {
    let (state, fds) = listening(c, "sleep 1000")?;
    same("one descriptor", fds.len(), 1)?;
    same("fds", &state["fds"], &json!(["seccompFd"]))?;
    same("metadata", &state["metadata"], "meta")?;
    same("state.id", &state["state"]["id"], c.id.as_str())?;
    must(state["pid"].as_i64().is_some_and(|pid| pid > 0), "no pid")
}

fn answered(c: &mut Container) -> Verdict {
    let shared = c.folder("shared")?;
    c.mount("/mnt", "bind", &shared, &["bind"]);
    let (_, fds) = listening(c, "mkdir /dev/shm/x 2>/dev/null; echo $? > /mnt/code; sleep 1000")?;
    let fd = fds.first().or_fail("descriptor")?;
    answer(fd, libc::EOPNOTSUPP)?;
    let code = || Some(host::read(shared.join("code"))).filter(|text| !text.is_empty());
    same("mkdir", crate::harness::call::eventually("mkdir", code)?.as_str(), "1")
}

/// Receives one notification and answers with an errno, seccomp_unotify(2).
fn answer(fd: &OwnedFd, errno: i32) -> Verdict {
    const RECV: u64 = 0xc050_2100;
    const SEND: u64 = 0xc018_2101;
    let mut request = [0u64; 10];
    let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd, as told.
    must(unsafe { libc::poll(&raw mut poll, 1, 5000) } == 1, "no notification within 5 s")?;
    // SAFETY: struct seccomp_notif has 80 bytes, as `request`.
    let got = unsafe { libc::ioctl(fd.as_raw_fd(), RECV as _, request.as_mut_ptr()) };
    must(got == 0, format_args!("SECCOMP_IOCTL_NOTIF_RECV: {}", std::io::Error::last_os_error()))?;
    // id, val, error and flags: struct seccomp_notif_resp.
    let mut response = [request[0], 0, u64::from((-errno) as u32)];
    // SAFETY: struct seccomp_notif_resp has 24 bytes, as `response`.
    let sent = unsafe { libc::ioctl(fd.as_raw_fd(), SEND as _, response.as_mut_ptr()) };
    must(sent == 0, format_args!("SECCOMP_IOCTL_NOTIF_SEND: {}", std::io::Error::last_os_error()))
}
