//! Bad input: each refused with a message of its own, and nothing left.

use serde_json::{Value, json};

use crate::harness::case::{OrFail, mentions, same};
use crate::harness::{Case, Container, Verdict, case};

const NAMES: &str = "that the message names the place is asked of rtrun alone";

/// See the file's head.
pub const CASES: &[Case] = &[
    case("broken-json", |c| {
        c.write_raw_config("{\n  \"ociVersion\": \"1.0.2\",\n  \"process\": {,\n")?;
        mentions("message", &c.written_refused()?, &["line 3"])
    })
    .note(NAMES),
    case("empty-config", |c| {
        c.write_raw_config("")?;
        c.written_refused().map(drop)
    }),
    case("config-that-is-a-list", |c| {
        c.write_raw_config("[]")?;
        c.written_refused().map(drop)
    }),
    case("missing-config", |c| mentions("message", &c.written_refused()?, &["config.json"])),
    case("wrong-type-names-the-field", |c| refused(c, "/process/args", json!("sh"), &["process.args", "args"]))
        .note(NAMES),
    case("wrong-type-deep", |c| {
        refused(c, "/linux/resources/memory/limit", json!("much"), &["linux.resources.memory.limit", "memory.limit"])
    })
    .note(NAMES),
    case("wrong-type-in-a-list", |c| refused(c, "/mounts/1/options", json!("ro"), &["mounts[1].options", "mounts[1]"]))
        .note(NAMES),
    case("wrong-type-user-id", |c| refused(c, "/process/user/uid", json!(-1), &["process.user.uid", "uid"]))
        .note(NAMES),
    case("missing-rootfs", |c| refused(c, "/root/path", json!("no-such-rootfs"), &["no-such-rootfs"])),
    case("rootfs-that-is-a-file", |c| refused(c, "/root/path", json!("config.json"), &[])),
    case("empty-rootfs-path", |c| refused(c, "/root/path", json!(""), &[])),
    case("no-root-object", |c| {
        c.remove("/root");
        c.create_refused().map(drop)
    }),
    case("empty-args", |c| refused(c, "/process/args", json!([]), &["args"])),
    case("empty-command", |c| refused(c, "/process/args", json!([""]), &[])),
    case("relative-cwd", |c| refused(c, "/process/cwd", json!("tmp"), &["cwd"])),
    case("empty-cwd", |c| refused(c, "/process/cwd", json!(""), &["cwd"])),
    case("missing-cwd", |c| {
        c.remove("/process/cwd");
        mentions("message", &c.create_refused()?, &["cwd"])
    }),
    case("cwd-that-is-a-file", |c| refused(c, "/process/cwd", json!("/etc/passwd"), &[])),
    case("unknown-namespace", |c| {
        refused(c, "/linux/namespaces/-", json!({"type": "parallel"}), &["parallel", "namespace"])
    }),
    case("duplicate-namespace", |c| refused(c, "/linux/namespaces/-", json!({"type": "pid"}), &["pid", "namespace"])),
    case("mapping-overlap", |c| {
        c.user_namespace(&[(0, 100_000, 100), (50, 200_000, 100)]);
        c.create_refused().map(drop)
    }),
    case("mapping-of-size-zero", |c| {
        c.user_namespace(&[(0, 100_000, 0)]);
        c.create_refused().map(drop)
    }),
    case("user-namespace-without-mappings", |c| {
        c.namespace("user", None);
        c.create_refused().map(drop)
    })
    .note("crun makes one up"),
    case("unknown-rlimit", |c| {
        refused(c, "/process/rlimits", json!([{"type": "RLIMIT_NONSENSE", "soft": 1, "hard": 1}]), &["RLIMIT_NONSENSE"])
    }),
    case("duplicate-rlimit", |c| {
        let one = json!({"type": "RLIMIT_NOFILE", "soft": 100, "hard": 100});
        refused(c, "/process/rlimits", json!([one, one]), &[])
    })
    .note("runtime-spec: MUST be an error; peers take the last one"),
    case("soft-limit-above-hard", |c| {
        refused(c, "/process/rlimits", json!([{"type": "RLIMIT_NOFILE", "soft": 200, "hard": 100}]), &[])
    }),
    case("oom-score-out-of-range", |c| refused(c, "/process/oomScoreAdj", json!(2000), &[])),
    case("negative-cpu-shares", |c| refused(c, "/linux/resources/cpu/shares", json!(-5), &["shares"])).note(NAMES),
    case("unknown-mount-type", |c| {
        c.mount("/mnt", "no-such-fs", "none", &[]);
        c.create_refused().map(drop)
    }),
    case("mount-without-destination", |c| {
        c.set("/mounts/-", json!({"type": "tmpfs", "source": "tmpfs"}));
        c.create_refused().map(drop)
    })
    .note("runc 1.1 mounts it at the root"),
    case("unknown-sysctl", |c| refused(c, "/linux/sysctl", json!({"net.ipv4.no_such_thing": "1"}), &["no_such_thing"])),
    case("sysctl-that-climbs", |c| refused(c, "/linux/sysctl", json!({"net.ipv4/../../kernel.hostname": "x"}), &[])),
    case("unknown-personality", |c| refused(c, "/linux/personality", json!({"domain": "LINUX99"}), &[]))
        .note("newer than Debian's runc"),
    case("hostname-without-uts-namespace", |c| {
        c.no_namespace("uts");
        c.create_refused().map(drop)
    }),
    case("apparmor-that-is-not-there", |c| {
        if std::path::Path::new("/sys/kernel/security/apparmor").exists() {
            return crate::harness::skip("AppArmor is here");
        }
        refused(c, "/process/apparmorProfile", json!("no-such-profile"), &["apparmor"])
    })
    .note("crun ignores it"),
    case("selinux-that-is-not-there", |c| {
        if std::path::Path::new("/sys/fs/selinux/enforce").exists() {
            return crate::harness::skip("SELinux is here");
        }
        refused(c, "/process/selinuxLabel", json!("system_u:system_r:container_t:s0"), &["selinux"])
    })
    .note("crun ignores it"),
    case("intel-rdt-that-is-not-there", |c| {
        if std::path::Path::new("/sys/fs/resctrl/schemata").exists() {
            return crate::harness::skip("resctrl is here");
        }
        refused(c, "/linux/intelRdt", json!({"closID": "x", "l3CacheSchema": "L3:0=f"}), &["rdt", "resctrl"])
    })
    .note("crun 1.8 ignores it"),
    case("time-offsets-without-namespace", |c| {
        refused(c, "/linux/timeOffsets", json!({"boottime": {"secs": 1}}), &["time"])
    })
    .note("newer than Debian's peers"),
    case("net-device-that-is-not-there", |c| {
        refused(c, "/linux/netDevices", json!({"no-such-dev": {}}), &["no-such-dev"])
    })
    .note("newer than Debian's peers"),
    case("illegal-id-with-slash", |c| id_refused(c, "../escape")),
    case("illegal-id-of-dots", |c| id_refused(c, "..")),
    case("illegal-id-of-the-ledger", |c| id_refused(c, "ledger"))
        .note("rtrun keeps the node's ledger among its containers; peers have none"),
    case("illegal-id-empty", |c| id_refused(c, "")),
    case("illegal-id-with-space", |c| id_refused(c, "a b")),
    case("missing-bundle", |c| {
        let output = c.rt(&["create", "--bundle", "/no/such/bundle", &c.id])?.refused()?;
        mentions("message", &output.stderr, &["/no/such/bundle", "no such file"])?;
        c.nothing_left()
    }),
    case("version-1-0-0", |c| version(c, "1.0.0")),
    case("version-1-2-0", |c| version(c, "1.2.0")),
    case("version-1-3-0", |c| version(c, "1.3.0")),
    case("version-1-9-of-tomorrow", |c| version(c, "1.9.0")),
    case("version-with-suffix", |c| version(c, "1.0.2-dev")),
    case("version-2-is-refused", |c| refused(c, "/ociVersion", json!("2.0.0"), &["2.0.0", "version"]))
        .note("crun and runc do not look at it"),
    case("version-that-is-none-is-refused", |c| refused(c, "/ociVersion", json!("newest"), &["newest", "version"]))
        .note("crun and runc do not look at it"),
    case("unknown-fields-are-ignored", |c| {
        c.set("/process/fieldOfTomorrow", json!({"x": [1]}));
        c.set("/vendor", json!(true));
        c.run()?.succeeded().map(drop)
    }),
    case("config-of-a-megabyte", |c| {
        let long: Vec<String> = (0..1000).map(|n| format!("V{n}={}", "x".repeat(1000))).collect();
        let mut env = vec!["PATH=/bin".to_string()];
        env.extend(long);
        c.set("/process/env", json!(env));
        c.args(&["env"]);
        // PATH, the thousand, and the HOME that a runtime adds.
        same("variables", c.run()?.succeeded()?.stdout.lines().count(), 1002)
    }),
    case("pid-file-in-a-missing-folder-is-refused", |c| {
        c.write_config()?;
        c.create_with(&["--pid-file", "/no/such/folder/pid"])?.refused()?;
        c.nothing_left()
    }),
    case("a-refused-create-can-be-repeated", |c| {
        c.set("/process/cwd", json!("relative"));
        c.create_refused()?;
        c.set("/process/cwd", json!("/"));
        c.run()?.succeeded().map(drop)
    }),
    case("read-only-state-directory", |c| {
        let root = c.tmpfs("state")?;
        let flags = nix::mount::MsFlags::MS_REMOUNT | nix::mount::MsFlags::MS_RDONLY;
        nix::mount::mount(None::<&str>, &root, None::<&str>, flags, None::<&str>).or_fail("remount")?;
        c.write_config()?;
        let (root, bundle) = (root.display().to_string(), c.bundle.display().to_string());
        let args = ["--root", &root, "create", "--bundle", &bundle, &c.id];
        crate::harness::call::Call::new(&c.runtime, args).output(&c.out())?.refused()?;
        c.nothing_left()
    }),
    case("full-state-directory", |c| {
        let root = c.tmpfs("state")?;
        let flags = nix::mount::MsFlags::MS_REMOUNT;
        nix::mount::mount(None::<&str>, &root, None::<&str>, flags, Some("size=4k,nr_inodes=20")).or_fail("remount")?;
        std::fs::write(root.join("filler"), vec![0; 4096]).or_fail("fill")?;
        c.write_config()?;
        let (at, bundle) = (root.display().to_string(), c.bundle.display().to_string());
        let args = ["--root", &at, "create", "--bundle", &bundle, &c.id];
        crate::harness::call::Call::new(&c.runtime, args).output(&c.out())?.refused()?;
        let left = root.join(&c.id).exists();
        same("a state directory left on the full file system", left, false)?;
        c.nothing_left()
    }),
];

/// create refuses `value` at `pointer` with a message that has one of `needles`.
fn refused(c: &mut Container, pointer: &str, value: Value, needles: &[&str]) -> Verdict {
    c.set(pointer, value);
    let message = c.create_refused()?;
    if needles.is_empty() { Ok(()) } else { mentions("message", &message, needles) }
}

fn id_refused(c: &mut Container, id: &str) -> Verdict {
    c.write_config()?;
    let bundle = c.bundle.display().to_string();
    c.rt(&["create", "--bundle", &bundle, id])?.refused()?;
    c.nothing_left()
}

fn version(c: &mut Container, version: &str) -> Verdict {
    c.set("/ociVersion", json!(version));
    c.run()?.succeeded().map(drop)
}
