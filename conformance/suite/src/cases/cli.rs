//! Global flags, features, spec, events, logs, handed-over descriptors.

use std::fs;

use serde_json::{Value, json};

use crate::harness::call::Call;
use crate::harness::case::{OrFail, mentions, must, same};
use crate::harness::{Case, Container, Verdict, case};

/// See the file's head.
pub const CASES: &[Case] = &[
    case("version-lines", |c| {
        let output = Call::new(&c.runtime, ["--version"]).output(&c.out())?.succeeded()?;
        must(output.stdout.lines().next().is_some_and(|line| line.contains("version")), "no `version` in line 1")?;
        must(output.stdout.lines().any(|line| line.starts_with("spec:")), "no `spec:` line")
    }),
    case("version-short-flag", |c| Call::new(&c.runtime, ["-v"]).output(&c.out())?.succeeded().map(drop))
        .note("crun takes -v as nothing"),
    case("help", |c| Call::new(&c.runtime, ["--help"]).output(&c.out())?.succeeded().map(drop)),
    case("unknown-command-is-refused", |c| must(c.rt(&["nonsense"])?.code != 0, "an unknown command succeeded")),
    case("unknown-flag-is-refused", |c| must(c.rt(&["list", "--nonsense"])?.code != 0, "an unknown flag succeeded")),
    case("missing-id-is-refused", |c| must(c.rt(&["state"])?.code != 0, "state without an id succeeded")),
    case("log-json-shape", |c| {
        let text = failing_log(c, "json")?;
        let last: Value =
            serde_json::from_str(text.lines().last().unwrap_or_default()).or_fail("log line is no JSON")?;
        same("level", &last["level"], "error")?;
        must(last["msg"].as_str().is_some_and(|msg| !msg.is_empty()), "no msg")?;
        must(last["time"].as_str().is_some_and(|time| time.contains('T')), "time is no RFC 3339 time")
    }),
    case("log-text-has-the-message", |c| {
        mentions("log", &failing_log(c, "text")?, &["does not exist", "no such file"])
    }),
    case("log-is-appended-to", |c| {
        fs::write(c.dir.join("log"), "{\"level\":\"info\",\"msg\":\"mine\",\"time\":\"\"}\n").or_fail("write log")?;
        let text = failing_log(c, "json")?;
        must(text.starts_with("{\"level\":\"info\",\"msg\":\"mine\""), "the log was overwritten")?;
        let whole = text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok());
        must(whole && text.lines().count() >= 2, format_args!("the log is corrupt: {text:?}"))
    }),
    case("root-flag-with-equals", |c| {
        c.script(crate::harness::container::WAIT);
        c.create()?;
        let root = format!("--root={}", c.root().display());
        Call::new(&c.runtime, [root.as_str(), "state", &c.id]).output(&c.out())?.succeeded().map(drop)
    }),
    case("debug-flag", |c| accepted(c, &["--debug"])),
    case("rootless-flag", |c| accepted(c, &["--rootless=false"])),
    case("features-is-json", |c| {
        let value = features(c)?;
        must(value["ociVersionMin"].is_string() && value["ociVersionMax"].is_string(), "no ociVersionMin and Max")?;
        let namespaces = value["linux"]["namespaces"].as_array().cloned().unwrap_or_default();
        for kind in ["pid", "network", "mount", "ipc", "uts", "user", "cgroup"] {
            must(namespaces.contains(&json!(kind)), format_args!("no {kind} in linux.namespaces"))?;
        }
        Ok(())
    })
    .note("crun 1.8 has no features command"),
    case("features-mount-options", |c| {
        let value = features(c)?;
        let options = value["mountOptions"].as_array().cloned().unwrap_or_default();
        for option in ["ro", "rro", "rbind", "nosuid", "private"] {
            must(options.contains(&json!(option)), format_args!("no {option} in mountOptions"))?;
        }
        Ok(())
    })
    .note("crun 1.8 has no features command"),
    case("features-hooks-and-seccomp", |c| {
        let value = features(c)?;
        let hooks = value["hooks"].as_array().cloned().unwrap_or_default();
        must(hooks.contains(&json!("createRuntime")), "no createRuntime in hooks")?;
        must(value["linux"]["seccomp"]["enabled"] == true, "linux.seccomp.enabled is not true")?;
        must(value["linux"]["seccomp"]["actions"].as_array().is_some_and(|list| list.len() >= 5), "too few actions")
    })
    .note("crun 1.8 has no features command"),
    case("spec-command-output-runs", |c| {
        let _ = fs::remove_file(c.bundle.join("config.json"));
        let bundle = c.bundle.display().to_string();
        c.rt(&["spec", "--bundle", &bundle])?.succeeded()?;
        let path = c.bundle.join("config.json");
        let text = fs::read_to_string(&path).or_fail(path.display())?;
        let mut config: Value = serde_json::from_str(&text).or_fail("spec is no JSON")?;
        config["process"]["terminal"] = json!(false);
        config["process"]["args"] = json!(["echo", "made"]);
        config["linux"]["cgroupsPath"] = json!(format!("/{}", c.id));
        c.config = config;
        same("stdout", c.run()?.succeeded()?.stdout.trim(), "made")
    }),
    case("spec-does-not-overwrite", |c| {
        c.write_config()?;
        let bundle = c.bundle.display().to_string();
        c.rt(&["spec", "--bundle", &bundle])?.refused().map(drop)
    }),
    case("spec-rootless-has-a-user-namespace", |c| {
        let _ = fs::remove_file(c.bundle.join("config.json"));
        let bundle = c.bundle.display().to_string();
        c.rt(&["spec", "--rootless", "--bundle", &bundle])?.succeeded()?;
        let text = fs::read_to_string(c.bundle.join("config.json")).or_fail("config.json")?;
        mentions("config", &text, &["\"user\""])?;
        mentions("config", &text, &["uidMappings"])
    }),
    case("events-stats-shape", |c| {
        c.up()?;
        let output = c.rt(&["events", "--stats", &c.id])?.succeeded()?;
        let value: Value = serde_json::from_str(output.stdout.trim()).or_fail("events is no JSON line")?;
        same("type", &value["type"], "stats")?;
        same("id", &value["id"], c.id.as_str())?;
        must(value["data"]["cpu"]["usage"]["total"].as_u64().is_some_and(|ns| ns > 0), "no data.cpu.usage.total")?;
        must(value["data"]["memory"]["usage"]["usage"].is_u64(), "no data.memory.usage.usage")?;
        must(value["data"]["pids"]["current"].as_u64().is_some_and(|n| n > 0), "no data.pids.current")
    })
    .note("crun has no events command"),
    case("preserve-fds-run", |c| {
        let fds = handed(c)?;
        c.script("cat <&3; readlink /proc/self/fd/4");
        c.write_config()?;
        let bundle = c.bundle.display().to_string();
        let call = c.call(["run", "--preserve-fds", "2", "--bundle", &bundle, &c.id]).fds(fds);
        same("stdout", call.output(&c.out())?.succeeded()?.stdout.trim(), "handed/dev/null")
    }),
    case("preserve-fds-exec", |c| {
        c.up()?;
        let fds = handed(c)?;
        let call =
            c.call(["exec", "--preserve-fds", "1", &c.id, "sh", "-c", "cat <&3; ls /proc/self/fd | wc -l"]).fds(fds);
        same("stdout", call.output(&c.out())?.succeeded()?.stdout.trim(), "handed5")
    }),
    case("descriptors-are-not-handed-over-unasked", |c| {
        let fds = handed(c)?;
        c.script("ls /proc/self/fd");
        c.write_config()?;
        let bundle = c.bundle.display().to_string();
        let call = c.call(["run", "--bundle", &bundle, &c.id]).fds(fds);
        same("descriptors", call.output(&c.out())?.succeeded()?.stdout.trim(), "0\n1\n2\n3")
    })
    .note("3 is ls's own"),
    case("listen-fds", |c| {
        let fds = handed(c)?;
        c.script("echo $LISTEN_FDS $LISTEN_PID; cat <&3");
        c.write_config()?;
        let (runtime, root, bundle) = (c.runtime.display(), c.root(), c.bundle.display());
        let script = format!("LISTEN_PID=$$ exec {runtime} --root {} run --bundle {bundle} {}", root.display(), c.id);
        let call = Call::new("/bin/sh".as_ref(), ["-c", &script]).fds(fds).env("LISTEN_FDS", "1");
        same("stdout", call.output(&c.out())?.succeeded()?.stdout.trim(), "1 1\nhanded")
    })
    .note("socket activation, sd_listen_fds(3): LISTEN_PID is the pid inside; crun leaves it out"),
    case("no-new-keyring-and-no-pivot-are-accepted", |c| {
        c.run_with(&["--no-new-keyring"])?.succeeded()?;
        c.run_with(&["--no-pivot"])?.succeeded().map(drop)
    }),
    case("stays-in-place-when-checkpoint-is-impossible", |c| {
        c.up()?;
        // no images below what is no folder, also where criu works
        let refused = c.rt(&["checkpoint", "--leave-running", "--image-path", "/dev/null/x", &c.id])?;
        must(refused.code != 0, "checkpoint below a device succeeded")?;
        same("status", &c.state()?["status"], "running")
    }),
];

