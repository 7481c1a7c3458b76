//! What state, list and ps print.

use serde_json::{Value, json};

use crate::harness::case::{OrFail, mentions, must, same};
use crate::harness::{Case, Container, Verdict, case};

/// See the file's head.
pub const CASES: &[Case] = &[
    case("has-every-field", |c| {
        c.set("/annotations", json!({"org.example.key": "value"}));
        let pid = c.up()?;
        let state = c.state()?;
        must(state["ociVersion"].is_string(), "ociVersion is no string")?;
        same("id", &state["id"], c.id.as_str())?;
        same("pid", &state["pid"], pid)?;
        same("status", &state["status"], "running")?;
        same("bundle", &state["bundle"], c.bundle.to_str().unwrap_or_default())?;
        same("annotation", &state["annotations"]["org.example.key"], "value")
    }),
    case("created-has-the-pid", |c| {
        let pid = c.create()?;
        must(std::path::Path::new(&format!("/proc/{pid}")).exists(), "pid of a created container is no process")
    }),
    case("stopped-status", |c| {
        c.up_script("true")?;
        c.wait_for("stopped")?;
        let pid = c.state()?["pid"].as_i64().or_fail("pid")?;
        must(pid == 0 || !crate::harness::leftovers::alive(pid as i32), "pid of a stopped container lives")
    }),
    case("paused-status", |c| {
        c.up()?;
        c.rt(&["pause", &c.id])?.succeeded()?;
        same("status", &c.state()?["status"], "paused")?;
        c.rt(&["resume", &c.id])?.succeeded()?;
        same("status", &c.state()?["status"], "running")
    }),
    case("created-time-and-rootfs-as-runc", |c| {
        c.up()?;
        let state = c.state()?;
        must(state["created"].as_str().is_some_and(|text| text.contains('T')), "created is no RFC 3339 time")?;
        must(state["rootfs"].as_str().is_some_and(|text| text.ends_with("/rootfs")), "rootfs is no path")
    }),
    case("list-json-has-the-container", |c| {
        let pid = c.up()?;
        let item = listed(c)?;
        same("pid", &item["pid"], pid)?;
        same("status", &item["status"], "running")?;
        same("bundle", &item["bundle"], c.bundle.to_str().unwrap_or_default())
    }),
    case("list-json-empty", |c| {
        let output = c.rt(&["list", "--format", "json"])?.succeeded()?;
        let value: Value = serde_json::from_str(&output.stdout).or_fail("list is no JSON")?;
        must(value.is_null() || value == json!([]), format_args!("empty list is {value}"))
    }),
    case("list-quiet-is-ids", |c| {
        c.create()?;
        same("list -q", c.rt(&["list", "-q"])?.succeeded()?.stdout.trim(), c.id.as_str())
    }),
    case("list-table", |c| {
        c.create()?;
        let output = c.rt(&["list"])?.succeeded()?;
        mentions("heading", output.stdout.lines().next().unwrap_or_default(), &["PID"])?;
        mentions("table", &output.stdout, &[&c.id])
    }),
    case("list-shows-stopped", |c| {
        c.up_script("true")?;
        c.wait_for("stopped")?;
        same("status", &listed(c)?["status"], "stopped")
    }),
    case("ps-json-is-pids", |c| {
        let pid = c.up_script("sleep 1000 & wait")?;
        let output = c.rt(&["ps", "--format", "json", &c.id])?.succeeded()?;
        let pids: Vec<i32> = serde_json::from_str(&output.stdout).or_fail("ps is no array")?;
        must(pids.contains(&pid), format_args!("{pids:?} lacks {pid}"))
    }),
    case("ps-table", |c| {
        let pid = c.up()?;
        let output = c.rt(&["ps", &c.id])?.succeeded()?;
        mentions("table", &output.stdout, &[&pid.to_string()])
    }),
    case("annotations-are-kept-whole", |c| {
        let annotations = json!({"a": "", "io.example/b": "x y\"z", "c": "ä"});
        c.set("/annotations", annotations.clone());
        c.create()?;
        let state = c.state()?;
        for key in ["a", "io.example/b", "c"] {
            same(key, &state["annotations"][key], &annotations[key])?;
        }
        Ok(())
    }),
    case("state-directory-is-private", |c| {
        use std::os::unix::fs::PermissionsExt;
        c.create()?;
        let dir = c.root().join(&c.id);
        let mode = std::fs::metadata(&dir).or_fail(dir.display())?.permissions().mode() & 0o077;
        same("others' access to the state directory", mode & 0o066, 0)
    }),
];

fn listed(c: &Container) -> Verdict<Value> {
    let output = c.rt(&["list", "--format", "json"])?.succeeded()?;
    let list: Vec<Value> = serde_json::from_str(&output.stdout).or_fail("list is no JSON array")?;
    list.into_iter().find(|item| item["id"] == c.id.as_str()).or_fail("the container in list")
}
