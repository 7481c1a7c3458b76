//! The root filesystem as a whole: masked and read-only paths, root.readonly, rootfsPropagation.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::harness::case::{OrFail, must};
use crate::harness::{Case, Verdict, case};

/// See the file's head.
pub const CASES: &[Case] = &[
    case("masked-file-is-empty", |c| {
        fs::write(c.inside("/etc/secret"), "secret").or_fail("write")?;
        c.set("/linux/maskedPaths", json!(["/etc/secret"]));
        c.sh_is("cat /etc/secret | wc -c", "0")
    }),
    case("masked-directory-is-empty-and-read-only", |c| {
        c.set("/linux/maskedPaths", json!(["/etc/deep"]));
        c.sh_is("ls /etc/deep; touch /etc/deep/x 2>/dev/null || echo refused", "refused")
    }),
    case("masked-missing-path-is-no-error", |c| {
        c.set("/linux/maskedPaths", json!(["/no/such/path"]));
        c.run()?.succeeded().map(drop)
    }),
    case("masked-proc-kcore", |c| c.sh_is("head -c 1 /proc/kcore 2>/dev/null | wc -c", "0")),
    case("masked-sys-firmware", |c| c.sh_is("ls /sys/firmware | wc -l", "0")),
    case("masked-by-a-link-as-dev-null-is-safe", |c| {
        // CVE-2025-31133: an image whose /dev/null is a link must not redirect what masks.
        c.config["mounts"]
            .as_array_mut()
            .or_fail("mounts")?
            .retain(|mount| !mount["destination"].as_str().unwrap_or_default().starts_with("/dev"));
        fs::write(c.inside("/etc/other"), "other").or_fail("write")?;
        fs::write(c.inside("/etc/secret"), "secret").or_fail("write")?;
        symlink("/etc/other", c.inside("/dev/null")).or_fail("link")?;
        c.set("/linux/maskedPaths", json!(["/etc/secret"]));
        c.script("cat /etc/secret");
        let output = c.run()?;
        must(!output.stdout.contains("other") && !output.stdout.contains("secret"), format_args!("read {output}"))
    })
    .note("CVE-2025-31133"),
    case("read-only-path", |c| {
        c.set("/root/readonly", json!(false));
        c.set("/linux/readonlyPaths", json!(["/etc"]));
        c.sh_is("touch /etc/x 2>/dev/null || echo refused; touch /var/x && echo yes", "refused\nyes")
    }),
    case("read-only-file", |c| {
        c.set("/root/readonly", json!(false));
        c.set("/linux/readonlyPaths", json!(["/etc/hosts"]));
        c.sh_is("echo x 2>/dev/null > /etc/hosts || echo refused", "refused")
    }),
    case("read-only-missing-path-is-no-error", |c| {
        c.set("/linux/readonlyPaths", json!(["/no/such/path"]));
        c.run()?.succeeded().map(drop)
    }),
    case("read-only-proc-sys", |c| c.sh_is("echo 1 2>/dev/null > /proc/sys/kernel/msgmax || echo refused", "refused")),
    case("read-only-sysrq-trigger", |c| c.sh_is("echo h 2>/dev/null > /proc/sysrq-trigger || echo refused", "refused")),
    case("root-read-only", |c| c.sh_is("touch /x 2>/dev/null || echo refused", "refused")),
    case("root-writable", |c| {
        c.set("/root/readonly", json!(false));
        c.sh("touch /x")?;
        must(c.inside("/x").exists(), "the file is not in the root filesystem")
    }),
    case("root-read-only-with-writable-mounts", |c| {
        c.mount("/tmp", "tmpfs", "tmpfs", &[]);
        c.sh_is("touch /tmp/x && echo yes", "yes")
    }),
    case("root-propagation-private", |c| root(c, "private", "")),
    case("root-propagation-slave", |c| root(c, "slave", "")),
    case("root-propagation-shared", |c| root(c, "shared", "shared:")),
    case("root-propagation-unbindable", |c| root(c, "unbindable", "unbindable")),
    case("root-propagation-unknown-is-refused", |c| {
        c.set("/linux/rootfsPropagation", json!("sideways"));
        c.create_refused().map(drop)
    }),
    case("the-hosts-root-is-not-reachable", |c| {
        let outside = c.file("outside", "outside")?;
        c.script(&format!("ls {}; cd ..; cd ../../..; ls bin | head -1", outside.display()));
        let output = c.run()?;
        must(output.stdout.trim() == "[", format_args!("saw {output}"))
    }),
    case("root-is-a-mount-point-alone", |c| c.sh_is("awk '$5 == \"/\"' /proc/self/mountinfo | wc -l", "1")),
    case("the-bundle-is-not-changed-by-a-read-only-run", |c| {
        let before = fs::read_dir(c.inside("/")).or_fail("rootfs")?.count();
        c.run()?.succeeded()?;
        must(fs::read_dir(c.inside("/")).or_fail("rootfs")?.count() == before, "entries in the root filesystem changed")
    }),
];

fn root(c: &mut crate::harness::Container, value: &str, tag: &str) -> Verdict {
    c.set("/linux/rootfsPropagation", json!(value));
    let line = c.sh("awk '$5 == \"/\"' /proc/self/mountinfo")?;
    let tags = line.split(" - ").next().unwrap_or_default().split(' ').skip(6).collect::<Vec<_>>().join(" ");
    let good = if tag.is_empty() { !tags.contains("shared:") } else { tags.contains(tag) };
    must(good, format_args!("rootfsPropagation {value}: mountinfo shows {tags:?}"))
}
