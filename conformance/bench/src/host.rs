//! The host: a private mount namespace that every contender runs in, the cgroup hierarchies, the machine's description.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use crate::error::{Error, Result};

const CGROUP: &str = "/sys/fs/cgroup";
const HUGETLB: &str = "/sys/fs/cgroup/hugetlb";

/// The place where the bench works; all of it is undone when this is dropped.
pub struct Host {
    /// A tmpfs, as /run is on any distribution: bundles, state directories, pid files.
    pub work: PathBuf,
    /// The parent of all containers' cgroups, as a config's cgroupsPath names it.
    pub parent: String,
    /// Whether the v1 hugetlb hierarchy was mounted for crun's sake.
    pub hugetlb: bool,
    made_hugetlb_dir: bool,
}

impl Host {
    /// Enters a private mount namespace and makes the work directory there.
    ///
    /// crun up to 1.27 refuses a hybrid hierarchy whose v2 tree has controllers. Where only hugetlb is left there, its v1
    /// hierarchy is mounted, inside this namespace, for all contenders alike, if crun is one of them.
    pub fn enter(with_crun: bool) -> Result<Self> {
        unshare(CloneFlags::CLONE_NEWNS).map_err(|e| Error::Call("unshare CLONE_NEWNS (be root)", e.into()))?;
        let none: Option<&str> = None;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
            .map_err(|e| Error::file("make private", "/", e.into()))?;
        let pid = std::process::id();
        let work = PathBuf::from(format!("/run/rtrun-bench-{pid}"));
        fs::create_dir(&work).map_err(|e| Error::file("mkdir", &work, e))?;
        let mut host = Self { work, parent: format!("/rtrun-bench-{pid}"), hugetlb: false, made_hugetlb_dir: false };
        mount(Some("tmpfs"), &host.work, Some("tmpfs"), MsFlags::empty(), Some("mode=700"))
            .map_err(|e| Error::file("mount a tmpfs on", &host.work, e.into()))?;
        if with_crun {
            host.mount_hugetlb()?;
        }
        for hierarchy in hierarchies()? {
            make_parent(&hierarchy, &host.parent)?;
        }
        Ok(host)
    }

    fn mount_hugetlb(&mut self) -> Result<()> {
        let left = fs::read_to_string(Path::new(CGROUP).join("unified/cgroup.controllers")).unwrap_or_default();
        if left.trim() != "hugetlb" {
            return Ok(());
        }
        self.made_hugetlb_dir = fs::create_dir(HUGETLB).is_ok();
        mount(Some("cgroup"), HUGETLB, Some("cgroup"), MsFlags::empty(), Some("hugetlb"))
            .map_err(|e| Error::file("mount the v1 hugetlb hierarchy on", HUGETLB, e.into()))?;
        self.hugetlb = true;
        Ok(())
    }

    /// The cgroup directories of a container of this name, one a hierarchy.
    pub fn cgroups(&self, name: &str) -> Result<Vec<PathBuf>> {
        let below = format!("{}/{name}", self.parent);
        Ok(hierarchies()?.iter().map(|top| top.join(below.trim_start_matches('/'))).collect())
    }

    /// How many cgroups lie below the bench's own.
    pub fn count_cgroups(&self) -> Result<usize> {
        let parent = self.parent.trim_start_matches('/');
        Ok(hierarchies()?.iter().map(|top| count_dirs(&top.join(parent))).sum())
    }
}

impl Drop for Host {
    /// Removes what was made, and waits until the hugetlb controller is back in the v2 tree.
    fn drop(&mut self) {
        end_orphans();
        for top in hierarchies().unwrap_or_default() {
            let parent = top.join(self.parent.trim_start_matches('/'));
            if let Err(e) = remove_cgroup(&parent) {
                eprintln!("rtrun-bench: {} stays: {e}", parent.display());
            }
        }
        if self.hugetlb {
            // A v1 hierarchy goes with its last mount, some time after its last cgroup: the kernel frees both lazily.
            std::thread::sleep(Duration::from_millis(300));
            let _ = umount2(HUGETLB, MntFlags::empty());
        }
        let _ = umount2(&self.work, MntFlags::empty());
        let _ = fs::remove_dir(&self.work);
        if self.made_hugetlb_dir && !removed_in_time(Path::new(HUGETLB)) {
            eprintln!("rtrun-bench: {HUGETLB} stays");
        }
        let back = || fs::read_to_string(Path::new(CGROUP).join("unified/cgroup.controllers")).unwrap_or_default();
        if self.hugetlb && !eventually(|| back().contains("hugetlb")) {
            eprintln!("rtrun-bench: the hugetlb controller has not come back to the v2 tree");
        }
    }
}

/// Ends the containers that a measurement which failed has left: the bench is the subreaper of their processes.
fn end_orphans() {
    let children = fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    for pid in children.split_whitespace().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw) {
        let _ = kill(pid, Signal::SIGKILL);
        let _ = waitpid(pid, None);
    }
}

fn remove_cgroup(dir: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)?.flatten().filter(|entry| entry.path().is_dir()) {
        remove_cgroup(&entry.path())?;
    }
    fs::remove_dir(dir)
}

fn removed_in_time(dir: &Path) -> bool {
    eventually(|| fs::remove_dir(dir).is_ok())
}

fn eventually(done: impl Fn() -> bool) -> bool {
    (0..50).any(|_| {
        done() || {
            std::thread::sleep(Duration::from_millis(40));
            false
        }
    })
}

/// The directory of every mounted cgroup hierarchy.
fn hierarchies() -> Result<Vec<PathBuf>> {
    if Path::new(CGROUP).join("cgroup.procs").exists() {
        return Ok(vec![CGROUP.into()]);
    }
    let entries = fs::read_dir(CGROUP).map_err(|e| Error::file("read", CGROUP, e))?;
    let tops = entries.flatten().map(|entry| entry.path());
    // Links (cpu → cpu,cpuacct) name a hierarchy a second time.
    Ok(tops.filter(|top| !top.is_symlink() && top.join("cgroup.procs").exists()).collect())
}

/// The bench's own cgroup in one hierarchy, made usable for a child (an empty cpuset is not).
fn make_parent(top: &Path, name: &str) -> Result<()> {
    let parent = top.join(name.trim_start_matches('/'));
    fs::create_dir(&parent).map_err(|e| Error::file("mkdir", &parent, e))?;
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let (from, to) = (top.join(file), parent.join(file));
        if from.exists() && top.ends_with("cpuset") {
            let value = fs::read(&from).map_err(|e| Error::file("read", from, e))?;
            fs::write(&to, value).map_err(|e| Error::file("write", to, e))?;
        }
    }
    Ok(())
}

fn count_dirs(dir: &Path) -> usize {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    let dirs = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
    dirs.map(|path| 1 + count_dirs(&path)).sum()
}

/// The machine in one line: CPUs, kernel, cgroup layout.
pub fn describe(host: &Host) -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or_else(|| std::env::consts::ARCH.to_string(), |(_, name)| name.trim().to_string());
    let cpus = std::thread::available_parallelism().map_or(0, |n| n.get());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let tops = hierarchies().unwrap_or_default();
    let layout = match tops.as_slice() {
        [one] if one == Path::new(CGROUP) => "cgroup v2".to_string(),
        _ => format!("cgroup v1, {} hierarchies", tops.len()),
    };
    let hugetlb = if host.hugetlb { ", v1 hugetlb mounted for crun in the bench's own mount namespace" } else { "" };
    format!("{cpus} × {model}, Linux {}, {layout}{hugetlb}", kernel.trim())
}
