//! A container without a launcher: namespaces by unshare(2), the filesystem by the library, a shell as its process.

use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use rtrun::rootfs::{CgroupMount, CgroupView, Context, Root, Rootfs};
use rtrun::spec::Spec;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// The ordinary user.
const USER: u32 = 12345;

/// A bundle in a directory of its own, removed at the end.
pub struct Bundle {
    pub path: PathBuf,
    pub spec: serde_json::Value,
    pub userns: bool,
    /// Everything by an ordinary user, mapped to root alone.
    pub rootless: bool,
    pub no_pivot: bool,
    /// Made by unshare(2).
    pub namespaces: CloneFlags,
    pub cgroup_namespace: bool,
}

/// What the container's shell printed and how it ended; a refusal by the library is status 99 and its message.
#[derive(Debug)]
pub struct Outcome {
    pub output: String,
    pub status: i32,
}

impl Outcome {
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.status, 0, "{}", self.output);
        self.output
    }

    #[track_caller]
    pub fn refused(self) -> String {
        assert_eq!(self.status, 99, "not refused: {}", self.output);
        self.output
    }
}

/// Prints why and returns true where these tests can't run.
pub fn skip() -> bool {
    let reason = if !nix::unistd::geteuid().is_root() {
        "not root"
    } else if Command::new("busybox").arg("true").status().is_err() {
        "no static busybox on PATH"
    } else {
        return false;
    };
    println!("SKIP: {reason}");
    true
}

impl Bundle {
    /// `runc spec`'s configuration on a root of busybox.
    pub fn new(name: &str) -> Bundle {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("rtrun-rootfs-{}-{number}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        make_root(&path.join("rootfs"));
        let spec = serde_json::from_str(include_str!("spec.json")).unwrap();
        let namespaces = CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWUTS;
        Bundle { path, spec, userns: false, rootless: false, no_pivot: false, namespaces, cgroup_namespace: false }
    }

    pub fn root(&self, path: &str) -> PathBuf {
        self.path.join("rootfs").join(path)
    }

    pub fn mount(&mut self, mount: serde_json::Value) -> &mut Self {
        self.spec["mounts"].as_array_mut().unwrap().push(mount);
        self
    }

    /// Leaves out the mounts that `runc spec` has below a directory.
    pub fn without(&mut self, directory: &str) -> &mut Self {
        let below =
            |mount: &serde_json::Value| Path::new(mount["destination"].as_str().unwrap()).starts_with(directory);
        self.spec["mounts"].as_array_mut().unwrap().retain(|mount| !below(mount));
        self
    }

    pub fn run(&self, script: &str) -> Outcome {
        self.run_with(script, |_, _| {})
    }

    /// `before_pivot` runs in the child when everything is mounted.
    pub fn run_with(&self, script: &str, before_pivot: impl Fn(&Rootfs, &Root)) -> Outcome {
        let spec: Spec = serde_json::from_value(self.spec.clone()).unwrap();
        let context = Context {
            spec: &spec,
            bundle: &self.path,
            no_pivot: self.no_pivot,
            new_userns: self.userns,
            userns_fd: None,
        };
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let (mapped, tell_mapped) = nix::unistd::pipe().unwrap();
        let (unshared, tell_unshared) = nix::unistd::pipe().unwrap();
        // SAFETY: the child of this test process only runs the code under test and ends by _exit or execve.
        let child = match unsafe { fork() }.unwrap() {
            ForkResult::Parent { child } => child,
            ForkResult::Child => {
                if self.rootless {
                    nix::unistd::setgroups(&[]).unwrap();
                    nix::unistd::setresgid(USER.into(), USER.into(), USER.into()).unwrap();
                    nix::unistd::setresuid(USER.into(), USER.into(), USER.into()).unwrap();
                    // A change of user makes /proc/self root's, and so its maps unwritable.
                    nix::sys::prctl::set_dumpable(true).unwrap();
                }
                let rootfs = match Rootfs::plan(&context) {
                    Ok(rootfs) => rootfs,
                    Err(error) => refuse(writer, &error),
                };
                if self.userns {
                    drop((reader, tell_mapped));
                    unshare(CloneFlags::CLONE_NEWUSER).unwrap();
                    drop(tell_unshared);
                    File::from(mapped).read_to_end(&mut Vec::new()).unwrap();
                    nix::unistd::setgid(0.into()).unwrap();
                    nix::unistd::setuid(0.into()).unwrap();
                }
                self.unshare_and_fork(&rootfs, writer, script, &before_pivot)
            }
        };
        drop((writer, mapped, tell_unshared));
        if self.userns {
            File::from(unshared).read_to_end(&mut Vec::new()).unwrap();
            let map = if self.rootless { format!("0 {USER} 1") } else { "0 100000 65536".to_owned() };
            // A child that was refused has ended already.
            let _ = fs::write(format!("/proc/{child}/uid_map"), &map);
            let _ = fs::write(format!("/proc/{child}/gid_map"), &map);
        }
        drop(tell_mapped);
        let mut output = String::new();
        File::from(reader).read_to_string(&mut output).unwrap();
        let status = match waitpid(child, None).unwrap() {
            WaitStatus::Exited(_, status) => status,
            other => panic!("{other:?}: {output}"),
        };
        Outcome { output, status }
    }
}

impl Bundle {
    fn unshare_and_fork(
        &self,
        rootfs: &Rootfs,
        writer: OwnedFd,
        script: &str,
        before_pivot: &dyn Fn(&Rootfs, &Root),
    ) -> ! {
        unshare(self.namespaces).unwrap();
        // SAFETY: as above; the grandchild is the new PID namespace's init.
        match unsafe { fork() }.unwrap() {
            ForkResult::Parent { child } => match waitpid(child, None).unwrap() {
                WaitStatus::Exited(_, status) => exit(status),
                _ => exit(98),
            },
            ForkResult::Child => {}
        }
        let result = (|| {
            let root = rootfs.enter()?;
            rootfs.mount_all(&root, &mut || Ok(self.cgroups()))?;
            rootfs.make_devices(&root)?;
            before_pivot(rootfs, &root);
            rootfs.pivot(root)?;
            rootfs.seal()
        })();
        if let Err(error) = result {
            refuse(writer, &error);
        }
        nix::unistd::dup2_stdout(&writer).unwrap();
        nix::unistd::dup2_stderr(&writer).unwrap();
        let arguments = [c"sh".to_owned(), c"-ec".to_owned(), std::ffi::CString::new(script).unwrap()];
        let environment = [c"PATH=/bin".to_owned()];
        let _ = nix::unistd::execve(c"/bin/sh", &arguments, &environment);
        exit(97)
    }

