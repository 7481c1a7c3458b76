//! Mounts: every option, types, order, destinations that are missing or links.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::harness::case::{OrFail, must, same};
use crate::harness::{Case, Container, Need, Verdict, case, cgroup};

/// See the file's head.
pub const CASES: &[Case] = &[
    case("option-ro", |c| shows(c, &["ro"], &["ro"])),
    case("option-rw", |c| shows(c, &["rw"], &["rw"])),
    case("option-nosuid", |c| shows(c, &["nosuid"], &["nosuid"])),
    case("option-nodev", |c| shows(c, &["nodev"], &["nodev"])),
    case("option-noexec", |c| shows(c, &["noexec"], &["noexec"])),
    case("option-noatime", |c| shows(c, &["noatime"], &["noatime"])),
    case("option-nodiratime", |c| shows(c, &["nodiratime"], &["nodiratime"])),
    case("option-relatime", |c| shows(c, &["relatime"], &["relatime"])),
    case("option-strictatime", |c| hides(c, &["strictatime"], &["relatime", "noatime"])),
    case("option-nosymfollow", |c| shows(c, &["nosymfollow"], &["nosymfollow"])).note("newer than Debian's runc"),
    case("option-suid-after-nosuid", |c| hides(c, &["nosuid", "suid"], &["nosuid"])),
    case("option-exec-after-noexec", |c| hides(c, &["noexec", "exec"], &["noexec"])),
    case("option-dev-after-nodev", |c| hides(c, &["nodev", "dev"], &["nodev"])),
    case("option-rw-after-ro", |c| hides(c, &["ro", "rw"], &["ro"])),
    case("option-defaults", |c| shows(c, &["defaults"], &["rw"])),
    case("option-sync", |c| shows(c, &["sync"], &["sync"])),
    case("option-dirsync", |c| shows(c, &["dirsync"], &["dirsync"])),
    case("option-size", |c| {
        c.mount("/mnt", "tmpfs", "tmpfs", &["size=64k"]);
        c.sh_is("df -k /mnt | tail -1 | tr -s ' ' | cut -d' ' -f2", "64")
    }),
    case("option-mode", |c| {
        c.mount("/mnt", "tmpfs", "tmpfs", &["mode=1751"]);
        c.sh_is("stat -c %a /mnt", "1751")
    }),
    case("option-uid-and-gid", |c| {
        c.mount("/mnt", "tmpfs", "tmpfs", &["uid=7", "gid=8"]);
        c.sh_is("stat -c %u:%g /mnt", "7:8")
    }),
    case("option-rro", |c| recursive(c, "rro", "ro")),
    case("option-rnosuid", |c| recursive(c, "rnosuid", "nosuid")),
    case("option-rnodev", |c| recursive(c, "rnodev", "nodev")),
    case("option-rnoexec", |c| recursive(c, "rnoexec", "noexec")),
    case("option-rnoatime", |c| recursive(c, "rnoatime", "noatime")),
    case("option-ro-is-not-recursive", |c| {
        let source = nested(c)?;
        c.mount("/mnt", "bind", &source, &["rbind", "ro"]);
        c.sh_is("touch /mnt/sub/file && echo yes; touch /mnt/file 2>/dev/null || echo no", "yes\nno")
    }),
    case("unknown-option-is-refused", |c| {
        c.mount("/mnt", "tmpfs", "tmpfs", &["no-such-option"]);
        c.create_refused().map(drop)
    }),
    case("tmpcopyup", |c| {
        fs::write(c.inside("/mnt/file"), "kept").or_fail("write")?;
        c.mount("/mnt", "tmpfs", "tmpfs", &["tmpcopyup"]);
        c.sh_is("cat /mnt/file; touch /mnt/new && echo yes", "keptyes")
    }),
    case("tmpcopyup-keeps-modes-and-links", |c| {
        fs::write(c.inside("/mnt/file"), "x").or_fail("write")?;
        fs::set_permissions(c.inside("/mnt/file"), std::os::unix::fs::PermissionsExt::from_mode(0o640))
            .or_fail("chmod")?;
        symlink("file", c.inside("/mnt/link")).or_fail("link")?;
        c.mount("/mnt", "tmpfs", "tmpfs", &["tmpcopyup"]);
        c.sh_is("stat -c %a /mnt/file; readlink /mnt/link", "640\nfile")
    }),
    case("bind-directory", |c| {
        let source = c.folder("source")?;
        fs::write(source.join("file"), "text").or_fail("write")?;
        c.mount("/mnt", "bind", &source, &["bind"]);
        c.sh_is("cat /mnt/file", "text")
    }),
    case("bind-without-type", |c| {
        let source = c.file("source", "text")?;
        c.set("/mounts/-", json!({"destination": "/mnt/file", "source": source, "options": ["bind"]}));
        c.sh_is("cat /mnt/file", "text")
    }),
    case("bind-source-relative-to-the-bundle", |c| {
        fs::write(c.bundle.join("beside"), "text").or_fail("write")?;
        c.mount("/mnt/file", "bind", "beside", &["bind"]);
        c.sh_is("cat /mnt/file", "text")
    }),
    case("bind-is-not-recursive", |c| {
        let source = nested(c)?;
        c.mount("/mnt", "bind", &source, &["bind"]);
        c.sh_is("ls /mnt/sub", "")
    }),
    case("rbind-is-recursive", |c| {
        let source = nested(c)?;
        c.mount("/mnt", "bind", &source, &["rbind"]);
        c.sh_is("ls /mnt/sub", "inner")
    }),
    case("bind-file-over-a-file", |c| {
        let source = c.file("source", "new")?;
        c.mount("/etc/hosts", "bind", &source, &["bind", "ro"]);
        c.sh_is("cat /etc/hosts", "new")
    }),
    case("bind-file-onto-nothing", |c| {
        let source = c.file("source", "new")?;
        c.mount("/etc/new/file", "bind", &source, &["bind"]);
        c.sh_is("cat /etc/new/file", "new")
    }),
    case("bind-missing-source-is-refused", |c| {
        c.mount("/mnt", "bind", "/nonexistent/source", &["bind"]);
        c.create_refused().map(drop)
    }),
    case("bind-directory-over-a-file-is-refused", |c| {
        let source = c.folder("source")?;
        c.mount("/etc/hosts", "bind", &source, &["bind"]);
        c.create_refused().map(drop)
    }),
    case("bind-keeps-locked-flags-out-of-the-source", |c| {
        let source = c.tmpfs("source")?;
        c.mount("/mnt", "bind", &source, &["bind", "ro"]);
        c.up()?;
        fs::write(source.join("file"), "").or_fail("the source outside became read-only")
    }),
    case("destination-is-made", |c| {
        c.mount("/srv/a/b", "tmpfs", "tmpfs", &[]);
        c.sh_is("touch /srv/a/b/c && echo yes", "yes")
    }),
    case("destination-without-leading-slash", |c| {
        c.mount("mnt", "tmpfs", "tmpfs", &[]);
        c.sh_is("touch /mnt/c && echo yes", "yes")
    })
    .note("absolute since runtime-spec 1.0, though runc accepts it with a warning"),
    case("destination-through-a-link-stays-inside", |c| {
        symlink("/etc/deep", c.inside("/way")).or_fail("link")?;
        c.mount("/way/er", "tmpfs", "tmpfs", &[]);
        c.sh_is("touch /etc/deep/er/x && echo yes", "yes")
    }),
    case("destination-through-a-link-to-the-outside-stays-inside", |c| {
        let outside = c.folder("outside")?;
        let relative = format!("../../../../../../../..{}", outside.display());
        symlink(&relative, c.inside("/way")).or_fail("link")?;
        c.mount("/way/in", "tmpfs", "tmpfs", &[]);
        // Made inside the root or refused; both are right, the outside is not touched.
        c.run()?;
        must(!outside.join("in").exists(), "a folder was made outside the root filesystem")
    })
    .note("CVE-2021-30465"),
    case("destination-with-dots-stays-inside", |c| {
        let name = format!("/../../../../../../..{}/escaped", c.dir.display());
        c.mount(&name, "tmpfs", "tmpfs", &[]);
        c.run()?;
        must(!c.dir.join("escaped").exists(), "a folder was made outside the root filesystem")
    }),
    case("order-later-covers-earlier", |c| {
        let (first, second) = (c.folder("first")?, c.folder("second")?);
        fs::write(first.join("one"), "").or_fail("write")?;
        fs::write(second.join("two"), "").or_fail("write")?;
        c.mount("/mnt", "bind", &first, &["bind"]);
        c.mount("/mnt", "bind", &second, &["bind"]);
        c.sh_is("ls /mnt", "two")
    }),
    case("order-mount-inside-a-mount", |c| {
        c.mount("/mnt", "tmpfs", "tmpfs", &[]);
        c.mount("/mnt/inner", "tmpfs", "tmpfs", &["size=64k"]);
        c.sh_is("df -k /mnt/inner | tail -1 | tr -s ' ' | cut -d' ' -f2", "64")
    }),
    case("propagation-private", |c| propagation(c, "private", "")),
    case("propagation-rprivate", |c| propagation(c, "rprivate", "")),
    case("propagation-shared", |c| propagation(c, "shared", "shared:")),
    case("propagation-rshared", |c| propagation(c, "rshared", "shared:")),
    case("propagation-slave", |c| propagation(c, "slave", "master:")),
    case("propagation-rslave", |c| propagation(c, "rslave", "master:")),
    case("propagation-unbindable", |c| propagation(c, "unbindable", "unbindable")),
    case("propagation-slave-sees-later-mounts", |c| {
        let source = c.tmpfs("source")?;
        nix::mount::mount(None::<&str>, &source, None::<&str>, nix::mount::MsFlags::MS_SHARED, None::<&str>)
            .or_fail("make shared")?;
        fs::create_dir(source.join("later")).or_fail("folder")?;
        c.mount("/mnt", "bind", &source, &["rbind", "rslave"]);
        c.up()?;
        let later = c.tmpfs("source/later")?;
        fs::write(later.join("seen"), "").or_fail("write")?;
        same("ls", c.exec_sh("ls /mnt/later")?.as_str(), "seen")
    }),
    case("proc-is-of-the-pid-namespace", |c| {
        c.sh_is("ls -d /proc/[0-9]* | wc -l | grep -q '^[1-4]$' && echo few", "few")
    }),
    case("devpts-is-new", |c| c.sh_is("ls /dev/pts", "ptmx")),
    case("mqueue", |c| c.sh_is("grep -c ' /dev/mqueue .* - mqueue ' /proc/self/mountinfo", "1")),
    case("sysfs-is-read-only", |c| {
        c.sh_is("awk '$5 == \"/sys\" { print substr($6, 1, 2) }' /proc/self/mountinfo", "ro")
    }),
    case("cgroup-shows-the-own-group", |c| {
        c.namespace("cgroup", None);
        let file = if cgroup::pure_v2() { "/sys/fs/cgroup/cgroup.procs" } else { "/sys/fs/cgroup/pids/cgroup.procs" };
        if !cgroup::pure_v2() {
            Need::V1("pids").check()?;
        }
        c.sh_is(&format!("grep -c '^1$' {file}"), "1")
    }),
    case("cgroup-without-a-cgroup-namespace-shows-the-own-group", |c| {
        let file = if cgroup::pure_v2() { "/sys/fs/cgroup/cgroup.procs" } else { "/sys/fs/cgroup/pids/cgroup.procs" };
        if !cgroup::pure_v2() {
            Need::V1("pids").check()?;
        }
        c.sh_is(&format!("grep -c '^1$' {file}"), "1")
    }),
    case("cgroup-is-read-only", |c| {
        let dir = if cgroup::pure_v2() { "/sys/fs/cgroup" } else { "/sys/fs/cgroup/memory" };
        c.sh_is(&format!("mkdir {dir}/x 2>/dev/null || echo refused"), "refused")
    }),
    case("cgroup-v1-links-of-joined-controllers", |c| {
        c.sh_is("test -e /sys/fs/cgroup/cpu/cpu.shares && test -d /sys/fs/cgroup/cpuacct && echo yes", "yes")
    })
    .needs(&[Need::V1("cpu")]),
    case("over-a-symlink-to-a-file", |c| {
        symlink("hosts", c.inside("/etc/link")).or_fail("link")?;
        let source = c.file("source", "new")?;
        c.mount("/etc/link", "bind", &source, &["bind"]);
        c.sh_is("cat /etc/hosts", "new")
    }),
    case("mount-on-the-root-proc-by-link-is-refused", |c| {
        fs::remove_dir(c.inside("/proc")).or_fail("rmdir")?;
        symlink("/tmp", c.inside("/proc")).or_fail("link")?;
        c.create_refused().map(drop)
    })
    .note("CVE-2019-16884: /proc must not be a link"),
];

