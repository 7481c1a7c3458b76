//! Containers without a mount namespace.

use crate::harness::{Bundle, mount_points, skip};
use nix::mount::{MntFlags, MsFlags};
use nix::sched::CloneFlags;
use serde_json::json;
use std::fs;
use std::path::PathBuf;

#[test]
fn without_a_mount_namespace_what_only_one_can_hold_is_refused() {
    if skip() {
        return;
    }
    let mut bundle = Bundle::new("nomountns");
    bundle.spec["linux"]["namespaces"] = json!([{"type": "pid"}]);
    assert!(bundle.run("true").refused().starts_with("linux.maskedPaths: needs a mount namespace"));
    bundle.spec["linux"]["maskedPaths"] = json!([]);
    bundle.spec["linux"]["readonlyPaths"] = json!([]);
    bundle.spec["linux"]["rootfsPropagation"] = json!("rslave");
    assert!(bundle.run("true").refused().starts_with("linux.rootfsPropagation: needs a mount namespace"));
    bundle.spec["linux"]["rootfsPropagation"] = json!("");
    bundle.spec["root"]["path"] = json!("/");
    assert!(bundle.run("true").refused().starts_with("mounts: needs a mount namespace"));
    bundle.spec["root"]["path"] = json!("rootfs");
    bundle.userns = true;
    assert!(bundle.run("true").refused().starts_with("mounts: needs a mount namespace"));
}

#[test]
fn without_a_mount_namespace_one_unmount_on_the_host_undoes_all() {
    if skip() {
        return;
    }
    let mut bundle = Bundle::new("host mounts");
    bundle.spec["linux"] = json!({"namespaces": []});
    bundle.namespaces = CloneFlags::empty();
    let volume = bundle.path.join("volume");
    fs::create_dir_all(volume.join("inner")).unwrap();
    bundle.mount(json!({"destination": "/volume", "source": volume, "options": ["rbind"]}));
    bundle.mount(json!({"destination": "/volume/inner", "type": "tmpfs", "source": "t"}));
    // Here too the caller's mounts are this thread's own; all of them shared, as systemd has them.
    nix::sched::unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let change = |flags| nix::mount::mount(None::<&str>, "/", None::<&str>, flags, None::<&str>).unwrap();
    change(MsFlags::MS_REC | MsFlags::MS_PRIVATE);
    change(MsFlags::MS_REC | MsFlags::MS_SHARED);
    let before = mount_points();
    let output = bundle.run_with("ls -d /proc/self /dev/null; touch /x 2>&1 || true", |rootfs, _| {
        fs::write(bundle.path.join("cover"), serde_json::to_vec(rootfs.cover().unwrap()).unwrap()).unwrap();
    });
    assert_eq!(output.ok(), "/dev/null\n/proc/self\ntouch: /x: Read-only file system\n");
    let covered = PathBuf::from(bundle.root("").to_string_lossy().trim_end_matches('/').replace(' ', "\\040"));
    let stray = mount_points().into_iter().filter(|path| !before.contains(path) && !path.starts_with(&covered));
    assert_eq!(stray.collect::<Vec<_>>(), Vec::<PathBuf>::new());
    let cover: rtrun::rootfs::Cover = serde_json::from_slice(&fs::read(bundle.path.join("cover")).unwrap()).unwrap();
    let over = || nix::mount::umount2(&bundle.root(""), MntFlags::MNT_DETACH);
    nix::mount::mount(Some("t"), &bundle.root(""), Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
    assert!(cover.remove().unwrap_err().to_string().contains("a mount lies over the container's own"));
    over().unwrap();
    cover.remove().unwrap();
    cover.remove().unwrap();
    assert_eq!(mount_points(), before);
    assert!(fs::read_dir(bundle.root("proc")).unwrap().next().is_none());
}