    /// The host's own cgroups, as a launcher would tell.
    fn cgroups(&self) -> CgroupView {
        if self.cgroup_namespace {
            unshare(CloneFlags::CLONE_NEWCGROUP).unwrap();
        }
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let hierarchies = table.lines().filter_map(|line| {
            let (mount, filesystem) = line.split_once(" - ")?;
            let mountpoint = PathBuf::from(mount.split(' ').nth(4)?);
            let kind = filesystem.split(' ').next()?;
            let name = mountpoint.file_name()?.to_string_lossy().into_owned();
            let name = if kind == "cgroup2" { String::new() } else { name };
            let own = matches!(kind, "cgroup" | "cgroup2") && mountpoint.starts_with("/sys/fs/cgroup");
            own.then(|| CgroupMount { path: "/".into(), name, mountpoint })
        });
        let hierarchies = hierarchies.collect::<Vec<_>>();
        CgroupView { unified: hierarchies.len() == 1, in_namespace: self.cgroup_namespace, hierarchies }
    }
}

/// Where mounts of this process' namespace are.
pub fn mount_points() -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    table.lines().filter_map(|line| line.split(' ').nth(4).map(PathBuf::from)).collect()
}

/// As scripts/make-rootfs, but without a process an applet.
fn make_root(root: &Path) {
    for directory in ["bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "var"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    let applets = Command::new("busybox").arg("--list-full").output().unwrap().stdout;
    let busybox = Command::new("busybox").args(["which", "busybox"]).output().unwrap().stdout;
    fs::copy(String::from_utf8(busybox).unwrap().trim(), root.join("bin/busybox")).unwrap();
    for applet in String::from_utf8(applets).unwrap().lines().map(Path::new) {
        if let Some(name) = applet.file_name().filter(|name| *name != "busybox") {
            symlink("busybox", root.join("bin").join(name)).unwrap();
        }
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn refuse(writer: OwnedFd, error: &rtrun::rootfs::Error) -> ! {
    File::from(writer).write_all(error.to_string().as_bytes()).unwrap();
    exit(99)
}

fn exit(status: i32) -> ! {
    // SAFETY: ends the forked child without running the test process' handlers.
    unsafe { libc::_exit(status) }
}
