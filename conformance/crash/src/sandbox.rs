//! A bundle, a state directory and an id of a case's own.

use crate::call::{Output, run};
use crate::leftovers;
use crate::outcome::{Check, fail};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// All cgroups of this program's containers are below this one.
pub const CGROUPS: &str = "rtrun-crash";

const BUSYBOX: &str = "/bin/busybox";
const APPLETS: [&str; 22] = [
    "cat", "chmod", "dd", "echo", "grep", "head", "id", "ls", "mkdir", "mkfifo", "mknod", "mount", "pwd", "readlink",
    "rm", "sh", "sleep", "stat", "test", "true", "truncate", "umount",
];

/// Removed with all that is in it at the end.
#[derive(Debug)]
pub struct Sandbox {
    /// The runtime's binary.
    pub runtime: PathBuf,
    /// The bundle.
    pub dir: PathBuf,
    /// `--root`.
    pub root: PathBuf,
    /// The container's name.
    pub id: String,
    /// Written by [`Sandbox::write`].
    pub config: Value,
}

impl Sandbox {
    /// A busybox bundle whose process sleeps.
    pub fn new(runtime: &Path, name: &str) -> Check<Sandbox> {
        let id = format!("{name}-{}", std::process::id());
        let dir = std::env::temp_dir().join(format!("rtrun-crash.{id}"));
        let bin = dir.join("rootfs/bin");
        fs::create_dir_all(&bin)?;
        for name in ["proc", "dev", "sys", "tmp", "etc", "run"] {
            fs::create_dir(dir.join("rootfs").join(name))?;
        }
        fs::copy(BUSYBOX, bin.join("busybox"))?;
        for name in APPLETS {
            symlink("busybox", bin.join(name))?;
        }
        let config = config(&format!("/{CGROUPS}/{id}"));
        let sandbox = Sandbox { runtime: runtime.into(), root: dir.join("state"), dir, id, config };
        sandbox.write()?;
        Ok(sandbox)
    }

    /// A path in the container's root, seen from the host.
    pub fn rootfs(&self, path: &str) -> PathBuf {
        self.dir.join("rootfs").join(path)
    }

    /// Writes config.json as it is now.
    pub fn write(&self) -> Check {
        Ok(fs::write(self.dir.join("config.json"), serde_json::to_vec(&self.config)?)?)
    }

    /// Every capability that this process has, in each of the container's sets.
    pub fn privileged(&mut self, capabilities: &[&str]) {
        for set in ["bounding", "effective", "permitted"] {
            self.config["process"]["capabilities"][set] = json!(capabilities);
        }
    }

    /// The runtime with `--root` and `words`.
    pub fn command<W: AsRef<std::ffi::OsStr>>(&self, words: &[W]) -> Command {
        let mut command = Command::new(&self.runtime);
        command.arg("--root").arg(&self.root).args(words);
        command
    }

    /// Runs it to its end.
    pub fn call(&self, words: &[&str]) -> Check<Output> {
        run(&mut self.command(words))
    }

    /// The words of `create`.
    pub fn create_words(&self) -> [String; 4] {
        ["create".into(), "--bundle".into(), self.dir.display().to_string(), self.id.clone()]
    }

    /// Runs `create`.
    pub fn create(&self) -> Check<Output> {
        run(&mut self.command(&self.create_words()))
    }

    /// Runs `create` and `start`.
    pub fn up(&self) -> Check {
        self.create()?.succeeded()?;
        self.call(&["start", &self.id])?.succeeded().map(drop)
    }

    /// Runs a shell's line in the container.
    pub fn exec(&self, script: &str) -> Check<Output> {
        self.call(&["exec", &self.id, "/bin/sh", "-c", script])
    }

    /// Fails unless nothing of the container is left.
    pub fn gone(&self) -> Check {
        match leftovers::of(self) {
            left if left.is_empty() => Ok(()),
            left => fail(format_args!("left behind: {}", left.join(", "))),
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // A failed case has said why already; what is left is swept as well as it can be.
        let _ = self.call(&["delete", "--force", &self.id]);
        leftovers::sweep(self);
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// As `runc spec` has it, without a terminal.
fn config(cgroups_path: &str) -> Value {
    let capabilities = json!(["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    json!({
        "ociVersion": "1.2.0",
        "process": {
            "user": {"uid": 0, "gid": 0}, "args": ["sleep", "1000"], "env": ["PATH=/bin"], "cwd": "/",
            "capabilities": {"bounding": capabilities, "effective": capabilities, "permitted": capabilities},
            "noNewPrivileges": true
        },
        "root": {"path": "rootfs"},
        "hostname": "crash",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]}
        ],
        "linux": {
            "cgroupsPath": cgroups_path,
            "resources": {"devices": [{"allow": false, "access": "rwm"}]},
            "namespaces": [
                {"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}
            ],
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list"],
            "readonlyPaths": ["/proc/bus", "/proc/sys"]
        }
    })
}
