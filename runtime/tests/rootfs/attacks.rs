//! What hostile images tried on other runtimes. A version that mounts by path fails each of these.

use crate::harness::{Bundle, mount_points, skip};
use serde_json::json;
use std::fs;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn an_absolute_link_in_the_image_is_followed_inside_the_root() {
    if skip() {
        return;
    }
    let mut bundle = Bundle::new("abslink");
    let outside = bundle.path.join("outside");
    fs::create_dir(&outside).unwrap();
    symlink(&outside, bundle.root("link")).unwrap();
    symlink("../../../../../../etc/made", bundle.root("dangling")).unwrap();
    bundle.mount(json!({"destination": "/link/below", "type": "tmpfs", "source": "t"}));
    bundle.mount(json!({"destination": "/dangling", "source": "/etc/hostname", "options": ["bind"]}));
    let script = format!(
        "grep -c ' {}/below ' /proc/self/mountinfo; grep -c ' /etc/made ' /proc/self/mountinfo",
        outside.display()
    );
    assert_eq!(bundle.run(&script).ok(), "1\n1\n");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "made on the host");
    assert!(!std::path::Path::new("/etc/made").exists(), "made on the host");
}

/// CVE-2021-30465: a second container with the same volume swaps a directory and a link while the mount is made.
#[test]
fn a_target_swapped_for_a_link_meanwhile_never_leads_outside() {
    if skip() {
        return;
    }
    let mut bundle = Bundle::new("race");
    let outside = bundle.path.join("outside");
    fs::create_dir_all(outside.join("deep")).unwrap();
    fs::create_dir_all(bundle.root("a/deep")).unwrap();
    symlink(&outside, bundle.root("b")).unwrap();
    bundle.mount(json!({"destination": "/a/deep", "type": "tmpfs", "source": "t"}));
    let stop = Arc::new(AtomicBool::new(false));
    let swapper = std::thread::spawn({
        let (stop, a, b) = (stop.clone(), bundle.root("a"), bundle.root("b"));
        move || {
            while !stop.load(Ordering::Relaxed) {
                let exchange = rustix::fs::RenameFlags::EXCHANGE;
                rustix::fs::renameat_with(rustix::fs::CWD, &a, rustix::fs::CWD, &b, exchange).unwrap();
            }
        }
    });
    for _ in 0..40 {
        let outcome = bundle.run_with("true", |_, _| {
            assert!(mount_points().iter().all(|path| !path.starts_with(&outside)), "mounted outside");
        });
        assert!(matches!(outcome.status, 0 | 99), "{outcome:?}");
    }
    stop.store(true, Ordering::Relaxed);
    swapper.join().unwrap();
}

/// CVE-2019-16884: an image volume on /proc fakes the files that LSM labels are written to.
#[test]
fn nothing_but_procfs_goes_on_proc() {
    if skip() {
        return;
    }
    let bundle = |mount| {
        let mut bundle = Bundle::new("onproc");
        fs::create_dir(bundle.path.join("fake")).unwrap();
        bundle.mount(mount);
        bundle.run("true").refused()
    };
    let message = bundle(json!({"destination": "/proc", "type": "tmpfs", "source": "t"}));
    assert!(message.contains("only procfs may be mounted on /proc"), "{message}");
    let message = bundle(json!({"destination": "/proc", "source": "fake", "options": ["bind"]}));
    assert!(message.contains("only procfs may be mounted on /proc"), "{message}");
    let message = bundle(json!({"destination": "/x/../proc/self/attr", "source": "fake", "options": ["bind"]}));
    assert!(message.contains("inside /proc"), "{message}");
    let message = bundle(json!({"destination": "/proc", "source": "/proc/sys", "options": ["bind"]}));
    assert!(message.contains("only procfs may be mounted on /proc"), "{message}");
}

#[test]
fn a_link_of_the_image_into_proc_is_no_target() {
    if skip() {
        return;
    }
    let mut bundle = Bundle::new("linkproc");
    symlink("/proc/self/attr", bundle.root("harmless")).unwrap();
    bundle.mount(json!({"destination": "/harmless", "source": "/tmp", "options": ["bind"]}));
    let message = bundle.run("true").refused();
    assert!(message.contains("leads into procfs through a symbolic link"), "{message}");
}

