use crate::harness::{Bundle, mount_points, skip};
use nix::mount::{MntFlags, MsFlags};
use nix::sched::CloneFlags;
use serde_json::json;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

#[test]
fn runc_spec_has_its_mounts_devices_links_and_masks() {
    if skip() {
        return;
    }
    let output = Bundle::new("spec").run("cat /proc/self/mountinfo; ls -l /dev; stat -c '%n %F %t:%T' /proc/timer_list /proc/keys; ls /proc/acpi | wc -l; pwd; touch /x && echo bad; echo 1 >/proc/sys/kernel/printk && echo bad || true").ok();
    for line in [
        " /proc rw,relatime - proc proc rw",
        " /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755",
        " /dev/pts rw,nosuid,noexec,relatime - devpts devpts rw,gid=5,mode=620,ptmxmode=666",
        " /dev/shm rw,nosuid,nodev,noexec,relatime - tmpfs shm rw,size=65536k",
        " /dev/mqueue rw,nosuid,nodev,noexec,relatime - mqueue mqueue rw",
        " /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs",
        " /proc/sys ro,relatime - proc proc rw",
        "/proc/timer_list character special file 1:3",
        "/proc/keys character special file 1:3",
        "fd -> /proc/self/fd",
        "stderr -> /proc/self/fd/2",
        "ptmx -> pts/ptmx",
    ] {
        assert!(output.contains(line), "{line}: {output}");
    }
    for device in ["null", "zero", "full", "random", "urandom", "tty"] {
        let is_node = |line: &str| line.starts_with("crw-rw-rw-") && line.ends_with(&format!(" {device}"));
        assert!(output.lines().any(is_node), "{device}: {output}");
    }
    assert!(output.ends_with("/\n") || output.contains("\n/\n"), "{output}");
    assert!(!output.contains("bad"), "{output}");
}

#[test]
fn the_last_mounts_are_the_containers_only() {
    if skip() {
        return;
    }
    let output = Bundle::new("detached").run("cat /proc/self/mountinfo").ok();
    assert!(!output.contains("model_tools") && !output.contains(" /run/netns "), "{output}");
    assert!(output.lines().any(|line| line.contains("/rootfs / ro,")), "{output}");
}

#[test]
fn bind_mounts_of_files_and_directories_make_their_targets() {
    if skip() {
        return;
    }
    let mut bundle = Bundle::new("bind");
    fs::create_dir(bundle.path.join("data")).unwrap();
    fs::write(bundle.path.join("data/file"), "hello").unwrap();
    let data = bundle.path.join("data");
    bundle.mount(json!({"destination": "/a/b/c", "source": data, "options": ["rbind", "ro", "nosuid", "noexec"]}));
    bundle.mount(json!({"destination": "/etc/new/file", "type": "bind", "source": "data/file", "options": ["rw"]}));
    let output = bundle.run("cat /a/b/c/file /etc/new/file; grep -E ' /a/b/c | /etc/new/file ' /proc/self/mountinfo; touch /a/b/c/x 2>&1 || true; echo more >>/etc/new/file").ok();
    assert!(output.starts_with("hellohello"), "{output}");
    assert!(output.contains(" /a/b/c ro,nosuid,noexec,"), "{output}");
    assert!(output.contains("Read-only file system"), "{output}");
    assert_eq!(fs::read_to_string(bundle.path.join("data/file")).unwrap(), "hellomore\n");
}

#[test]
fn a_missing_source_names_the_mount() {
    if skip() {
        return;
    }
    let mut bundle = Bundle::new("missing");
    bundle.mount(json!({"destination": "/a", "source": "/nowhere/at/all", "options": ["bind"]}));
    let message = bundle.run("true").refused();
    assert!(message.starts_with("mounts[7] (/a): source /nowhere/at/all: ENOENT"), "{message}");
}

#[test]
fn an_option_that_the_filesystem_refuses_is_named() {
    if skip() {
        return;
    }
    let mut bundle = Bundle::new("option");
    bundle.mount(json!({"destination": "/t", "type": "tmpfs", "source": "t", "options": ["nosuid", "sizes=3"]}));
    let message = bundle.run("true").refused();
    assert!(
        message.contains("mounts[7] (/t)") && message.contains("sizes=3") && message.contains("EINVAL"),
        "{message}"
    );
    bundle.spec["mounts"][7] = json!({"destination": "/t", "source": "/tmp", "options": ["bind", "roo"]});
    let message = bundle.run("true").refused();
    assert!(message.contains("mounts[7] (/t)") && message.contains("roo"), "{message}");
}

