//! org.rtrun.devices and `rtrun devices`: what this machine has, by path and by CDI name, and what it has not.

use serde_json::{Value, json};

use super::realtime::{ask, needs_annotations};
use crate::harness::case::{OrFail, mentions, must, same};

use crate::harness::{Case, Container, Need, Verdict, case};

/// See the file's head.
pub const CASES: &[Case] = &[
    case("node-by-path", |c| {
        Need::File("/dev/tty60").check()?;
        ask(c, &[("devices", "/dev/tty60")])?;
        c.sh_is("stat -c '%F %t:%T %a' /dev/tty60", "character special file 4:3c 660")
    }),
    case("node-belongs-to-the-container-s-user", |c| {
        ask(c, &[("devices", "/dev/full+ro")])?;
        c.set("/process/user", json!({"uid": 1234, "gid": 56}));
        c.sh_is("stat -c '%u:%g %a' /dev/full", "1234:56 440")
    }),
    case("read-only-node-is-not-written", |c| {
        Need::File("/dev/tty61").check()?;
        ask(c, &[("devices", "/dev/tty61+ro")])?;
        c.sh_is("(: >>/dev/tty61) 2>/dev/null || echo refused", "refused")
    }),
    case("absent-node-is-refused-with-the-nearest", |c| {
        ask(c, &[("devices", "/dev/zeero")])?;
        mentions("message", &c.create_refused()?, &["did you mean /dev/zero?"])
    }),
    case("absent-card-is-refused-with-what-was-looked-for", |c| {
        ask(c, &[("devices", "bc635:31")])?;
        mentions("message", &c.create_refused()?, &["12e2:4013", "this host has"])
    }),
    case("unknown-family-is-refused-with-the-nearest", |c| {
        ask(c, &[("devices", "bc536:0")])?;
        mentions("message", &c.create_refused()?, &["mean \\\"bc635", "mean \"bc635"])
    }),
    case("absent-pci-address-is-refused", |c| {
        ask(c, &[("devices", "ffff:ff:1f.7")])?;
        mentions("message", &c.create_refused()?, &["no PCI device has this address"])
    }),
    case("unknown-cdi-name-is-refused", |c| {
        ask(c, &[("devices", "rtrun.org/none-such=0")])?;
        mentions("message", &c.create_refused()?, &["CDI"])
    }),
    case("windrvr-only-by-name-and-with-a-warning", |c| {
        Need::File("/dev/mem").check()?;
        ask(c, &[("devices", "/dev/mem")])?;
        c.script("test -c /dev/mem");
        mentions("warning", &c.run()?.succeeded()?.stderr, &["makes the container root on the host"])
    })
    .note("/dev/mem stands for WinDriver's node, which no machine has without its driver"),
    case("list-names-every-pci-device", |c| {
        needs_annotations(c)?;
        let there = std::fs::read_dir("/sys/bus/pci/devices").map(|entries| entries.count()).unwrap_or(0);
        let listed = list(c, &["devices", "--all", "--format", "json"])?;
        let pci = listed.iter().filter(|one| one["pci"]["address"].is_string()).count();
        same("PCI devices listed", pci, there)?;
        let explained = |one: &Value| one["access"] != "nothing" || one["problem"].is_string();
        must(listed.iter().all(explained), "what can't be given has its reason")
    }),
    case("list-without-cards-says-how-to-get-some", |c| {
        needs_annotations(c)?;
        let output = c.rt(&["devices"])?.succeeded()?;
        mentions("output", &output.stdout, &["/etc/rtrun/devices.toml", "NAME"])
    }),
    case("cdi-specifications-are-written-and-readable", |c| {
        needs_annotations(c)?;
        let folder = c.folder("cdi")?.display().to_string();
        c.rt(&["devices", "--cdi", &folder])?.succeeded()?;
        for entry in std::fs::read_dir(&folder).or_fail(&folder)?.flatten() {
            let text = std::fs::read_to_string(entry.path()).or_fail("read")?;
            let spec: Value = serde_json::from_str(&text).or_fail(entry.path().display())?;
            same("cdiVersion", spec["cdiVersion"].as_str(), Some("0.5.0"))?;
        }
        Ok(())
    }),
];

fn list(c: &Container, args: &[&str]) -> Verdict<Vec<Value>> {
    let output = c.rt(args)?.succeeded()?;
    serde_json::from_str(&output.stdout).or_fail("the list as JSON")
}
