use crate::harness::{Bundle, skip};
use nix::mount::MsFlags;
use nix::sched::CloneFlags;
use serde_json::json;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;

fn bundle(name: &str) -> Bundle {
    let mut bundle = Bundle::new(name);
    bundle.userns = true;
    bundle.spec["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
    let maps = json!([{"containerID": 0, "hostID": 100000, "size": 65536}]);
    bundle.spec["linux"]["uidMappings"] = maps.clone();
    bundle.spec["linux"]["gidMappings"] = maps;
    assert!(Command::new("chown").arg("-R").arg("100000:100000").arg(bundle.root("")).status().unwrap().success());
    bundle
}

#[test]
fn devices_are_the_hosts_and_open() {
    if skip() {
        return;
    }
    let output = bundle("userns").run("echo x >/dev/null; head -c 2 /dev/zero | wc -c; stat -c '%F %t:%T' /dev/full /proc/keys; grep ' /dev' /proc/self/mountinfo").ok();
    assert!(output.starts_with("2\ncharacter special file 1:7\ncharacter special file 1:3\n"), "{output}");
    assert!(output.contains(" /dev/urandom "), "{output}");
}

#[test]
fn a_renamed_device_is_found_by_its_number() {
    if skip() {
        return;
    }
    let mut bundle = bundle("renamed");
    bundle.spec["linux"]["devices"] = json!([{"path": "/dev/mine", "type": "c", "major": 1, "minor": 5}]);
    assert_eq!(bundle.run("stat -c '%F %t:%T' /dev/mine").ok(), "character special file 1:5\n");
    bundle.spec["linux"]["devices"][0]["minor"] = json!(99);
    assert!(bundle.run("true").refused().contains("linux.devices (/dev/mine): opening the host's node: ENOENT"));
}

#[test]
fn a_source_that_only_the_parent_reaches_is_mounted_and_does_not_propagate() {
    if skip() {
        return;
    }
    let mut bundle = bundle("usersource");
    let secret = bundle.path.join("secret/data");
    fs::create_dir_all(&secret).unwrap();
    fs::write(secret.join("file"), "for you").unwrap();
    fs::set_permissions(bundle.path.join("secret"), fs::Permissions::from_mode(0o700)).unwrap();
    bundle.mount(json!({"destination": "/data", "source": secret, "options": ["rbind", "ro"]}));
    let output = bundle.run("cat /data/file; grep ' /data ' /proc/self/mountinfo").ok();
    assert!(output.starts_with("for you") && output.contains(" /data ro,"), "{output}");
    assert!(!output.contains("shared:"), "{output}");
}

#[test]
fn a_root_that_only_the_parent_reaches_is_entered() {
    if skip() {
        return;
    }
    let bundle = bundle("userroot");
    fs::set_permissions(&bundle.path, fs::Permissions::from_mode(0o700)).unwrap();
    let output = bundle.run("ls -d /bin/sh; grep -c . /proc/self/mountinfo").ok();
    assert!(output.starts_with("/bin/sh\n"), "{output}");
}

#[test]
fn an_idmapped_volume_shows_the_containers_owners() {
    if skip() {
        return;
    }
    let mut bundle = bundle("useridmap");
    let data = bundle.path.join("data");
    fs::create_dir(&data).unwrap();
    chown(&data, Some(7), Some(8)).unwrap();
    bundle.mount(json!({"destination": "/data", "source": data, "options": ["bind", "idmap"]}));
    assert_eq!(bundle.run("stat -c '%u %g' /data").ok(), "7 8\n");
}

/// The kernel lets a user namespace add flags to the host's mounts, not take them away.
#[test]
fn a_locked_flag_is_kept_and_can_not_be_cleared() {
    if skip() {
        return;
    }
    let mut bundle = bundle("locked");
    let data = bundle.path.join("data");
    fs::create_dir(&data).unwrap();
    // The host's mount lives in this test thread's own namespace, and dies with it.
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    nix::mount::mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID;
    nix::mount::mount(Some("t"), &data, Some("tmpfs"), flags, None::<&str>).unwrap();
    bundle.mount(json!({"destination": "/data", "source": data, "options": ["rbind", "nodev"]}));
    let output = bundle.run("grep ' /data ' /proc/self/mountinfo; mount -o remount,rw,bind /data 2>&1 || true").ok();
    assert!(output.contains(" /data ro,nosuid,nodev,"), "{output}");
    assert!(output.contains("ermission denied"), "{output}");
    bundle.spec["mounts"][7]["options"] = json!(["rbind", "rw"]);
    let message = bundle.run("true").refused();
    assert!(message.contains("locked in this user namespace"), "{message}");
    nix::mount::umount2(&data, nix::mount::MntFlags::MNT_DETACH).unwrap();
}

#[test]
fn without_its_own_namespaces_the_container_sees_the_hosts_filesystems() {
    if skip() {
        return;
    }
    let mut bundle = bundle("hostns");
    bundle.namespaces.remove(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWUTS);
    let output = bundle.run("grep ' /sys ' /proc/self/mountinfo").ok();
    assert!(output.contains(" /sys ro,nosuid,nodev,noexec,relatime - sysfs "), "{output}");
}

#[test]
fn cgroup_mounts_work_in_user_and_cgroup_namespaces() {
    if skip() {
        return;
    }
    for own in [false, true] {
        let mut bundle = bundle("usercgroup");
        bundle.cgroup_namespace = own;
        let output = bundle.run("grep ' /sys/fs/cgroup' /proc/self/mountinfo").ok();
        assert!(output.lines().all(|line| line.contains(" ro,nosuid,nodev,noexec,relatime")), "{output}");
    }
}

#[test]
fn what_the_kernel_refuses_and_the_host_lacks_is_an_error() {
    if skip() {
        return;
    }
    let mut bundle = bundle("hostipc");
    bundle.namespaces.remove(CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS);
    if std::path::Path::new("/dev/mqueue").exists() {
        bundle.run("true").ok();
    } else {
        let message = bundle.run("true").refused();
        assert!(message.contains("(/dev/mqueue): making filesystem mqueue") && message.contains("EPERM"), "{message}");
    }
}

/// `runc spec --rootless`: the host's /sys, no group for terminals.
#[test]
fn an_ordinary_user_makes_a_container() {
    if skip() {
        return;
    }
    let mut bundle = bundle("rootless");
    bundle.rootless = true;
    bundle.namespaces.remove(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWUTS);
    let map = json!([{"containerID": 0, "hostID": 12345, "size": 1}]);
    bundle.spec["linux"]["uidMappings"] = map.clone();
    bundle.spec["linux"]["gidMappings"] = map;
    assert!(Command::new("chown").arg("-R").arg("12345:12345").arg(bundle.root("")).status().unwrap().success());
    bundle.without("/sys");
    let options = json!(["rbind", "nosuid", "noexec", "nodev", "ro"]);
    bundle.mount(json!({"destination": "/sys", "source": "/sys", "options": options}));
    let output =
        bundle.run("id -u; stat -c '%t:%T' /dev/zero /proc/keys; grep -E ' /(sys|dev/pts) ' /proc/self/mountinfo").ok();
    assert!(output.starts_with("0\n1:5\n1:3\n"), "{output}");
    assert!(output.contains(" /sys ro,nosuid,nodev,noexec") && !output.contains("gid=5"), "{output}");
}
