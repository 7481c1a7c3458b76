//! How the host lays its cgroup hierarchies out, and what they control.

use super::{Error, Host};
use crate::cgroup::layout;
use std::path::{Path, PathBuf};

const ROOT: &str = "/sys/fs/cgroup";

/// The hierarchies.
#[derive(Clone, Debug, Default)]
pub struct Cgroups {
    /// Whether v2 is mounted on `/sys/fs/cgroup`, alone.
    pub unified: bool,
    /// Controllers of the v2 tree, wherever it is mounted.
    pub v2: Vec<String>,
    /// Controllers of v1, each with where its hierarchy is mounted on the host.
    pub v1: Vec<(String, PathBuf)>,
}

impl Cgroups {
    /// Reads them.
    ///
    /// # Errors
    /// Those of [`Host::text`].
    pub fn read(host: &Host) -> Result<Cgroups, Error> {
        let controllers = |path: &str| -> Result<Vec<String>, Error> {
            let text = host.text(format!("{path}/cgroup.controllers"))?.unwrap_or_default();
            Ok(text.split_whitespace().map(str::to_owned).collect())
        };
        if host.has(format!("{ROOT}/cgroup.controllers")) {
            return Ok(Cgroups { unified: true, v2: controllers(ROOT)?, v1: Vec::new() });
        }
        let directories = host.names(ROOT)?;
        let lines = layout::parse(&host.text("/proc/self/cgroup")?.unwrap_or_default());
        let mounted = lines.iter().filter(|line| !line.name.is_empty()).filter_map(|line| {
            let directory = directories.iter().find(|name| layout::same_controllers(name, &line.name))?;
            Some((line.name.as_str(), Path::new(ROOT).join(directory)))
        });
        let v1 = mounted
            .flat_map(|(names, path)| names.split(',').map(move |name| (name.to_owned(), path.clone())))
            .collect();
        Ok(Cgroups { unified: false, v2: controllers(&format!("{ROOT}/unified"))?, v1 })
    }

    /// Where the v1 hierarchy of a controller is mounted.
    pub fn v1(&self, controller: &str) -> Option<&Path> {
        self.v1.iter().find(|(name, _)| name == controller).map(|(_, path)| path.as_path())
    }

    /// Whether a controller can be had at all.
    pub fn has(&self, controller: &str) -> bool {
        self.v1(controller).is_some() || self.v2.iter().any(|name| name == controller)
    }

    /// `cgroup v2`, `cgroup v1` or, with both, `hybrid`.
    pub fn kind(&self) -> &'static str {
        match (self.unified, self.v2.is_empty()) {
            (true, _) => "cgroup v2",
            (false, false) => "hybrid (controllers in v1 and v2)",
            (false, true) => "cgroup v1",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Tree;
    use super::*;

    #[test]
    fn hybrid_and_pure() {
        let tree = Tree::new().files(
            "/proc/self/cgroup = 3:cpu,cpuacct:/a
             /sys/fs/cgroup/cpuacct,cpu/tasks = 1
             /sys/fs/cgroup/unified/cgroup.controllers = hugetlb",
        );
        let found = Cgroups::read(&tree.host()).unwrap();
        assert_eq!(found.v1("cpu"), Some(Path::new("/sys/fs/cgroup/cpuacct,cpu")));
        assert!(found.has("cpuacct") && found.has("hugetlb") && !found.has("memory"));
        let tree = Tree::new().files("/sys/fs/cgroup/cgroup.controllers = cpuset cpu memory");
        let found = Cgroups::read(&tree.host()).unwrap();
        assert_eq!((found.kind(), found.has("cpuset")), ("cgroup v2", true));
    }
}
