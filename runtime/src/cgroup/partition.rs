//! Scheduling domains of cpusets: partitions on v2, exclusive CPUs without load balancing on v1.
//!
//! A *remote* partition (Linux 6.7) lies below cgroups that are none themselves: each ancestor hands the CPUs down in
//! `cpuset.cpus.exclusive` (`Documentation/admin-guide/cgroup-v2.rst`). The ancestors' files are shared by their containers,
//! so each is changed under the lock of its directory, to what its children have.

use super::{Cgroup, Error, Hierarchy, knob};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag, open};
use nix::sys::stat::Mode;
use rtrun_hooks::CpuSet;
use rtrun_hooks::annotation::Partition;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

const EXCLUSIVE: &str = "cpuset.cpus.exclusive";
const PARTITION: &str = "cpuset.cpus.partition";
const V1_EXCLUSIVE: &str = "cpuset.cpu_exclusive";
const V1_BALANCE: &str = "cpuset.sched_load_balance";

impl Cgroup {
    /// The files that make the partition, in order, with their values as they would be now. None without a cpuset
    /// controller.
    #[must_use]
    pub fn partition_files(&self, partition: Partition, cpus: &CpuSet) -> Vec<(PathBuf, String)> {
        let Some((hierarchy, v1)) = self.cpuset() else { return Vec::new() };
        let leaf = hierarchy.directory();
        let mut files: Vec<(PathBuf, String)> = ancestors(hierarchy)
            .into_iter()
            .chain([leaf.clone()])
            .map(|dir| match v1 {
                true => (dir.join(V1_EXCLUSIVE), "1".to_owned()),
                false => (dir.join(EXCLUSIVE), exclusive(&dir).or(cpus).to_string()),
            })
            .collect();
        files.push(match v1 {
            true => (leaf.join(V1_BALANCE), u8::from(partition == Partition::Root).to_string()),
            false => (leaf.join(PARTITION), partition.word().to_owned()),
        });
        files
    }