fn failing_log(c: &mut Container, format: &str) -> Verdict<String> {
    let log = c.dir.join("log").display().to_string();
    let root = c.root().display().to_string();
    let args = ["--root", &root, "--log", &log, "--log-format", format, "state", "no-such-container"];
    let output = Call::new(&c.runtime, args).output(&c.out())?;
    must(output.code != 0, "state of an absent container succeeded")?;
    fs::read_to_string(&log).or_fail(&log)
}

/// A global flag is accepted with `list`.
fn accepted(c: &mut Container, flags: &[&str]) -> Verdict {
    let root = c.root().display().to_string();
    let mut args = vec!["--root", &root];
    args.extend(flags);
    args.push("list");
    Call::new(&c.runtime, args).output(&c.out())?.succeeded().map(drop)
}

fn features(c: &Container) -> Verdict<Value> {
    let output = Call::new(&c.runtime, ["features"]).output(&c.out())?.succeeded()?;
    serde_json::from_str(&output.stdout).or_fail("features is no JSON")
}

/// A file with the text `handed`, and /dev/null.
fn handed(c: &Container) -> Verdict<Vec<std::os::fd::OwnedFd>> {
    let path = c.file("handed", "handed")?;
    let open = |path: &std::path::Path| fs::File::open(path).or_fail(path.display());
    Ok(vec![open(&path)?.into(), open("/dev/null".as_ref())?.into()])
}
