//! Where a process's cgroup files are, on v1, hybrid and v2 layouts.

use std::fs;
use std::path::{Path, PathBuf};

/// One mounted cgroup hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// Where it is mounted
    pub mount: PathBuf,
    /// Path within the hierarchy that the mount point shows, `/` unless in a container
    pub root: String,
    /// v1 controllers or `name=…`; empty for v2
    pub controllers: Vec<String>,
    /// Whether it is the v2 tree
    pub unified: bool,
}

/// The hierarchies of this machine.
pub fn hierarchies() -> Vec<Hierarchy> {
    parse_mounts(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default())
}

/// Whether controllers are (all) on the v2 tree: no v1 controller hierarchy is mounted.
pub fn pure_v2() -> bool {
    let all = hierarchies();
    all.iter().any(|one| one.unified) && !all.iter().any(|one| !one.unified && !named(one))
}

/// The directory of process `pid` in the hierarchy that has `controller`; `""` asks for the v2 tree itself.
pub fn of_process(pid: i32, controller: &str) -> Option<PathBuf> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    locate(&groups, &hierarchies(), controller)
}

/// Whether this machine has `controller` in any mounted hierarchy.
pub fn has(controller: &str) -> bool {
    hierarchies().iter().any(|one| offers(one, controller))
}

/// Every cgroup below any hierarchy with the last component `name`, with what is in it, deepest first.
pub fn named_like(name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for hierarchy in hierarchies() {
        collect(&hierarchy.mount, name, false, 0, &mut found);
    }
    found.sort_by_key(|path| std::cmp::Reverse(path.components().count()));
    found
}

fn collect(dir: &Path, name: &str, inside: bool, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        let inside = inside || entry.file_name().to_string_lossy().contains(name);
        if inside {
            found.push(entry.path());
        }
        // Suites and systemd slices put containers a few levels down at most.
        if inside || depth < 4 {
            collect(&entry.path(), name, inside, depth + 1, found);
        }
    }
}

fn named(hierarchy: &Hierarchy) -> bool {
    hierarchy.controllers.iter().all(|one| one.starts_with("name="))
}

fn offers(hierarchy: &Hierarchy, controller: &str) -> bool {
    if !hierarchy.unified {
        return hierarchy.controllers.iter().any(|one| one == controller);
    }
    // Devices and freezing are part of the v2 core, without a controller's name.
    let list = fs::read_to_string(hierarchy.mount.join("cgroup.controllers")).unwrap_or_default();
    controller.is_empty() || list.split_whitespace().any(|one| one == controller)
}

fn locate(groups: &str, hierarchies: &[Hierarchy], controller: &str) -> Option<PathBuf> {
    let v1 = groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (list, path) = (parts.next()?, parts.next()?);
        let hit = !controller.is_empty() && list.split(',').any(|one| one == controller);
        let hierarchy = hierarchies.iter().find(|one| !one.unified && one.controllers.iter().any(|c| c == controller));
        hit.then(|| under(hierarchy?, path))?
    });
    let v2 = || {
        let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
        under(hierarchies.iter().find(|one| one.unified)?, path)
    };
    v1.or_else(v2)
}

fn under(hierarchy: &Hierarchy, path: &str) -> Option<PathBuf> {
    let relative = match hierarchy.root.as_str() {
        "/" => path,
        root => path.strip_prefix(root).unwrap_or(path),
    };
    Some(hierarchy.mount.join(relative.trim_start_matches('/')))
}

fn parse_mounts(mountinfo: &str) -> Vec<Hierarchy> {
    mountinfo.lines().filter_map(parse_mount).collect()
}

/// A mountinfo line (proc_pid_mountinfo(5)) if it is a cgroup mount.
fn parse_mount(line: &str) -> Option<Hierarchy> {
    const V1_CONTROLLERS: [&str; 14] = [
        "cpu",
        "cpuacct",
        "cpuset",
        "memory",
        "devices",
        "freezer",
        "blkio",
        "pids",
        "hugetlb",
        "net_cls",
        "net_prio",
        "perf_event",
        "rdma",
        "misc",
    ];
    let (left, right) = line.split_once(" - ")?;
    let left: Vec<&str> = left.split(' ').collect();
    let right: Vec<&str> = right.split(' ').collect();
    let (root, mount) = (left.get(3)?, left.get(4)?);
    let unified = match *right.first()? {
        "cgroup" => false,
        "cgroup2" => true,
        _ => return None,
    };
    let options = right.get(2).copied().unwrap_or_default().split(',');
    let controllers = options.filter(|one| V1_CONTROLLERS.contains(one) || one.starts_with("name="));
    let controllers = if unified { Vec::new() } else { controllers.map(String::from).collect() };
    Some(Hierarchy { mount: mount.into(), root: root.to_string(), controllers, unified })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
30 24 0:26 / /sys/fs/cgroup ro shared:9 - tmpfs tmpfs ro,mode=755
31 30 0:27 / /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw
33 30 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:15 - cgroup cgroup rw,cpu,cpuacct
34 30 0:31 / /sys/fs/cgroup/systemd rw shared:16 - cgroup cgroup rw,xattr,name=systemd
";

    #[test]
    fn hybrid_finds_v1_first_and_v2_otherwise() {
        let mounts = parse_mounts(HYBRID);
        assert_eq!(mounts.len(), 3);
        let groups = "5:cpu,cpuacct:/a/b\n1:name=systemd:/a/b\n0::/u\n";
        let at = |controller| locate(groups, &mounts, controller).unwrap();
        assert_eq!(at("cpuacct"), Path::new("/sys/fs/cgroup/cpu,cpuacct/a/b"));
        assert_eq!(at("pids"), Path::new("/sys/fs/cgroup/unified/u"));
        assert_eq!(at(""), Path::new("/sys/fs/cgroup/unified/u"));
    }

    #[test]
    fn v2_paths_are_relative_to_the_mounted_root() {
        let mounts = parse_mounts("30 24 0:26 /outer /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
        assert_eq!(locate("0::/outer/c\n", &mounts, "memory").unwrap(), Path::new("/sys/fs/cgroup/c"));
    }

    #[test]
    fn other_mounts_are_no_hierarchies() {
        assert_eq!(parse_mount("22 1 8:1 / / rw - ext4 /dev/vda rw,cpu"), None);
    }
}