/// The options (after the comma-separated list's first) that mountinfo shows for a tmpfs at /mnt.
fn options(c: &mut Container, options: &[&str]) -> Verdict<Vec<String>> {
    c.mount("/mnt", "tmpfs", "tmpfs", options);
    let line = c.sh("grep ' /mnt ' /proc/self/mountinfo")?;
    let parts: Vec<&str> = line.split(' ').collect();
    let shown = format!("{},{}", parts.get(5).or_fail("options")?, parts.last().or_fail("options")?);
    Ok(shown.split(',').map(String::from).collect())
}

fn shows(c: &mut Container, given: &[&str], want: &[&str]) -> Verdict {
    let shown = options(c, given)?;
    must(want.iter().all(|one| shown.iter().any(|other| other == one)), format_args!("{shown:?} lacks {want:?}"))
}

fn hides(c: &mut Container, given: &[&str], unwanted: &[&str]) -> Verdict {
    let shown = options(c, given)?;
    must(!shown.iter().any(|one| unwanted.contains(&one.as_str())), format_args!("{shown:?} has one of {unwanted:?}"))
}

/// A tmpfs with another one mounted at `sub`, in which lies `inner`.
fn nested(c: &mut Container) -> Verdict<std::path::PathBuf> {
    let source = c.tmpfs("source")?;
    let inner = c.tmpfs("source/sub")?;
    fs::write(inner.join("inner"), "").or_fail("write")?;
    Ok(source)
}

/// A recursive option reaches the mount below.
fn recursive(c: &mut Container, option: &str, shown: &str) -> Verdict {
    let source = nested(c)?;
    c.mount("/mnt", "bind", &source, &["rbind", option]);
    let text = c.sh("grep ' /mnt' /proc/self/mountinfo | cut -d' ' -f6")?;
    let all = text.lines().all(|line| line.split(',').any(|one| one == shown));
    must(text.lines().count() == 2 && all, format_args!("{shown} is not on both mounts: {text:?}"))
}

fn propagation(c: &mut Container, option: &str, tag: &str) -> Verdict {
    let source = c.tmpfs("source")?;
    nix::mount::mount(None::<&str>, &source, None::<&str>, nix::mount::MsFlags::MS_SHARED, None::<&str>)
        .or_fail("make shared")?;
    c.mount("/mnt", "bind", &source, &["rbind", option]);
    let line = c.sh("grep ' /mnt ' /proc/self/mountinfo")?;
    let tags = line.split(" - ").next().unwrap_or_default().split(' ').skip(6).collect::<Vec<_>>().join(" ");
    let good = if tag.is_empty() { tags.is_empty() } else { tags.contains(tag) };
    must(good, format_args!("{option}: mountinfo shows {tags:?}"))
}
