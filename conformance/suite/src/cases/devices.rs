//! Device nodes and the device cgroup.

use serde_json::{Value, json};

use crate::harness::case::same;
use crate::harness::{Case, Container, Need, Verdict, case};

/// See the file's head.
pub const CASES: &[Case] = &[
    case("default-nodes", |c| {
        c.sh_is(
            "cd /dev; for n in null zero full random urandom tty; do stat -c '%F %t:%T %a' $n; done | sort -u | wc -l; \
            stat -c %t:%T null zero full random urandom tty",
            "6\n1:3\n1:5\n1:7\n1:8\n1:9\n5:0",
        )
    }),
    case("default-nodes-work", |c| {
        c.sh_is(
            "echo x > /dev/null; head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; \
            echo x 2>/dev/null > /dev/full || echo full",
            "3\n3\nfull",
        )
    }),
    case("default-modes", |c| c.sh_is("stat -c %a /dev/null /dev/zero /dev/tty | sort -u", "666")),
    case("links", |c| {
        c.sh_is(
            "for name in fd stdin stdout stderr; do readlink /dev/$name; done",
            "/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2",
        )
    }),
    case("ptmx-is-of-the-own-devpts", |c| c.sh_is("readlink /dev/ptmx", "pts/ptmx"))
        .note("a link, as all peers make it"),
    case("core-link", |c| {
        Need::File("/proc/kcore").check()?;
        c.sh_is("readlink /dev/core", "/proc/kcore")
    }),
    case("added-character-node", |c| {
        node(
            c,
            json!({"path": "/dev/mine", "type": "c", "major": 1, "minor": 3, "fileMode": 0o640, "uid": 7, "gid": 8}),
        );
        c.sh_is("stat -c '%F %t:%T %a %u:%g' /dev/mine", "character special file 1:3 640 7:8")
    }),
    case("added-block-node", |c| {
        node(c, json!({"path": "/dev/block", "type": "b", "major": 7, "minor": 200, "fileMode": 0o600}));
        c.sh_is("stat -c '%F %t:%T %a' /dev/block", "block special file 7:c8 600")
    }),
    case("added-fifo", |c| {
        node(c, json!({"path": "/dev/pipe", "type": "p", "fileMode": 0o622}));
        c.sh_is("stat -c '%F %a' /dev/pipe", "fifo 622")
    }),
    case("added-unbuffered-character-node", |c| {
        node(c, json!({"path": "/dev/u", "type": "u", "major": 1, "minor": 5}));
        c.sh_is("stat -c '%F %t:%T' /dev/u", "character special file 1:5")
    }),
    case("added-node-in-a-new-folder", |c| {
        node(c, json!({"path": "/dev/a/b/mine", "type": "c", "major": 1, "minor": 3}));
        c.sh_is("stat -c %t:%T /dev/a/b/mine", "1:3")
    }),
    case("added-node-that-is-a-default-one", |c| {
        node(c, json!({"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666}));
        c.sh_is("echo x > /dev/null && echo yes", "yes")
    }),
    case("added-node-ignores-the-umask", |c| {
        node(c, json!({"path": "/dev/mine", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666}));
        c.set("/process/user/umask", json!(0o77));
        c.sh_is("stat -c %a /dev/mine", "666")
    }),
    case("unknown-type-is-refused", |c| {
        node(c, json!({"path": "/dev/x", "type": "x", "major": 1, "minor": 3}));
        c.create_refused().map(drop)
    }),
    case("rule-denies-all-others", |c| access(c, &[json!({"allow": false, "access": "rwm"})], "no")),
    case("rule-allows-one", |c| {
        let deny = json!({"allow": false, "access": "rwm"});
        access(c, &[deny, json!({"allow": true, "type": "c", "major": 1, "minor": 11, "access": "rwm"})], "yes")
    }),
    case("rule-allows-a-major", |c| {
        let deny = json!({"allow": false, "access": "rwm"});
        access(c, &[deny, json!({"allow": true, "type": "c", "major": 1, "access": "rwm"})], "yes")
    }),
    case("rule-of-another-minor-does-not-help", |c| {
        let deny = json!({"allow": false, "access": "rwm"});
        access(c, &[deny, json!({"allow": true, "type": "c", "major": 1, "minor": 12, "access": "rwm"})], "no")
    }),
    case("rule-allow-all", |c| access(c, &[json!({"allow": true, "access": "rwm"})], "yes")),
    case("rule-order-the-last-one-wins", |c| {
        let allow = json!({"allow": true, "access": "rwm"});
        access(c, &[allow, json!({"allow": false, "type": "c", "major": 1, "minor": 11, "access": "rw"})], "no")
    }),
    case("rule-write-only", |c| {
        let deny = json!({"allow": false, "access": "rwm"});
        access(c, &[deny, json!({"allow": true, "type": "c", "major": 1, "minor": 11, "access": "wm"})], "no")
    }),
    case("mknod-is-allowed-open-is-not", |c| {
        c.capabilities(&["CAP_MKNOD"]);
        c.sh_is("mknod /dev/k c 1 11 && echo made; head -c0 /dev/k 2>/dev/null || echo refused", "made\nrefused")
    })
    .note("mknod of any device is among the default rules"),
];

fn node(c: &mut Container, device: Value) {
    c.set("/linux/devices/-", device);
}

/// Whether /dev/kmsg (1:11) can be opened for reading under these rules.
fn access(c: &mut Container, rules: &[Value], want: &str) -> Verdict {
    c.set("/linux/resources/devices", json!(rules));
    node(c, json!({"path": "/dev/kmsg-own", "type": "c", "major": 1, "minor": 11, "fileMode": 0o666}));
    c.capabilities(&["CAP_SYSLOG", "CAP_SYS_ADMIN"]);
    let seen = c.sh("(exec 3</dev/kmsg-own) 2>/dev/null && echo yes || echo no")?;
    same("the device can be opened", seen.as_str(), want)
}
