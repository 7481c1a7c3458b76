//! create, start, run, delete: what they do, what they refuse, exit codes.

use std::fs;

use crate::harness::call::eventually;
use crate::harness::case::{OrFail, mentions, must, same};
use crate::harness::container::WAIT;
use crate::harness::{Case, Container, Verdict, case, leftovers};

/// See the file's head.
pub const CASES: &[Case] = &[
    case("run-true", |c| c.run()?.ended(0).map(drop)),
    case("create-start-delete", |c| {
        c.up()?;
        c.finish()?;
        c.nothing_left()
    }),
    case("create-does-not-run-the-process", |c| {
        let flag = c.folder("shared")?;
        c.mount("/mnt", "bind", &flag, &["bind"]);
        c.script("touch /mnt/ran");
        c.create()?;
        std::thread::sleep(std::time::Duration::from_millis(200));
        must(!flag.join("ran").exists(), "the process ran before start")?;
        c.start()?;
        c.wait_for("stopped")?;
        must(flag.join("ran").exists(), "the process did not run after start")
    }),
    case("statuses-in-order", |c| {
        c.script(WAIT);
        c.create()?;
        same("status", &c.state()?["status"], "created")?;
        c.start()?;
        same("status", &c.state()?["status"], "running")?;
        // Not TERM: the first process of a PID namespace ignores it until its shell has set the trap.
        c.rt(&["kill", &c.id, "KILL"])?.succeeded()?;
        c.wait_for("stopped")
    }),
    case("running-as-soon-as-start-returns", |c| {
        for _ in 0..25 {
            c.up()?;
            same("status", &c.state()?["status"], "running")?;
            c.rt(&["delete", "--force", &c.id])?.succeeded()?;
        }
        Ok(())
    })
    .note("a race: 1 of 50 lives showed `created` where start waited for too little"),
    case("pid-file-has-the-pid", |c| pid_file(c, "create")),
    case("run-pid-file-has-the-pid", |c| pid_file(c, "run")),
    case("run-detach-returns", |c| {
        c.script(WAIT);
        c.run_with(&["--detach"])?.succeeded()?;
        same("status", &c.state()?["status"], "running")?;
        c.finish()
    }),
    case("exit-code-0", |c| exits(c, "exit 0", 0)),
    case("exit-code-7", |c| exits(c, "exit 7", 7)),
    case("exit-code-255", |c| exits(c, "exit 255", 255)),
    case("exit-code-of-sigkill", |c| {
        c.no_namespace("pid");
        exits(c, "kill -KILL $$", 137)
    })
    .note("the host's PID namespace, where a process may kill itself"),
    case("exit-code-of-sigterm", |c| {
        c.no_namespace("pid");
        exits(c, "kill -TERM $$", 143)
    }),
    case("missing-command-is-refused", |c| {
        c.args(&["no-such-command"]);
        let output = c.run()?.refused()?;
        mentions("message", &output.stderr, &["no such file or directory", "not found"])
    }),
    case("not-executable-is-refused", |c| {
        c.args(&["/etc/passwd"]);
        let output = c.run()?.refused()?;
        mentions("message", &output.stderr, &["permission denied", "operation not permitted"])
    }),
    case("directory-as-command-is-refused", |c| {
        c.args(&["/etc"]);
        c.run()?.refused().map(drop)
    }),
    case("command-is-searched-in-the-path-of-the-process", |c| {
        fs::create_dir(c.inside("/opt")).or_fail("make /opt")?;
        std::os::unix::fs::symlink("/bin/busybox", c.inside("/opt/uname")).or_fail("link")?;
        c.set("/process/env", serde_json::json!(["PATH=/opt"]));
        c.args(&["uname"]);
        same("stdout", c.run()?.succeeded()?.stdout.trim(), "Linux")
    }),
    case("create-twice-is-refused", |c| {
        c.script(WAIT);
        let pid = c.create()?;
        c.create_with(&[])?.refused()?;
        same("pid after the second create", c.pid()?, pid)?;
        c.start()
    }),
    case("start-twice-is-refused", |c| {
        c.up()?;
        c.rt(&["start", &c.id])?.refused()?;
        same("status", &c.state()?["status"], "running")
    }),
    case("start-stopped-is-refused", |c| {
        c.up_script("true")?;
        c.wait_for("stopped")?;
        c.rt(&["start", &c.id])?.refused().map(drop)
    }),
    case("process-is-needed-by-start-only", |c| {
        c.remove("/process");
        c.create()?;
        mentions("message", &c.rt(&["start", &c.id])?.refused()?.stderr, &["process"])?;
        same("status", &c.state()?["status"], "created")
    })
    .note("config.md: process is REQUIRED when start is called; runc and crun refuse it at create"),
    case("start-absent-is-refused", |c| absent(c, "start")),
    case("state-absent-is-refused", |c| absent(c, "state")),
    case("delete-absent-is-refused", |c| absent(c, "delete")),
    case("kill-absent-is-refused", |c| absent(c, "kill")),
    case("pause-absent-is-refused", |c| absent(c, "pause")),
    case("delete-running-is-refused", |c| {
        c.up()?;
        c.rt(&["delete", &c.id])?.refused()?;
        same("status", &c.state()?["status"], "running")
    }),
    case("delete-created-is-refused", |c| {
        c.script(WAIT);
        c.create()?;
        c.rt(&["delete", &c.id])?.refused()?;
        same("status", &c.state()?["status"], "created")?;
        c.start()?;
        same("status after start", &c.state()?["status"], "running")
    })
    .note("runtime.md, Delete: what is not stopped MUST be refused; runc and crun remove it"),
    case("delete-after-kill-needs-no-wait", |c| {
        c.script(WAIT);
        for start in [false, true] {
            c.create()?;
            if start {
                c.start()?;
            }
            c.rt(&["kill", &c.id, "KILL"])?.succeeded()?;
            c.delete()?;
        }
        c.nothing_left()
    })
    .note("peers' kill returns before the process has ended, and their delete refuses one that lives"),
    case("delete-stopped", |c| {
        c.up_script("true")?;
        c.wait_for("stopped")?;
        c.delete()?;
        c.nothing_left()
    }),
    case("delete-force-running", |c| {
        let pid = c.up()?;
        c.rt(&["delete", "--force", &c.id])?.succeeded()?;
        must(!leftovers::alive(pid), "the process lives on")?;
        c.nothing_left()
    }),
    case("delete-force-created", |c| {
        c.create()?;
        c.rt(&["delete", "--force", &c.id])?.succeeded()?;
        c.nothing_left()
    }),
    case("delete-force-absent", |c| c.rt(&["delete", "--force", &c.id])?.succeeded().map(drop)),
    case("delete-force-ends-children", |c| {
        c.no_namespace("pid");
        c.up_script("sleep 1000 & sleep 1000 & wait")?;
        c.rt(&["delete", "--force", &c.id])?.succeeded()?;
        c.nothing_left()
    })
    .note("without a PID namespace the children must be found through the cgroup"),
    case("delete-force-of-a-broken-state", |c| {
        let pid = c.up()?;
        let entries = fs::read_dir(c.root().join(&c.id)).or_fail("state directory")?;
        for file in entries.flatten().filter(|entry| entry.file_name() != "config.json") {
            if file.file_type().is_ok_and(|kind| kind.is_file()) {
                fs::write(file.path(), "{").or_fail(file.path().display())?;
            }
        }
        c.rt(&["state", &c.id])?.refused()?;
        c.rt(&["delete", "--force", &c.id])?.succeeded()?;
        must(!leftovers::alive(pid), "the process lives on")?;
        c.nothing_left()
    })
    .note("a machine that lost power leaves such files; runc refuses to remove them"),
    case("id-can-be-used-again", |c| {
        for _ in 0..3 {
            c.up()?;
            c.finish()?;
        }
        Ok(())
    }),
    case("two-containers-of-one-bundle", |c| {
        c.up()?;
        let second = format!("{}-b", c.id);
        c.set("/linux/cgroupsPath", serde_json::json!(format!("/{second}")));
        c.write_config()?;
        let bundle = c.bundle.display().to_string();
        c.rt(&["create", "--bundle", &bundle, &second])?.succeeded()?;
        c.rt(&["delete", "--force", &second])?.succeeded()?;
        same("status of the first", &c.state()?["status"], "running")
    }),
    case("short-lived-run-50-times", |c| {
        c.write_config()?;
        for _ in 0..50 {
            c.run()?.succeeded()?;
        }
        Ok(())
    }),
    case("short-lived-run-ends-with-its-code", |c| {
        c.script("exit 3");
        for _ in 0..20 {
            c.run()?.ended(3)?;
        }
        c.nothing_left()
    }),
    case("run-forwards-signals", |c| {
        c.script("trap 'echo got; exit 9' TERM; echo ready; while :; do sleep 0.05; done");
        c.write_config()?;
        let bundle = c.bundle.display().to_string();
        let running = c.call(["run", "--bundle", &bundle, &c.id]).spawn(&c.out())?;
        let ready = || running.stdout().contains("ready").then_some(());
        eventually("the process ready", ready)?;
        let pid = nix::unistd::Pid::from_raw(running.pid());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).or_fail("kill")?;
        same("exit code and stdout", running.wait()?.ended(9)?.stdout.trim(), "ready\ngot")
    }),
    case("deleted-while-run-waits", |c| {
        c.script("echo ready; exec sleep 1000");
        c.write_config()?;
        let bundle = c.bundle.display().to_string();
        let running = c.call(["run", "--bundle", &bundle, &c.id]).spawn(&c.out())?;
        eventually("the process ready", || running.stdout().contains("ready").then_some(()))?;
        c.rt(&["delete", "--force", &c.id])?.succeeded()?;
        running.wait()?.ended(137)?;
        c.nothing_left()
    })
    .note("a runtime that keeps the container locked for as long as it runs makes the delete wait for it"),
    case("run-passes-stdin-and-both-outputs", |c| {
        c.script("read line; echo out:$line; echo err:$line >&2");
        c.write_config()?;
        let bundle = c.bundle.display().to_string();
        let output = c.call(["run", "--bundle", &bundle, &c.id]).stdin("word\n").output(&c.out())?.succeeded()?;
        same("stdout", output.stdout.trim(), "out:word")?;
        mentions("stderr", &output.stderr, &["err:word"])
    }),
    case("bundle-is-the-working-directory-by-default", |c| {
        c.write_config()?;
        let root = c.root().display().to_string();
        let script = format!("cd {} && exec {} --root {root} run {}", c.bundle.display(), c.runtime.display(), c.id);
        let call = crate::harness::call::Call::new("/bin/sh".as_ref(), ["-c", &script]);
        call.output(&c.out())?.succeeded().map(drop)
    }),
    case("relative-bundle", |c| {
        c.write_config()?;
        let root = c.root().display().to_string();
        let (dir, runtime) = (c.dir.display(), c.runtime.display());
        let script = format!("cd {dir} && exec {runtime} --root {root} run --bundle bundle {}", c.id);
        let call = crate::harness::call::Call::new("/bin/sh".as_ref(), ["-c", &script]);
        call.output(&c.out())?.succeeded().map(drop)
    }),
    case("absolute-rootfs", |c| {
        c.set("/root/path", serde_json::json!(c.inside("/")));
        c.run()?.succeeded().map(drop)
    }),
    case("rootfs-is-a-symlink", |c| {
        std::os::unix::fs::symlink("rootfs", c.bundle.join("link")).or_fail("link")?;
        c.set("/root/path", serde_json::json!("link"));
        c.sh_is("test -e /bin/busybox && echo yes", "yes")
    }),
    case("process-killed-from-outside-is-stopped", |c| {
        let pid = c.up()?;
        let process = nix::unistd::Pid::from_raw(pid);
        nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL).or_fail("kill")?;
        c.wait_for("stopped")?;
        c.delete()?;
        c.nothing_left()
    }),
];

fn pid_file(c: &mut Container, command: &str) -> Verdict {
    c.script(WAIT);
    let file = c.dir.join("pid").display().to_string();
    match command {
        "create" => c.create_with(&["--pid-file", &file])?,
        _ => c.run_with(&["--detach", "--pid-file", &file])?,
    }
    .succeeded()?;
    let text = fs::read_to_string(&file).or_fail(&file)?;
    same("pid file", text.trim(), c.pid()?.to_string().as_str())
}

fn exits(c: &mut Container, script: &str, code: i32) -> Verdict {
    c.script(script);
    c.run()?.ended(code)?;
    c.nothing_left()
}

fn absent(c: &mut Container, command: &str) -> Verdict {
    let output = c.rt(&[command, &c.id])?.refused()?;
    mentions("message", &output.stderr, &["does not exist", "no such file or directory"])
}