#[test]
fn recursive_read_only_reaches_submounts_and_plain_does_not() {
    if skip() {
        return;
    }
    for (option, submount) in [("rro", "ro"), ("ro", "rw")] {
        let mut bundle = Bundle::new("rro");
        bundle.mount(json!({"destination": "/src", "type": "tmpfs", "source": "t", "options": ["mode=755"]}));
        bundle.mount(json!({"destination": "/src/sub", "type": "tmpfs", "source": "t"}));
        let source = bundle.root("src");
        bundle.mount(json!({"destination": "/dst", "source": source, "options": ["rbind", option, "rnodev"]}));
        let output = bundle.run("grep ' /dst' /proc/self/mountinfo").ok();
        assert!(output.contains(" /dst ro,nodev,"), "{output}");
        assert!(output.contains(&format!(" /dst/sub {submount},nodev,")), "{option}: {output}");
    }
}

#[test]
fn access_time_and_other_flags_reach_the_kernel() {
    if skip() {
        return;
    }
    let mut bundle = Bundle::new("flags");
    let cases = [
        (vec!["noatime"], "rw,noatime - "),
        (vec!["strictatime"], "rw - "),
        (vec!["relatime"], "rw,relatime - "),
        (vec!["nodiratime"], "rw,nodiratime,relatime - "),
        (vec!["nosymfollow"], "rw,relatime,nosymfollow - "),
        (vec!["ro", "nodev"], "ro,nodev,relatime - "),
        (vec!["sync", "dirsync", "lazytime", "silent", "defaults"], "rw,relatime - tmpfs t rw,sync,dirsync,lazytime"),
        (vec!["iversion"], "rw,relatime - "),
    ];
    for (number, (options, _)) in cases.iter().enumerate() {
        bundle.mount(json!({"destination": format!("/t{number}"), "type": "tmpfs", "source": "t", "options": options}));
    }
    let output = bundle.run("cat /proc/self/mountinfo").ok();
    for (number, (options, expected)) in cases.iter().enumerate() {
        assert!(output.contains(&format!(" /t{number} {expected}")), "{options:?}: {output}");
    }
}

#[test]
fn propagation_is_set_per_mount() {
    if skip() {
        return;
    }
    let mut bundle = Bundle::new("propagation");
    for (destination, option) in [("/s", "rshared"), ("/p", "private"), ("/u", "unbindable")] {
        bundle.mount(json!({"destination": destination, "type": "tmpfs", "source": "t", "options": [option]}));
    }
    let output = bundle.run("cat /proc/self/mountinfo").ok();
    let line = |path: &str| output.lines().find(|line| line.contains(&format!(" {path} "))).unwrap();
    assert!(line("/s").contains("shared:"), "{output}");
    assert!(line("/u").contains("unbindable"), "{output}");
    assert!(!line("/p").contains("shared:"), "{output}");
}

#[test]
fn rootfs_propagation_is_as_asked() {
    if skip() {
        return;
    }
    for (value, mark) in [("shared", "shared:"), ("unbindable", "unbindable"), ("rprivate", "relatime - ")] {
        let mut bundle = Bundle::new("rootprop");
        bundle.spec["linux"]["rootfsPropagation"] = json!(value);
        let output = bundle.run("grep ' / / \\|rootfs / ' /proc/self/mountinfo").ok();
        assert!(output.contains(mark), "{value}: {output}");
    }
    let mut bundle = Bundle::new("rootprop");
    bundle.spec["linux"]["rootfsPropagation"] = json!("sideways");
    assert!(bundle.run("true").refused().contains("\"sideways\" is none of shared"));
}

#[test]
fn a_read_only_root_leaves_the_mounts_writable_but_for_their_own_ro() {
    if skip() {
        return;
    }
    let mut bundle = Bundle::new("readonly");
    bundle.spec["root"]["readonly"] = json!(true);
    bundle.mount(json!({"destination": "/rw", "type": "tmpfs", "source": "t"}));
    bundle.mount(json!({"destination": "/ro", "type": "tmpfs", "source": "t", "options": ["ro"]}));
    bundle.mount(json!({"destination": "/ro/inside", "type": "tmpfs", "source": "t"}));
    let output = bundle.run("touch /x 2>&1 || true; touch /rw/x /ro/inside/x /dev/x; touch /ro/x 2>&1 || true").ok();
    assert_eq!(output.matches("Read-only file system").count(), 2, "{output}");
}

#[test]
fn a_tmpfs_looks_like_the_directory_it_covers() {
    if skip() {
        return;
    }
    let mut bundle = Bundle::new("tmpfsmode");
    fs::create_dir(bundle.root("covered")).unwrap();
    fs::set_permissions(bundle.root("covered"), fs::Permissions::from_mode(0o2750)).unwrap();
    bundle.mount(json!({"destination": "/covered", "type": "tmpfs", "source": "t"}));
    bundle.mount(json!({"destination": "/fresh", "type": "tmpfs", "source": "t"}));
    bundle.mount(json!({"destination": "/asked", "type": "tmpfs", "source": "t", "options": ["mode=0711", "uid=7"]}));
    let output = bundle.run("stat -c '%n %a %u' /covered /fresh /asked").ok();
    assert_eq!(output, "/covered 2750 0\n/fresh 1777 0\n/asked 711 7\n");
}

