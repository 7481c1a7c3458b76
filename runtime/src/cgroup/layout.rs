//! How this host lays its hierarchies out: pure v2, or v1 with perhaps a v2 tree beside it (hybrid).

use super::{Error, Hierarchy};
use nix::errno::Errno;
use nix::sys::statfs::{CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, statfs};
use std::path::{Path, PathBuf};

/// Where every distribution mounts its hierarchies.
pub(super) const ROOT: &str = "/sys/fs/cgroup";

/// A line of `/proc/self/cgroup` (`cgroups(7)`): hierarchy-ID:controller-list:path.
pub(crate) struct Line {
    /// `cpu,cpuacct`, `systemd` for `name=systemd`, empty for v2.
    pub name: String,
    /// Where this process is in it.
    pub path: String,
}

/// The hierarchies mounted below [`ROOT`], each at its root.
///
/// Pure v2 costs one statfs; v1 one read of `/proc/self/cgroup`, one of the directory and a statfs each: mountinfo, which
/// grows with the containers of the host, is not read.
pub(super) fn detect() -> Result<(bool, Vec<Hierarchy>), Error> {
    let root = Path::new(ROOT);
    let filesystem = statfs(root).map_err(|errno| Error::Layout { path: root.into(), errno })?;
    if filesystem.filesystem_type() == CGROUP2_SUPER_MAGIC {
        return Ok((true, vec![Hierarchy::new(String::new(), root.into())]));
    }
    let mut found = Vec::new();
    for hierarchy in match_directories(&own()?, &directories(root)?) {
        if is_cgroupfs(&hierarchy.mountpoint)? {
            found.push(hierarchy);
        }
    }
    if found.is_empty() {
        return Err(Error::Layout { path: root.into(), errno: Errno::ENOENT });
    }
    Ok((false, found))
}

/// The cgroups of this process.
pub(super) fn own() -> Result<Vec<Line>, Error> {
    Ok(parse(&super::knob::read_text("/proc/self/cgroup".into())?))
}

pub(crate) fn parse(text: &str) -> Vec<Line> {
    text.lines()
        .filter_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, path) = (fields.next()?, fields.next()?);
            let name = controllers.strip_prefix("name=").unwrap_or(controllers);
            Some(Line { name: name.to_owned(), path: path.to_owned() })
        })
        .collect()
}

/// Names below [`ROOT`]; symbolic links such as `cpu -> cpu,cpuacct` are left out.
fn directories(root: &Path) -> Result<Vec<String>, Error> {
    let children = super::knob::children(root)?;
    Ok(children.iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
}

/// A hierarchy can be mounted in another mount namespace only, over a directory that is plain in ours.
fn is_cgroupfs(mountpoint: &Path) -> Result<bool, Error> {
    let filesystem = statfs(mountpoint).map_err(|errno| Error::Layout { path: mountpoint.into(), errno })?;
    Ok([CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC].contains(&filesystem.filesystem_type()))
}

fn match_directories(lines: &[Line], names: &[String]) -> Vec<Hierarchy> {
    lines
        .iter()
        .filter_map(|line| {
            let wanted = if line.name.is_empty() { "unified" } else { &line.name };
            let name = names.iter().find(|name| same_controllers(name, wanted))?;
            Some(Hierarchy::new(line.name.clone(), Path::new(ROOT).join(name)))
        })
        .collect()
}

/// `cpu,cpuacct` is mounted as `cpuacct,cpu` on some distributions.
pub(crate) fn same_controllers(a: &str, b: &str) -> bool {
    a == b || (a.len() == b.len() && b.split(',').all(|controller| a.split(',').any(|other| other == controller)))
}

/// The directory that is mounted on `mountpoint`, `/` on a host, `/docker/…` in a container without a cgroup
/// namespace: what [`own`] says must be taken relative to it. Only relative `cgroupsPath`s ask.
pub(super) fn mounted_directory(mountpoint: &Path) -> Result<PathBuf, Error> {
    let text = super::knob::read_text("/proc/self/mountinfo".into())?;
    let root = text.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        (Path::new(point) == mountpoint).then(|| PathBuf::from(root))
    });
    Ok(root.unwrap_or_else(|| "/".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hybrid_of_systemd() {
        let lines = parse("12:cpu,cpuacct:/a\n3:net_cls:/\n1:name=systemd:/b:c\n0::/d\n");
        let names = ["cpuacct,cpu", "systemd", "unified", "memory"].map(String::from);
        let found = match_directories(&lines, &names);
        let pairs: Vec<_> = found.iter().map(|h| (h.name(), h.mountpoint().to_str().unwrap())).collect();
        assert_eq!(
            pairs,
            [
                ("cpu,cpuacct", "/sys/fs/cgroup/cpuacct,cpu"),
                ("systemd", "/sys/fs/cgroup/systemd"),
                ("", "/sys/fs/cgroup/unified")
            ]
        );
        assert_eq!(lines[2].path, "/b:c");
    }
}
