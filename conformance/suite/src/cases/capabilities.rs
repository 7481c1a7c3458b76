//! The five capability sets, as /proc/self/status shows them.

use serde_json::json;

use crate::harness::case::{OrFail, same};
use crate::harness::kernel::{capability_mask, field_of};
use crate::harness::{Case, Container, Verdict, case};

/// See the file's head.
pub const CASES: &[Case] = &[
    case("bounding", |c| only(c, &["bounding"], "CapBnd")),
    case("effective", |c| only(c, &["bounding", "permitted", "effective"], "CapEff")),
    case("permitted", |c| only(c, &["bounding", "permitted", "effective"], "CapPrm")),
    case("inheritable", |c| only(c, &["bounding", "permitted", "effective", "inheritable"], "CapInh")),
    case("ambient", |c| only(c, &["bounding", "permitted", "effective", "inheritable", "ambient"], "CapAmb")),
    case("ambient-reaches-a-user", |c| {
        c.set("/process/user", json!({"uid": 1000, "gid": 1000}));
        only(c, &["bounding", "permitted", "effective", "inheritable", "ambient"], "CapEff")
    }),
    case("a-user-without-ambient-has-none", |c| {
        c.set("/process/user", json!({"uid": 1000, "gid": 1000}));
        sets(c, &["bounding", "permitted", "effective"], &["CAP_NET_RAW"]);
        same("CapEff", mask(c, "CapEff")?, capability_mask(&[]))
    }),
    case("none-at-all", |c| {
        sets(c, &[], &[]);
        for field in ["CapBnd", "CapEff", "CapPrm", "CapInh", "CapAmb"] {
            same(field, mask(c, field)?, capability_mask(&[]))?;
        }
        Ok(())
    }),
    case("no-capabilities-object-drops-all", |c| {
        c.remove("/process/capabilities");
        same("CapEff", mask(c, "CapEff")?, capability_mask(&[]))
    }),
    case("without-sys-admin-no-mount", |c| c.sh_is("mount -t tmpfs x /tmp 2>/dev/null; echo $?", "1")),
    case("with-sys-admin-mount", |c| {
        c.capabilities(&["CAP_SYS_ADMIN"]);
        c.sh_is("mount -t tmpfs x /tmp && echo yes", "yes")
    }),
    case("without-chown-no-chown", |c| c.sh_is("touch /dev/shm/f; chown 5 /dev/shm/f 2>/dev/null; echo $?", "1")),
    case("unknown-name-does-not-stop-a-container", |c| {
        sets(c, &["bounding", "effective", "permitted"], &["CAP_NET_RAW", "CAP_OF_TOMORROW"]);
        same("CapEff", mask(c, "CapEff")?, capability_mask(&[13]))
    })
    .note("runc warns and goes on; crun refuses"),
];

fn sets(c: &mut Container, sets: &[&str], names: &[&str]) {
    c.set("/process/capabilities", json!({}));
    for set in sets {
        c.set(&format!("/process/capabilities/{set}"), json!(names));
    }
}

fn mask(c: &mut Container, field: &str) -> Verdict<String> {
    c.args(&["cat", "/proc/self/status"]);
    field_of(&c.run()?.succeeded()?.stdout, field).or_fail(field)
}

/// Three capabilities in these sets, and no others in the field.
fn only(c: &mut Container, names: &[&str], field: &str) -> Verdict {
    sets(c, names, &["CAP_CHOWN", "CAP_NET_RAW", "CAP_SYS_CHROOT"]);
    same(field, mask(c, field)?, capability_mask(&[0, 13, 18]))
}
