//! The container's cgroups: one directory a hierarchy, cpuset made usable, the device rules every OCI runtime sets.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::sys::{Failure, Result};

/// The devices that an OCI runtime lets a container use when its config denies all.
const DEVICE_RULES: [&str; 10] = [
    "c *:* m",
    "b *:* m",
    "c 1:3 rwm",
    "c 1:5 rwm",
    "c 1:7 rwm",
    "c 1:8 rwm",
    "c 1:9 rwm",
    "c 5:0 rwm",
    "c 5:2 rwm",
    "c 136:* rwm",
];

/// How the init comes into its cgroups.
pub struct Entry {
    /// The v1 cgroups' `tasks`, to which it writes itself.
    pub tasks: Vec<File>,
    /// The v2 cgroup's directory, into which it is cloned.
    pub unified: Option<File>,
}

/// Makes every cgroup and opens the file by which the init will join it.
pub fn create(cgroups: &[PathBuf]) -> Result<Entry> {
    let mut entry = Entry { tasks: Vec::new(), unified: None };
    for cgroup in cgroups {
        create_one(cgroup)?;
        // A v2 cgroup has no `tasks`.
        match OpenOptions::new().write(true).open(cgroup.join("tasks")) {
            Ok(tasks) => entry.tasks.push(tasks),
            Err(_) => {
                let directory = File::open(cgroup).map_err(|e| Failure::File("open", cgroup.into(), e))?;
                entry.unified = Some(directory);
            }
        }
    }
    Ok(entry)
}

fn create_one(cgroup: &Path) -> Result<()> {
    fs::create_dir(cgroup).map_err(|e| Failure::File("mkdir", cgroup.into(), e))?;
    // A name in the path says which hierarchy this is; the caller mounted them by their usual names.
    let has = |name: &str| cgroup.components().any(|part| part.as_os_str() == name);
    if has("cpuset") {
        // An empty cpuset can't be joined: what the parent has is what runtimes copy.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let parent = cgroup.parent().unwrap_or(Path::new("/")).join(file);
            let value = fs::read(&parent).map_err(|e| Failure::File("read", parent, e))?;
            write(&cgroup.join(file), &value)?;
        }
    }
    if has("devices") {
        write(&cgroup.join("devices.deny"), b"a")?;
        let allow = cgroup.join("devices.allow");
        let mut file =
            OpenOptions::new().write(true).open(&allow).map_err(|e| Failure::File("open", allow.clone(), e))?;
        for rule in DEVICE_RULES {
            file.write_all(rule.as_bytes()).map_err(|e| Failure::File("write", allow.clone(), e))?;
        }
    }
    Ok(())
}

/// Removes every cgroup; each is empty by now.
pub fn remove(cgroups: &[PathBuf]) -> Result<()> {
    for cgroup in cgroups {
        fs::remove_dir(cgroup).map_err(|e| Failure::File("rmdir", cgroup.clone(), e))?;
    }
    Ok(())
}

fn write(path: &Path, value: &[u8]) -> Result<()> {
    OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| file.write_all(value))
        .map_err(|e| Failure::File("write", path.into(), e))
}
