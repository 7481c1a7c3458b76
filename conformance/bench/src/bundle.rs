//! The measured bundle: `runc spec`'s config with busybox's `true` for its process.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::error::{Error, Result};

/// What `runc spec` writes (runc 1.1.5), without a terminal.
const SPEC: &str = include_str!("spec.json");

/// A directory with `config.json` and `rootfs/`.
pub struct Bundle {
    /// The directory.
    pub dir: PathBuf,
}

impl Bundle {
    /// Makes `rootfs/` from a static busybox.
    pub fn make(dir: PathBuf, busybox: &Path) -> Result<Self> {
        let bin = dir.join("rootfs/bin");
        fs::create_dir_all(&bin).map_err(|e| Error::file("mkdir", &bin, e))?;
        for name in ["dev", "proc", "sys", "tmp", "etc"] {
            let path = dir.join("rootfs").join(name);
            fs::create_dir(&path).map_err(|e| Error::file("mkdir", path, e))?;
        }
        fs::copy(busybox, bin.join("busybox")).map_err(|e| Error::file("copy", busybox, e))?;
        for name in ["true", "sleep", "sh"] {
            symlink("busybox", bin.join(name)).map_err(|e| Error::file("symlink", bin.join(name), e))?;
        }
        Ok(Self { dir })
    }

    /// Writes a config with this process and cgroup, to the bundle itself or to a bundle that shares its rootfs.
    pub fn configure(&self, args: &[&str], cgroup: &str) -> Result<()> {
        self.write(&self.dir, "rootfs", args, cgroup)
    }

    /// A second bundle on the same rootfs, for a container with another cgroup.
    pub fn sibling(&self, name: &str, args: &[&str], cgroup: &str) -> Result<PathBuf> {
        let dir = self.dir.with_file_name(name);
        fs::create_dir(&dir).map_err(|e| Error::file("mkdir", &dir, e))?;
        self.write(&dir, &self.dir.join("rootfs").to_string_lossy(), args, cgroup)?;
        Ok(dir)
    }

    fn write(&self, dir: &Path, root: &str, args: &[&str], cgroup: &str) -> Result<()> {
        let path = dir.join("config.json");
        let broken = |e: serde_json::Error| Error::Content { path: path.clone(), problem: e.to_string() };
        let mut config: Value = serde_json::from_str(SPEC).map_err(broken)?;
        config["process"]["args"] = json!(args);
        config["root"]["path"] = json!(root);
        config["linux"]["cgroupsPath"] = json!(cgroup);
        let text = serde_json::to_vec_pretty(&config).map_err(broken)?;
        fs::write(&path, text).map_err(|e| Error::file("write", &path, e))
    }
}
