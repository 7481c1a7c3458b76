//! Hooks: six kinds, order, namespaces, the state on stdin, timeouts, what a failure does.

use std::fs;

use serde_json::{Value, json};

use crate::harness::case::{OrFail, mentions, must, same};
use crate::harness::kernel::namespace;
use crate::harness::{Case, Container, Verdict, case};

/// See the file's head.
pub const CASES: &[Case] = &[
    case("order-of-kinds", |c| {
        for kind in ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] {
            note(c, kind, kind)?;
        }
        c.up()?;
        c.finish()?;
        let want = "prestart createRuntime createContainer startContainer poststart poststop";
        same("order", notes(c).as_str(), want)
    })
    .note("runtime-spec, lifecycle steps 7 to 9: poststart comes after the process; peers race it with startContainer"),
    case("order-within-a-kind", |c| {
        for word in ["one", "two", "three"] {
            note(c, "createRuntime", word)?;
        }
        c.create()?;
        same("order", notes(c).as_str(), "one two three")
    }),
    case("create-runs-only-create-hooks", |c| {
        for kind in ["createRuntime", "createContainer", "startContainer", "poststart", "poststop"] {
            note(c, kind, kind)?;
        }
        c.create()?;
        same("after create", notes(c).as_str(), "createRuntime createContainer")
    }),
    case("state-on-stdin-create-runtime", |c| {
        let state = state_of(c, "createRuntime")?;
        same("id", &state["id"], c.id.as_str())?;
        same("bundle", &state["bundle"], c.bundle.to_str().unwrap_or_default())?;
        must(["creating", "created"].contains(&state["status"].as_str().unwrap_or_default()), "status")?;
        same("annotation", &state["annotations"]["key"], "value")?;
        must(state["pid"].as_i64().is_some_and(|pid| pid > 0), "no pid")
    }),
    case("state-on-stdin-poststart", |c| same("status", &state_of(c, "poststart")?["status"], "running")),
    case("state-on-stdin-poststop", |c| {
        let state = state_of(c, "poststop")?;
        same("status", &state["status"], "stopped")?;
        same("id", &state["id"], c.id.as_str())
    }),
    case("create-runtime-is-in-the-hosts-namespaces", |c| {
        let file = c.dir.join("ns").display().to_string();
        hook(c, "createRuntime", &format!("readlink /proc/self/ns/mnt > {file}"));
        c.create()?;
        same("mount namespace", fs::read_to_string(&file).or_fail(&file)?.trim(), namespace("self", "mnt")?.as_str())
    }),
    case("create-container-is-in-the-containers-namespaces", |c| {
        let file = shared(c)?;
        hook(c, "createContainer", &format!("readlink /proc/self/ns/uts > {file}"));
        let pid = c.create()?;
        same("uts namespace", fs::read_to_string(&file).or_fail(&file)?.trim(), namespace(pid, "uts")?.as_str())
    }),
    case("start-container-is-in-the-containers-root", |c| {
        c.mount("/mnt", "bind", c.folder("shared")?, &["bind"]);
        let hook = json!({"path": "/bin/sh", "args": ["sh", "-c", "cat /etc/hosts > /mnt/hosts; ls / > /mnt/ls"]});
        c.set("/hooks/startContainer/-", hook);
        c.up()?;
        same(
            "/etc/hosts",
            fs::read_to_string(c.dir.join("shared/hosts")).or_fail("hosts")?.trim(),
            "127.0.0.1 localhost",
        )
    }),
    case("create-container-sees-the-network", |c| {
        let file = shared(c)?;
        hook(c, "createContainer", &format!("readlink /proc/self/ns/net > {file}"));
        let pid = c.create()?;
        same("network", fs::read_to_string(&file).or_fail(&file)?.trim(), namespace(pid, "net")?.as_str())
    }),
    case("environment", |c| {
        let file = c.dir.join("env").display().to_string();
        let script = format!("echo $A:$HOME > {file}");
        c.set("/hooks/createRuntime/-", json!({"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["A=b"]}));
        c.create()?;
        same("environment", fs::read_to_string(&file).or_fail(&file)?.trim(), "b:")
    }),
    case("arguments", |c| {
        let file = c.dir.join("args").display().to_string();
        let script = format!("echo \"$0|$1|$2\" > {file}");
        c.set("/hooks/createRuntime/-", json!({"path": "/bin/sh", "args": ["sh", "-c", script, "zero", "a b", ""]}));
        c.create()?;
        same("arguments", fs::read_to_string(&file).or_fail(&file)?.trim(), "zero|a b|")
    }),
    case("no-arguments", |c| {
        c.set("/hooks/createRuntime/-", json!({"path": "/bin/true"}));
        c.create().map(drop)
    }),
    case("failing-prestart-undoes-create", |c| undone(c, "prestart")),
    case("failing-create-runtime-undoes-create", |c| undone(c, "createRuntime")),
    case("failing-create-container-undoes-create", |c| undone(c, "createContainer")),
    case("failing-start-container-ends-the-container", |c| {
        c.set("/hooks/startContainer/-", json!({"path": "/bin/false"}));
        let shared = c.folder("shared")?;
        c.mount("/mnt", "bind", &shared, &["bind"]);
        c.script("touch /mnt/ran");
        c.create()?;
        // The failure may be told by start, or only be seen in the process.
        c.rt(&["start", &c.id])?;
        c.wait_for("stopped")?;
        must(!shared.join("ran").exists(), "the process ran after its startContainer hook had failed")
    }),
    case("failing-poststop-does-not-stop-delete", |c| {
        c.set("/hooks/poststop/-", json!({"path": "/bin/false"}));
        note(c, "poststop", "second")?;
        c.up()?;
        c.finish()?;
        same("later poststop hooks", notes(c).as_str(), "second")?;
        c.nothing_left()
    }),
    case("failing-poststart-ends-the-container", |c| {
        c.set("/hooks/poststart/-", json!({"path": "/bin/false"}));
        c.script(crate::harness::container::WAIT);
        c.create()?;
        c.rt(&["start", &c.id])?;
        c.wait_for("stopped")
    })
    .note("runtime-spec, lifecycle step 9; crun lets it run"),
    case("failing-hook-stops-the-later-ones", |c| {
        c.set("/hooks/createRuntime/-", json!({"path": "/bin/false"}));
        note(c, "createRuntime", "later")?;
        c.create_refused()?;
        same("later hooks", notes(c).as_str(), "")
    }),
    case("missing-hook-is-refused", |c| {
        c.set("/hooks/createRuntime/-", json!({"path": "/no/such/hook"}));
        mentions("message", &c.create_refused()?, &["hook", "no such file"])
    }),
    case("timeout-ends-a-hook", |c| {
        let hook = json!({"path": "/bin/sleep", "args": ["sleep", "30"], "timeout": 1});
        c.set("/hooks/createRuntime/-", hook);
        let start = std::time::Instant::now();
        c.create_refused()?;
        let took = start.elapsed().as_secs_f64();
        must((0.9..10.0).contains(&took), format_args!("the timeout of 1 s took {took:.1} s"))
    }),
    case("quick-hook-within-its-timeout", |c| {
        c.set("/hooks/createRuntime/-", json!({"path": "/bin/true", "timeout": 30}));
        let start = std::time::Instant::now();
        c.create()?;
        must(start.elapsed().as_secs() < 15, "the runtime waited for the timeout")
    }),
    case("negative-timeout-is-refused", |c| {
        c.set("/hooks/createRuntime/-", json!({"path": "/bin/true", "timeout": -1}));
        c.create_refused().map(drop)
    })
    .note("runtime-spec: timeout must be greater than zero; peers take it as none"),
    case("relative-path-is-refused", |c| {
        c.set("/hooks/createRuntime/-", json!({"path": "bin/true"}));
        c.create_refused().map(drop)
    }),
    case("start-container-hook-without-env-gets-the-processes", |c| {
        c.set("/process/env/-", json!("GREETING=from the process"));
        let dir = c.folder("shared")?;
        c.mount("/mnt", "bind", &dir, &["bind"]);
        hook(c, "startContainer", "echo $GREETING,$HOME > /mnt/seen");
        c.up()?;
        let seen = fs::read_to_string(dir.join("seen")).or_fail("seen")?;
        same("in the hook", seen.trim(), "from the process,/root")
    }),
    case("host-hook-without-env-gets-the-runtimes", |c| {
        let file = c.dir.join("env").display().to_string();
        hook(c, "createRuntime", &format!("echo $PATH > {file}"));
        c.create()?;
        let seen = fs::read_to_string(&file).or_fail(&file)?;
        same("PATH in the hook", seen.trim(), std::env::var("PATH").or_fail("PATH")?.as_str())
    }),
    case("hook-with-env-gets-no-other", |c| {
        let file = c.dir.join("env").display().to_string();
        let script = format!("echo $ONE,$HOME > {file}");
        c.set("/hooks/createRuntime/-", json!({"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["ONE=two"]}));
        c.create()?;
        same("in the hook", fs::read_to_string(&file).or_fail(&file)?.trim(), "two,")
    }),
    case("failed-create-hook-runs-poststop", |c| {
        note(c, "poststop", "ran")?;
        c.set("/hooks/createRuntime/-", json!({"path": "/bin/false"}));
        c.create_refused()?;
        same("hooks", notes(c).as_str(), "ran")
    })
    .note("runtime.md, Lifecycle: a failed hook continues at step 12, after which come the poststop hooks"),
    case("hook-that-ignores-stdin", |c| {
        c.set("/annotations", json!({"long": "x".repeat(200_000)}));
        c.set("/hooks/createRuntime/-", json!({"path": "/bin/true"}));
        c.create().map(drop)
    })
    .note("the state is larger than a pipe holds"),
    case("poststart-runs-after-the-process-is-started", |c| {
        let file = c.dir.join("status").display().to_string();
        let (runtime, root) = (c.runtime.display().to_string(), c.root().display().to_string());
        hook(c, "poststart", &format!("{runtime} --root {root} state {} > {file} 2>&1 || true", c.id.clone()));
        c.up()?;
        mentions("state in the hook", &fs::read_to_string(&file).or_fail(&file)?, &["running"])
    })
    .note("a runtime that holds its lock while hooks run hangs here"),
    case("delete-force-runs-poststop", |c| {
        note(c, "poststop", "ran")?;
        c.up()?;
        c.rt(&["delete", "--force", &c.id])?.succeeded()?;
        same("hooks", notes(c).as_str(), "ran")
    }),
    case("run-runs-every-kind", |c| {
        for kind in ["createRuntime", "createContainer", "startContainer", "poststart", "poststop"] {
            note(c, kind, kind)?;
        }
        c.run()?.succeeded()?;
        same("hooks", notes(c).as_str(), "createRuntime createContainer startContainer poststart poststop")
    }),
];

/// A hook that is a shell script.
fn hook(c: &mut Container, kind: &str, script: &str) {
    c.set(&format!("/hooks/{kind}/-"), json!({"path": "/bin/sh", "args": ["sh", "-c", script]}));
}

/// A file that hooks in the container's mount namespace can write to as well, before and after the pivot.
fn shared(c: &mut Container) -> Verdict<String> {
    Ok(c.folder("shared")?.join("file").display().to_string())
}

/// A hook that appends a word to the file of notes.
fn note(c: &mut Container, kind: &str, word: &str) -> Verdict {
    let dir = c.folder("shared")?;
    let inside = kind == "startContainer";
    if inside {
        c.mount("/mnt", "bind", &dir, &["bind"]);
    }
    let file = if inside { "/mnt/notes".to_string() } else { dir.join("notes").display().to_string() };
    hook(c, kind, &format!("echo {word} >> {file}"));
    Ok(())
}

/// The words in the file of notes.
fn notes(c: &Container) -> String {
    let text = fs::read_to_string(c.dir.join("shared/notes")).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The state that a hook of this kind read from its stdin, after a whole life.
fn state_of(c: &mut Container, kind: &str) -> Verdict<Value> {
    c.set("/annotations", json!({"key": "value"}));
    let file = c.dir.join("stdin").display().to_string();
    hook(c, kind, &format!("cat > {file}"));
    c.up()?;
    c.finish()?;
    let text = fs::read_to_string(&file).or_fail(&file)?;
    serde_json::from_str(&text).or_fail(format_args!("{kind} got {text:?}"))
}

fn undone(c: &mut Container, kind: &str) -> Verdict {
    c.set(&format!("/hooks/{kind}/-"), json!({"path": "/bin/false"}));
    mentions("message", &c.create_refused()?, &["hook"])
}