#[test]
fn lxcfs_files_may_be_bound_on_proc() {
    if skip() {
        return;
    }
    let mut bundle = Bundle::new("lxcfs");
    fs::write(bundle.path.join("uptime"), "1.00 1.00\n").unwrap();
    bundle.mount(json!({"destination": "/proc/uptime", "source": "uptime", "options": ["bind"]}));
    assert_eq!(bundle.run("cat /proc/uptime").ok(), "1.00 1.00\n");
}

/// CVE-2019-19921 and CVE-2023-27561: /proc or /sys of the image is a link to a directory shared with an accomplice.
#[test]
fn proc_and_sys_are_not_mounted_through_links() {
    if skip() {
        return;
    }
    for name in ["proc", "sys"] {
        let bundle = Bundle::new("linked");
        fs::remove_dir(bundle.root(name)).unwrap();
        fs::create_dir(bundle.root("evil")).unwrap();
        symlink("evil", bundle.root(name)).unwrap();
        let message = bundle.run("true").refused();
        assert!(message.contains("symbolic link"), "{message}");
    }
}

/// CVE-2025-31133: /dev/null of the image is a link; whoever masks with it binds its target read-write.
#[test]
fn masks_are_the_hosts_null_device_not_the_images() {
    if skip() {
        return;
    }
    let mut bundle = Bundle::new("null");
    bundle.without("/dev");
    fs::create_dir(bundle.path.join("fakedev")).unwrap();
    symlink("/proc/sys/kernel/core_pattern", bundle.path.join("fakedev/null")).unwrap();
    bundle.mount(json!({"destination": "/dev", "source": "fakedev", "options": ["bind"]}));
    let output = bundle.run("readlink /dev/null; stat -c '%F %t:%T' /proc/timer_list /proc/keys").ok();
    assert_eq!(output, "/proc/sys/kernel/core_pattern\ncharacter special file 1:3\ncharacter special file 1:3\n");
}

#[test]
fn a_faked_device_node_is_refused() {
    if skip() {
        return;
    }
    let mut bundle = Bundle::new("fakenode");
    bundle.without("/dev");
    symlink("/proc/sys/kernel/core_pattern", bundle.root("dev/null")).unwrap();
    let message = bundle.run("true").refused();
    assert!(message.contains("(/dev/null)"), "{message}");
}

/// CVE-2025-52565: /dev/console of the image is a link, or the terminal no terminal.
#[test]
fn the_console_is_bound_on_a_file_and_from_a_terminal_only() {
    if skip() {
        return;
    }
    let bundle = Bundle::new("console");
    let file = fs::File::open("/proc/self/status").unwrap();
    bundle
        .run_with("true", |rootfs, root| {
            use std::os::fd::AsFd;
            let error = rootfs.bind_console(root, file.as_fd()).unwrap_err().to_string();
            assert!(error.contains("not a devpts slave"), "{error}");
            symlink("/proc/sys/kernel/core_pattern", bundle.root("dev/console")).unwrap();
            let pts = open_pts(&bundle);
            let error = rootfs.bind_console(root, pts.as_fd()).unwrap_err().to_string();
            assert!(error.contains("ELOOP"), "{error}");
        })
        .ok();
}

#[test]
fn the_console_is_the_terminal() {
    if skip() {
        return;
    }
    let bundle = Bundle::new("terminal");
    let output = bundle.run_with("stat -c '%F %t:%T' /dev/console", |rootfs, root| {
        use std::os::fd::AsFd;
        rootfs.bind_console(root, open_pts(&bundle).as_fd()).unwrap();
    });
    assert_eq!(output.ok(), "character special file 88:0\n");
}

/// A new terminal of the container's devpts; the master stays open for as long as the child lives.
fn open_pts(bundle: &Bundle) -> fs::File {
    let master = fs::File::options().read(true).write(true).open(bundle.root("dev/pts/ptmx")).unwrap();
    // SAFETY: unlocks the slave of a terminal that we own; the argument is a live integer.
    let unlocked = unsafe { libc::ioctl(std::os::fd::AsRawFd::as_raw_fd(&master), libc::TIOCSPTLCK, &0) };
    assert_eq!(unlocked, 0);
    std::mem::forget(master);
    fs::File::options().read(true).write(true).custom_flags(libc::O_NOCTTY).open(bundle.root("dev/pts/0")).unwrap()
}