#[test]
fn tmpcopyup_starts_with_what_was_there() {
    if skip() {
        return;
    }
    let mut bundle = Bundle::new("copyup");
    let top = bundle.root("top");
    fs::create_dir_all(top.join("dir")).unwrap();
    fs::write(top.join("dir/file"), "content").unwrap();
    fs::set_permissions(top.join("dir/file"), fs::Permissions::from_mode(0o4751)).unwrap();
    chown(top.join("dir/file"), Some(12), Some(34)).unwrap();
    fs::set_permissions(top.join("dir/file"), fs::Permissions::from_mode(0o4751)).unwrap();
    fs::hard_link(top.join("dir/file"), top.join("again")).unwrap();
    symlink("dir/file", top.join("link")).unwrap();
    rustix::fs::setxattr(top.join("dir"), c"trusted.test", b"value", rustix::fs::XattrFlags::empty()).unwrap();
    nix::unistd::mkfifo(&top.join("fifo"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    bundle.mount(json!({"destination": "/top", "type": "tmpfs", "source": "t", "options": ["tmpcopyup", "nodev"]}));
    let output = bundle
        .run("stat -c '%n %a %u %g %h' /top/dir/file; readlink /top/link; cat /top/again; test -p /top/fifo && echo fifo; echo x >/top/dir/new")
        .ok();
    assert_eq!(output, "/top/dir/file 4751 12 34 2\ndir/file\ncontentfifo\n");
    assert!(!top.join("dir/new").exists(), "written through to the image");
}

#[test]
fn devices_have_their_numbers_modes_and_owners() {
    if skip() {
        return;
    }
    let mut bundle = Bundle::new("devices");
    bundle.spec["linux"]["devices"] = json!([
        {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o640, "uid": 3, "gid": 4},
        {"path": "/deep/er/disk", "type": "b", "major": 8, "minor": 300},
        {"path": "/dev/pipe", "type": "p", "fileMode": 0o600},
        {"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o622},
    ]);
    let output = bundle.run("stat -c '%n %F %a %t:%T %u:%g' /dev/fuse /deep/er/disk /dev/pipe /dev/null").ok();
    let expected = "/dev/fuse character special file 640 a:e5 3:4\n/deep/er/disk block special file 666 8:12c 0:0\n/dev/pipe fifo 600 0:0 0:0\n/dev/null character special file 622 1:3 0:0\n";
    assert_eq!(output, expected);
}

#[test]
fn a_device_that_is_something_else_in_the_image_is_refused() {
    if skip() {
        return;
    }
    let mut bundle = Bundle::new("mismatch");
    fs::write(bundle.root("node"), "").unwrap();
    bundle.spec["linux"]["devices"] = json!([{"path": "/node", "type": "c", "major": 1, "minor": 3}]);
    let message = bundle.run("true").refused();
    assert!(message.contains("(/node)") && message.contains("not CharacterDevice 1:3"), "{message}");
}

#[test]
fn overlay_takes_data_longer_than_fsconfig_does() {
    if skip() {
        return;
    }
    let mut bundle = Bundle::new("overlay");
    let mut lower = Vec::new();
    for number in 0..9 {
        let directory = bundle.path.join(format!("layer-with-a-long-name-{number}"));
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join(number.to_string()), "").unwrap();
        lower.push(directory.display().to_string());
    }
    let option = format!("lowerdir={}", lower.join(":"));
    assert!(option.len() > 400);
    bundle.mount(json!({"destination": "/over", "type": "overlay", "source": "o", "options": [option, "ro"]}));
    let output = bundle.run("ls /over | wc -l; grep ' /over ro,' /proc/self/mountinfo | wc -l").ok();
    assert_eq!(output, "9\n1\n");
    fs::remove_dir_all(bundle.path.join("layer-with-a-long-name-4")).unwrap();
    let message = bundle.run("true").refused();
    assert!(message.contains("mounts[7] (/over)") && message.contains("mount(2): ENOENT"), "{message}");
}

#[test]
fn remount_changes_an_earlier_mount() {
    if skip() {
        return;
    }
    let mut bundle = Bundle::new("remount");
    bundle.mount(json!({"destination": "/t", "type": "tmpfs", "source": "t", "options": ["size=1m"]}));
    bundle.mount(
        json!({"destination": "/t", "type": "tmpfs", "source": "t", "options": ["remount", "size=2m", "nodev"]}),
    );
    bundle.mount(json!({"destination": "/t", "type": "bind", "options": ["remount", "bind", "ro"]}));
    let output = bundle.run("grep ' /t ' /proc/self/mountinfo").ok();
    assert!(output.contains(" /t ro,nodev,relatime - tmpfs t rw,size=2048k"), "{output}");
}

#[test]
fn idmapped_mounts_show_shifted_owners() {
    if skip() {
        return;
    }
    let mut bundle = Bundle::new("idmap");
    let data = bundle.path.join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("file"), "").unwrap();
    chown(data.join("file"), Some(5), Some(6)).unwrap();
    let maps = json!([{"containerID": 0, "hostID": 1000, "size": 100}]);
    bundle.mount(json!({"destination": "/m", "source": data, "options": ["rbind", "ridmap"], "uidMappings": maps, "gidMappings": maps}));
    assert_eq!(bundle.run("stat -c '%u %g' /m/file").ok(), "1005 1006\n");
    assert_eq!(fs::metadata(data.join("file")).unwrap().uid(), 5);
    bundle.spec["mounts"][7]["gidMappings"] = json!([]);
    assert!(bundle.run("true").refused().contains("needs both uidMappings and gidMappings"));
}

#[test]
fn copy_symlink_and_the_nofollow_options_are_as_cruns() {
    if skip() {
        return;
    }
    let mut bundle = Bundle::new("links");
    symlink("somewhere/else", bundle.path.join("link")).unwrap();
    bundle.mount(json!({"destination": "/x/copied", "source": "link", "options": ["bind", "copy-symlink"]}));
    assert_eq!(bundle.run("readlink /x/copied").ok(), "somewhere/else\n");
}

#[test]
fn no_pivot_moves_the_root_and_hides_the_hosts_proc() {
    if skip() {
        return;
    }
    let mut bundle = Bundle::new("nopivot");
    bundle.no_pivot = true;
    let output = bundle.run("ls -d /proc/1 /bin/sh; touch /x 2>&1 || true").ok();
    assert_eq!(output, "/bin/sh\n/proc/1\ntouch: /x: Read-only file system\n");
}

#[test]
fn cgroup_hierarchies_are_bound_read_only() {
    if skip() {
        return;
    }
    let output = Bundle::new("cgroup").run("grep ' /sys/fs/cgroup' /proc/self/mountinfo; ls /sys/fs/cgroup").ok();
    let mounts = output.lines().filter(|line| line.contains(" /sys/fs/cgroup")).collect::<Vec<_>>();
    assert!(
        !mounts.is_empty() && mounts.iter().all(|line| line.contains(" ro,nosuid,nodev,noexec,relatime")),
        "{output}"
    );
}

#[test]
fn cgroup_hierarchies_are_mounted_anew_in_a_cgroup_namespace() {
    if skip() {
        return;
    }
    let mut bundle = Bundle::new("cgroupns");
    bundle.cgroup_namespace = true;
    let output = bundle.run("grep ' /sys/fs/cgroup' /proc/self/mountinfo").ok();
    assert!(output.lines().all(|line| line.contains(" ro,nosuid,nodev,noexec,relatime")), "{output}");
    assert!(output.lines().skip(1).all(|line| line.contains(" - cgroup")), "{output}");
}

#[test]
fn shared_propagation_reaches_the_host_from_volumes_only() {
    if skip() {
        return;
    }
    let mut bundle = Bundle::new("rshared");
    let volume = bundle.path.join("volume");
    fs::create_dir(&volume).unwrap();
    // The host of this test is its thread's own mount namespace, all shared.
    nix::sched::unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let change = |flags| nix::mount::mount(None::<&str>, "/", None::<&str>, flags, None::<&str>).unwrap();
    change(MsFlags::MS_REC | MsFlags::MS_PRIVATE);
    change(MsFlags::MS_REC | MsFlags::MS_SHARED);
    // A mount of its own: that which holds the root is made private in the container.
    let mount = |path: &std::path::Path| {
        nix::mount::mount(Some("t"), path, Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap()
    };
    mount(&volume);
    fs::create_dir(volume.join("sub")).unwrap();
    bundle.spec["linux"]["rootfsPropagation"] = json!("rshared");
    bundle.mount(json!({"destination": "/volume", "source": volume, "options": ["rbind", "rshared"]}));
    bundle.mount(json!({"destination": "/tmp", "type": "tmpfs", "source": "t"}));
    let before = mount_points();
    let outcome = bundle.run_with("ls -d /volume/sub", |_, _| {
        mount(&bundle.root("volume/sub"));
    });
    outcome.ok();
    let after = mount_points();
    let new = after.iter().filter(|path| !before.contains(path)).collect::<Vec<_>>();
    assert_eq!(new, [&volume.join("sub")], "{after:?}");
    assert!(before.iter().all(|path| after.contains(path)), "the host lost mounts: {before:?} {after:?}");
    nix::mount::umount2(&volume, MntFlags::MNT_DETACH).unwrap();
}
