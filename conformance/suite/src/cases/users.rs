//! User namespaces: mappings, ownership, idmapped mounts.

use std::os::unix::fs::{MetadataExt, chown};

use serde_json::json;

use crate::harness::case::{OrFail, same};
use crate::harness::{Case, Container, Need, Verdict, case};

/// See the file's head.
pub const CASES: &[Case] = &[
    case("one-mapping", |c| {
        c.user_namespace(&[(0, 100_000, 65_536)]);
        c.sh_is("id -u; cat /proc/self/uid_map | tr -s ' '", "0\n 0 100000 65536")
    }),
    case("several-mappings", |c| {
        c.user_namespace(&[(0, 100_000, 10), (10, 200_000, 5), (1000, 300_000, 1)]);
        c.sh_is("cat /proc/self/gid_map | tr -s ' '", "0 100000 10\n 10 200000 5\n 1000 300000 1")
    }),
    case("outside-the-process-has-the-mapped-id", |c| {
        c.user_namespace(&[(0, 100_000, 65_536)]);
        c.set("/process/user", json!({"uid": 7, "gid": 8}));
        let pid = c.up()?;
        let owner = std::fs::metadata(format!("/proc/{pid}")).or_fail("owner")?;
        same("owner of the process", (owner.uid(), owner.gid()), (100_007, 100_008))
    }),
    case("groups", |c| {
        c.user_namespace(&[(0, 100_000, 65_536)]);
        c.set("/process/user/additionalGids", json!([5, 6]));
        c.sh_is("id -G", "0 5 6")
    }),
    case("unmapped-user-is-refused", |c| {
        c.user_namespace(&[(0, 100_000, 10)]);
        c.set("/process/user/uid", json!(50));
        c.write_config()?;
        c.create_with(&[])?.refused()?;
        c.nothing_left()
    }),
    case("mapping-without-namespace-is-refused", |c| {
        c.set("/linux/uidMappings", json!([{"containerID": 0, "hostID": 100_000, "size": 10}]));
        c.create_refused().map(drop)
    })
    .note("crun ignores it"),
    case("devices-are-usable", |c| {
        c.user_namespace(&[(0, 100_000, 65_536)]);
        c.sh_is("echo x > /dev/null && head -c 2 /dev/zero | wc -c; test -c /dev/tty && echo tty", "2\ntty")
    }),
    case("proc-and-sys-are-mounted", |c| {
        c.user_namespace(&[(0, 100_000, 65_536)]);
        c.sh_is("awk '$5 == \"/proc\" || $5 == \"/sys\"' /proc/self/mountinfo | wc -l", "2")
    }),
    case("bind-mount", |c| {
        c.user_namespace(&[(0, 100_000, 65_536)]);
        let source = c.folder("source")?;
        chown(&source, Some(100_003), Some(100_004)).or_fail("chown")?;
        c.mount("/mnt", "bind", &source, &["bind"]);
        c.sh_is("stat -c %u:%g /mnt", "3:4")
    }),
    case("root-owns-nothing-of-the-host", |c| {
        c.user_namespace(&[(0, 100_000, 65_536)]);
        c.sh_is("stat -c %u /etc/passwd", "65534")
    }),
    case("sysctl", |c| {
        c.user_namespace(&[(0, 100_000, 65_536)]);
        c.set("/linux/sysctl", json!({"net.ipv4.ip_forward": "1"}));
        c.sh_is("cat /proc/sys/net/ipv4/ip_forward", "1")
    }),
    case("setgroups-is-allowed-for-root", |c| {
        c.user_namespace(&[(0, 100_000, 65_536)]);
        c.sh_is("cat /proc/self/setgroups", "allow")
    }),
    case("idmap-with-mappings", |c| idmapped(c, &["bind", "idmap"], "1000:1001")),
    case("ridmap-with-mappings", |c| idmapped(c, &["rbind", "ridmap"], "1000:1001")),
    case("idmap-of-the-user-namespace", |c| {
        let source = c.tmpfs("source")?;
        std::fs::write(source.join("file"), "").or_fail("write")?;
        chown(source.join("file"), Some(3), Some(4)).or_fail("chown")?;
        c.user_namespace(&[(0, 100_000, 65_536)]);
        let mapping = json!([{"containerID": 0, "hostID": 100_000, "size": 65_536}]);
        c.set(
            "/mounts/-",
            json!({"destination": "/mnt", "type": "bind", "source": source, "options": ["bind"],
            "uidMappings": mapping, "gidMappings": mapping}),
        );
        c.sh_is("stat -c %u:%g /mnt/file", "3:4")
    })
    .note("newer than Debian's runc"),
    case("idmap-writes-come-back-mapped", |c| {
        let source = c.tmpfs("source")?;
        std::fs::set_permissions(&source, std::os::unix::fs::PermissionsExt::from_mode(0o777)).or_fail("chmod")?;
        idmap(c, &source, &["bind", "idmap"]);
        c.set("/process/user", json!({"uid": 1000, "gid": 1001}));
        c.sh("touch /mnt/made")?;
        let meta = std::fs::metadata(source.join("made")).or_fail("made")?;
        same("owner outside", (meta.uid(), meta.gid()), (0, 1))
    })
    .note("newer than Debian's runc"),
];

/// A file of user 0 and group 1 is seen as `want` through an idmapped mount.
fn idmapped(c: &mut Container, options: &[&str], want: &str) -> Verdict {
    Need::File("/proc/self/ns/user").check()?;
    let source = c.tmpfs("source")?;
    std::fs::write(source.join("file"), "").or_fail("write")?;
    chown(source.join("file"), Some(0), Some(1)).or_fail("chown")?;
    idmap(c, &source, options);
    c.sh_is("stat -c %u:%g /mnt/file", want)
}

/// Mounts `source` with 0 to 9 inside the file system shown as 1000 to 1009.
fn idmap(c: &mut Container, source: &std::path::Path, options: &[&str]) {
    let mapping = json!([{"containerID": 0, "hostID": 1000, "size": 10}]);
    c.set(
        "/mounts/-",
        json!({"destination": "/mnt", "type": "bind", "source": source, "options": options,
        "uidMappings": mapping, "gidMappings": mapping}),
    );
}