    /// Makes the container's CPUs a scheduling domain of their own. Whether the kernel has made one is to be read back: an
    /// invalid partition is no error of write(2).
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Unsupported`].
    pub fn set_partition(&self, partition: Partition, cpus: &CpuSet) -> Result<(), Error> {
        let Some((hierarchy, v1)) = self.cpuset() else { return Ok(()) };
        let leaf = hierarchy.directory();
        if v1 {
            for dir in ancestors(hierarchy).iter().chain([&leaf]) {
                let _lock = lock(dir)?;
                put(&dir.join(V1_EXCLUSIVE), "1", || overlapping(dir, "cpuset.cpus"))?;
            }
            return put(&leaf.join(V1_BALANCE), if partition == Partition::Root { "1" } else { "0" }, String::new);
        }
        if !leaf.join(EXCLUSIVE).exists() && !ancestors(hierarchy).is_empty() {
            let reason = "this kernel has no remote partitions (Linux 6.7 has): put the container directly below the root \
                          cgroup by linux.cgroupsPath";
            return Err(Error::unsupported(PARTITION, reason));
        }
        for dir in ancestors(hierarchy) {
            let _lock = lock(&dir)?;
            put(&dir.join(EXCLUSIVE), &exclusive(&dir).or(cpus).to_string(), || also(&dir, EXCLUSIVE, cpus))?;
        }
        if leaf.join(EXCLUSIVE).exists() {
            put(&leaf.join(EXCLUSIVE), &cpus.to_string(), || also(&leaf, EXCLUSIVE, cpus))?;
        }
        put(&leaf.join(PARTITION), partition.word(), String::new)
    }

    /// Gives the CPUs back after the container's own cgroup is gone: each ancestor keeps what its other children have, and
    /// what it had beside ours. What can't be given back is no error: the ancestor may be gone too.
    pub fn give_back_partition(&self, cpus: &CpuSet) {
        let Some((hierarchy, v1)) = self.cpuset() else { return };
        for dir in ancestors(hierarchy).into_iter().rev() {
            let Ok(_lock) = lock(&dir) else { continue };
            let children = knob::children(&dir).unwrap_or_default();
            let _ = if v1 {
                let needed = children
                    .iter()
                    .any(|child| knob::get(&child.join(V1_EXCLUSIVE)).is_ok_and(|text| text.trim() == "1"));
                if needed { Ok(()) } else { knob::set(&dir.join(V1_EXCLUSIVE), "0") }
            } else {
                let theirs = children.iter().fold(CpuSet::default(), |all, child| all.or(&exclusive(child)));
                let left = exclusive(&dir).without(cpus).or(&theirs).to_string();
                // An empty list takes a line feed: a write of no bytes is none.
                knob::set(&dir.join(EXCLUSIVE), if left.is_empty() { "\n" } else { &left })
            };
        }
    }

    /// The file that keeps all CPUs of a v1 host in one scheduling domain, where it does.
    #[must_use]
    pub fn balanced_root(&self) -> Option<PathBuf> {
        let (hierarchy, v1) = self.cpuset()?;
        let file = hierarchy.mountpoint.join(V1_BALANCE);
        (v1 && knob::get(&file).is_ok_and(|text| text.trim() == "1")).then_some(file)
    }

    /// The file that lists the CPUs in no partition.
    #[must_use]
    pub fn free_cpus(&self) -> Option<PathBuf> {
        let (hierarchy, v1) = self.cpuset()?;
        Some(hierarchy.mountpoint.join(if v1 { "cpuset.effective_cpus" } else { "cpuset.cpus.effective" }))
    }

    /// The hierarchy that has the cpuset controller, and whether it is v1.
    fn cpuset(&self) -> Option<(&Hierarchy, bool)> {
        match self.controller("cpuset") {
            Some(v1) => Some((v1, true)),
            None => self.v2_tree().filter(|_| self.unified).map(|v2| (v2, false)),
        }
    }
}

/// The cgroups between the root and the container's, topmost first.
fn ancestors(hierarchy: &Hierarchy) -> Vec<PathBuf> {
    let leaf = hierarchy.directory();
    let mut between: Vec<PathBuf> =
        leaf.ancestors().skip(1).take_while(|dir| *dir != hierarchy.mountpoint).map(Path::to_path_buf).collect();
    between.reverse();
    between
}

fn exclusive(dir: &Path) -> CpuSet {
    knob::get(&dir.join(EXCLUSIVE)).ok().and_then(|text| CpuSet::parse(text.trim()).ok()).unwrap_or_default()
}

fn lock(dir: &Path) -> Result<Flock<OwnedFd>, Error> {
    let failed = |errno| Error::Io { step: "locking", path: dir.to_owned(), errno };
    let fd = open(dir, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).map_err(failed)?;
    Flock::lock(fd, FlockArg::LockExclusive).map_err(|(_, errno)| failed(errno))
}

fn put(path: &Path, value: &str, why: impl Fn() -> String) -> Result<(), Error> {
    match knob::set(path, value) {
        Ok(()) => Ok(()),
        Err(Errno::ENOENT) => {
            Err(Error::unsupported("org.rtrun.cpus.partition", format!("this kernel has no {}", path.display())))
        }
        Err(errno) => {
            let path = path.to_owned();
            Err(Error::Partition { value: value.to_owned(), path, errno, why: why() })
        }
    }
}

/// The siblings that have CPUs of this cpuset in the same file.
fn overlapping(dir: &Path, file: &str) -> String {
    knob::get(&dir.join(file))
        .ok()
        .and_then(|text| CpuSet::parse(text.trim()).ok())
        .map_or_else(String::new, |ours| also(dir, file, &ours))
}

/// The siblings that have some of these CPUs in this file.
fn also(dir: &Path, file: &str, ours: &CpuSet) -> String {
    let cpus = |dir: &Path| knob::get(&dir.join(file)).ok().and_then(|text| CpuSet::parse(text.trim()).ok());
    let siblings = dir.parent().and_then(|parent| knob::children(parent).ok()).unwrap_or_default();
    let shared: Vec<String> = siblings
        .iter()
        .filter(|sibling| *sibling != dir)
        .filter_map(|sibling| Some((sibling, cpus(sibling)?.and(ours))))
        .filter(|(_, both)| !both.is_empty())
        .map(|(sibling, both)| format!("{} has CPUs {both}", sibling.display()))
        .collect();
    if shared.is_empty() { String::new() } else { format!("; {} as well", shared.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(name: &str, files: &[(&str, &str)]) -> PathBuf {
        let top = std::env::temp_dir().join(format!("rtrun-{name}-{}", std::process::id()));
        for (path, text) in files {
            let path = top.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        top
    }

    fn text(top: &Path, path: &str) -> String {
        std::fs::read_to_string(top.join(path)).unwrap().trim().to_owned()
    }

    fn shown(top: &Path, files: &[(PathBuf, String)]) -> Vec<String> {
        let line = |(path, value): &(PathBuf, String)| format!("{}={value}", path.strip_prefix(top).unwrap().display());
        files.iter().map(line).collect()
    }

    #[test]
    fn a_remote_partition_is_handed_down_and_given_back() {
        let files = [
            ("parent/cpuset.cpus.exclusive", "2\n"),
            ("parent/other/cpuset.cpus.exclusive", "2\n"),
            ("parent/c/cpuset.cpus.exclusive", "\n"),
            ("parent/c/cpuset.cpus.partition", "member\n"),
        ];
        let top = tree("remote", &files);
        let (cgroup, cpus) = (Cgroup::fake(&[("", &top)]), CpuSet::parse("0-1").unwrap());
        let planned = cgroup.partition_files(Partition::Isolated, &cpus);
        let wanted = [
            "parent/cpuset.cpus.exclusive=0-2",
            "parent/c/cpuset.cpus.exclusive=0-1",
            "parent/c/cpuset.cpus.partition=isolated",
        ];
        assert_eq!(shown(&top, &planned), wanted);
        cgroup.set_partition(Partition::Isolated, &cpus).unwrap();
        for (path, value) in &planned {
            assert_eq!(knob::get(path).unwrap().trim(), value);
        }
        std::fs::remove_dir_all(top.join("parent/c")).unwrap();
        cgroup.give_back_partition(&cpus);
        assert_eq!(exclusive(&top.join("parent")), CpuSet::parse("2").unwrap());
        std::fs::remove_dir_all(&top).unwrap();
    }

    #[test]
    fn a_kernel_without_remote_partitions_is_named() {
        let top = tree("local", &[("parent/c/cpuset.cpus.partition", "member\n")]);
        let cgroup = Cgroup::fake(&[("", &top)]);
        let error = cgroup.set_partition(Partition::Root, &CpuSet::parse("0").unwrap()).unwrap_err().to_string();
        assert!(error.contains("no remote partitions (Linux 6.7 has)"), "{error}");
        std::fs::remove_dir_all(&top).unwrap();
    }

    #[test]
    fn v1_is_exclusive_and_unbalanced_if_the_root_lets_it() {
        let files = [
            ("cpuset.sched_load_balance", "1\n"),
            ("parent/cpuset.cpu_exclusive", "0\n"),
            ("parent/c/cpuset.cpu_exclusive", "0\n"),
            ("parent/c/cpuset.sched_load_balance", "1\n"),
        ];
        let top = tree("v1", &files);
        let (cgroup, cpus) = (Cgroup::fake(&[("cpuset", &top)]), CpuSet::parse("1").unwrap());
        assert_eq!(cgroup.balanced_root(), Some(top.join("cpuset.sched_load_balance")));
        cgroup.set_partition(Partition::Isolated, &cpus).unwrap();
        assert_eq!(text(&top, "parent/cpuset.cpu_exclusive"), "1");
        assert_eq!(text(&top, "parent/c/cpuset.sched_load_balance"), "0");
        std::fs::remove_dir_all(top.join("parent/c")).unwrap();
        cgroup.give_back_partition(&cpus);
        assert_eq!(text(&top, "parent/cpuset.cpu_exclusive"), "0");
        std::fs::remove_dir_all(&top).unwrap();
    }

    #[test]
    fn who_has_the_cpus_as_well_is_told() {
        let top = tree("overlap", &[("a/cpuset.cpus", "0-1\n"), ("b/cpuset.cpus", "1-2\n"), ("c/cpuset.cpus", "3\n")]);
        let told = overlapping(&top.join("a"), "cpuset.cpus");
        assert_eq!(told, format!("; {} has CPUs 1 as well", top.join("b").display()));
        std::fs::remove_dir_all(&top).unwrap();
    }
}
