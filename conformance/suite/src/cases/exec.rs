//! exec: every flag, exit codes, what the process joins.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::call::eventually;
use crate::harness::case::{OrFail, mentions, must, same};
use crate::harness::cgroup;
use crate::harness::kernel::{capability_mask, field_of, namespace, status_field};
use crate::harness::{Case, Container, Verdict, case, host};

/// See the file's head.
pub const CASES: &[Case] = &[
    case("runs-a-command", |c| prints(c, &[], "echo hello", "hello")),
    case("exit-code", |c| ends(c, "exit 42", 42)),
    case("exit-code-of-a-signal", |c| ends(c, "kill -KILL $$", 137)),
    case("missing-command-is-refused", |c| {
        c.up()?;
        c.exec_with(&[], &["no-such-command"])?.refused().map(drop)
    }),
    case("cwd", |c| prints(c, &["--cwd", "/tmp"], "pwd", "/tmp")),
    case("cwd-with-equals", |c| prints(c, &["--cwd=/etc"], "pwd", "/etc")),
    case("env", |c| prints(c, &["--env", "A=1", "--env", "B=2"], "echo $A$B", "12")),
    case("env-short-flag", |c| prints(c, &["-e", "PATH=/bin", "-e", "B=2"], "echo $B", "2")),
    case("env-of-the-container-is-kept", |c| {
        c.set("/process/env/-", json!("OWN=here"));
        prints(c, &["--env", "A=1"], "echo $OWN$A", "here1")
    })
    .note("crun's --env replaces the environment, PATH too"),
    case("user-id", |c| prints(c, &["--user", "1000"], "id -u", "1000")),
    case("user-and-group", |c| prints(c, &["--user", "1000:100"], "id -u; id -g", "1000\n100")),
    case("additional-gids", |c| {
        prints(c, &["--user", "1000:100", "--additional-gids", "7", "--additional-gids", "8"], "id -G", "100 7 8")
    })
    .note("crun 1.8 has no such flag"),
    case("capability", |c| {
        c.up()?;
        let output = c.exec_with(&["--cap", "CAP_SYS_PTRACE"], &["cat", "/proc/self/status"])?.succeeded()?;
        let mask = field_of(&output.stdout, "CapEff").or_fail("CapEff")?;
        let bits = u64::from_str_radix(&mask, 16).unwrap_or(0);
        must(bits >> 19 & 1 == 1, format_args!("CAP_SYS_PTRACE not in {mask}"))
    }),
    case("no-new-privs", |c| {
        c.set("/process/noNewPrivileges", json!(false));
        prints(c, &["--no-new-privs"], "grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t1")
    }),
    case("capabilities-of-the-container-are-kept", |c| {
        c.up()?;
        let status = c.exec_sh("cat /proc/self/status")?;
        same("CapBnd", field_of(&status, "CapBnd"), Some(capability_mask(&[5, 10, 29])))
    }),
    case("process-file", |c| {
        process(
            c,
            json!({"args": ["sh", "-c", "echo $X; pwd; id -u; id -g"], "env": ["X=y", "PATH=/bin"],
            "cwd": "/tmp", "user": {"uid": 5, "gid": 6}}),
            "y\n/tmp\n5\n6",
        )
    }),
    case("process-file-capabilities", |c| {
        let set = json!(["CAP_NET_RAW"]);
        process(
            c,
            json!({"args": ["grep", "-E", "Cap(Eff|Bnd)", "/proc/self/status"], "env": ["PATH=/bin"], "cwd": "/",
            "user": {"uid": 0, "gid": 0}, "capabilities": {"bounding": set, "effective": set, "permitted": set}}),
            "CapEff:\t0000000000002000\nCapBnd:\t0000000000002000",
        )
    }),
    case("process-file-rlimit", |c| {
        process(
            c,
            json!({"args": ["sh", "-c", "ulimit -n"], "env": ["PATH=/bin"], "cwd": "/",
            "user": {"uid": 0, "gid": 0}, "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 300, "hard": 400}]}),
            "300",
        )
    }),
    case("process-file-groups-and-umask", |c| {
        process(
            c,
            json!({"args": ["sh", "-c", "id -G; umask"], "env": ["PATH=/bin"], "cwd": "/",
            "user": {"uid": 1, "gid": 2, "additionalGids": [3, 4], "umask": 0o27}}),
            "2 3 4\n0027",
        )
    }),
    case("process-file-oom-score", |c| {
        process(
            c,
            json!({"args": ["cat", "/proc/self/oom_score_adj"], "env": ["PATH=/bin"], "cwd": "/",
            "user": {"uid": 0, "gid": 0}, "oomScoreAdj": 321}),
            "321",
        )
    })
    .note("runtime-spec puts no limit on where oomScoreAdj applies; both peers ignore it in exec"),
    case("process-file-scheduler", |c| {
        process(
            c,
            json!({"args": ["sh", "-c", "cut -d' ' -f19 /proc/self/stat"], "env": ["PATH=/bin"], "cwd": "/", "user": {"uid": 0, "gid": 0},
            "scheduler": {"policy": "SCHED_OTHER", "nice": 7}}),
            "7",
        )
    })
    .note("process.scheduler is newer than Debian's crun and runc"),
    case("detach-and-pid-file", |c| {
        c.up()?;
        let file = c.dir.join("exec-pid").display().to_string();
        c.exec_with(&["--detach", "--pid-file", &file], &["sleep", "1000"])?.succeeded()?;
        let pid: i32 = host::read(&file).parse().or_fail("pid file")?;
        let line = || host::read(format!("/proc/{pid}/cmdline")).starts_with("sleep").then_some(());
        eventually("the detached process", line)
    }),
    case("joins-every-namespace", |c| {
        let pid = c.up()?;
        for kind in ["pid", "net", "ipc", "uts", "mnt"] {
            let inside = c.exec_sh(&format!("readlink /proc/self/ns/{kind}"))?;
            same(kind, inside, namespace(pid, kind)?)?;
        }
        Ok(())
    }),
    case("joins-the-cgroups", |c| {
        let pid = c.up()?;
        let inside = c.exec_sh("cat /proc/self/cgroup")?;
        let outside = host::read(format!("/proc/{pid}/cgroup"));
        same("cgroups", inside, outside)
    }),
    case("cgroup-below-the-containers", |c| {
        c.up()?;
        for dir in cgroup::named_like(&c.id) {
            let part = dir.join("part");
            std::fs::create_dir(&part).or_fail(part.display())?;
            // v1's cpuset takes no process before it has CPUs and memory.
            for file in ["cpuset.cpus", "cpuset.mems"].map(|file| part.join(file)) {
                let own = host::read(dir.join(file.file_name().unwrap_or_default()));
                if file.exists() && !own.is_empty() {
                    std::fs::write(&file, own).or_fail(file.display())?;
                }
            }
        }
        let groups = c.exec_with(&["--cgroup", "part"], &["cat", "/proc/self/cgroup"])?.succeeded()?.stdout;
        let own = groups.lines().filter(|line| line.contains(c.id.as_str()));
        let outside: Vec<&str> = own.filter(|line| !line.ends_with("/part")).collect();
        must(groups.contains("/part") && outside.is_empty(), format_args!("not all in part: {groups}"))
    }),
    case("cgroup-that-is-not-there-is-refused", |c| {
        c.up()?;
        c.exec_with(&["--cgroup", "no-such-part"], &["true"])?.refused().map(drop)
    }),
    case("cgroup-outside-is-refused", |c| {
        c.up()?;
        c.exec_with(&["--cgroup", "../.."], &["true"])?.refused().map(drop)
    }),
    case("apparmor", |c| {
        let refusal = if Path::new("/sys/kernel/security/apparmor").exists() { "no-such-profile" } else { "apparmor" };
        c.up()?;
        let message = c.exec_with(&["--apparmor", "no-such-profile"], &["true"])?.refused()?.stderr;
        mentions("message", &message, &[refusal])
    }),
    case("process-label", |c| {
        let label = "system_u:system_r:no_such_t:s0";
        let refusal = if Path::new("/sys/fs/selinux/enforce").exists() { label } else { "selinux" };
        c.up()?;
        let message = c.exec_with(&["--process-label", label], &["true"])?.refused()?.stderr;
        mentions("message", &message, &[refusal])
    }),
    case("in-a-user-namespace", |c| {
        c.user_namespace(&[(0, 100_000, 1000)]);
        let pid = c.up()?;
        same("id", c.exec_sh("id -u")?.as_str(), "0")?;
        same("user namespace", c.exec_sh("readlink /proc/self/ns/user")?, namespace(pid, "user")?)
    }),
    case("keeps-seccomp", |c| {
        c.set(
            "/linux/seccomp",
            json!({"defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}),
        );
        prints(c, &[], "mkdir /tmp/x 2>&1 | grep -c 'not supported'", "1")
    }),
    case("passes-stdin", |c| {
        c.up()?;
        let output = c.call(["exec", &c.id, "cat"]).stdin("typed").output(&c.out())?.succeeded()?;
        same("stdout", output.stdout.as_str(), "typed")
    }),
    case("no-descriptor-leaks", |c| {
        c.up()?;
        same("descriptors", c.exec_with(&[], &["ls", "/proc/self/fd"])?.succeeded()?.stdout.trim(), "0\n1\n2\n3")
    })
    .note("3 is ls's own"),
    case("arguments-with-dashes", |c| {
        c.up()?;
        same("stdout", c.exec_with(&[], &["echo", "-e", "--cwd", "-"])?.succeeded()?.stdout.trim(), "--cwd -")
    }),
    case("created-container-runs-it-or-says-why-not", |c| {
        c.create()?;
        let output = c.exec_with(&[], &["echo", "in"])?;
        match output.code {
            0 => same("stdout", output.stdout.trim(), "in"),
            _ => mentions("message", &output.refused()?.stderr, &["not running", "created"]),
        }
    })
    .note("peers run it; rtrun refuses: the parked init is the runtime itself, and nothing may reach its binary"),
    case("stopped-is-refused", |c| {
        c.up_script("true")?;
        c.wait_for("stopped")?;
        c.exec_with(&[], &["true"])?.refused().map(drop)
    }),
    case("absent-is-refused", |c| c.exec_with(&[], &["true"])?.refused().map(drop)),
    case("paused-is-refused", |c| {
        c.up()?;
        c.rt(&["pause", &c.id])?.succeeded()?;
        c.exec_with(&[], &["true"])?.refused().map(drop)
    }),
    case("ignore-paused", |c| {
        c.up()?;
        c.rt(&["pause", &c.id])?.succeeded()?;
        let running = c.call(["exec", "--ignore-paused", &c.id, "echo", "late"]).spawn(&c.out())?;
        std::thread::sleep(std::time::Duration::from_millis(200));
        c.rt(&["resume", &c.id])?.succeeded()?;
        same("stdout", running.wait()?.succeeded()?.stdout.trim(), "late")
    })
    .note("crun has no such flag"),
    case("a-crowd-of-20", |c| {
        c.up()?;
        let runs = (0..20).map(|_| c.call(["exec", &c.id, "true"]).spawn(&c.out())).collect::<Verdict<Vec<_>>>()?;
        runs.into_iter().try_for_each(|running| running.wait()?.succeeded().map(drop))
    }),
    case("the-container-survives-the-death-of-an-exec", |c| {
        c.up()?;
        c.exec_with(&[], &["sh", "-c", "kill -KILL $$"])?.ended(137)?;
        same("status", &c.state()?["status"], "running")
    }),
    case("proc-of-the-init-is-not-dumpable-to-root-of-a-userns", |c| {
        c.user_namespace(&[(0, 100_000, 1000)]);
        c.up()?;
        let seen = c.exec_with(&[], &["readlink", "/proc/1/exe"])?;
        same("exe of the init", seen.stdout.trim(), "/bin/busybox")
    }),
    case("umask-of-the-container-is-kept", |c| {
        c.set("/process/user/umask", json!(0o77));
        let pid = c.up()?;
        same("umask of the init", status_field(pid, "Umask")?.as_str(), "0077")?;
        same("umask of exec", c.exec_sh("umask")?.as_str(), "0077")
    })
    .note("both peers give exec their own umask"),
];

fn prints(c: &mut Container, flags: &[&str], script: &str, want: &str) -> Verdict {
    c.up()?;
    let output = c.exec_with(flags, &["sh", "-c", script])?.succeeded()?;
    same(script, output.stdout.trim(), want)
}

fn ends(c: &mut Container, script: &str, code: i32) -> Verdict {
    c.up()?;
    c.exec_with(&[], &["sh", "-c", script])?.ended(code).map(drop)
}

/// `exec --process FILE`.
fn process(c: &mut Container, process: Value, want: &str) -> Verdict {
    c.up()?;
    let file = c.file("process.json", &process.to_string())?.display().to_string();
    let output = c.rt(&["exec", "--process", &file, &c.id])?.succeeded()?;
    same("stdout", output.stdout.trim(), want)
}
