//! What a container has from outside, which criu must not dump: mounts, the network namespace, the standard streams.

use super::Error;
use crate::cgroup::Cgroup;
use crate::spec::{NamespaceType, Spec};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Kept beside the images, for the restore.
const FILE: &str = "rtrun.json";
/// What the images call a network namespace that was joined by path, as runc does.
pub(super) const NETWORK: &str = "extRootNetNS";

/// What a restore must provide again.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct External {
    /// Mounts by their place in the container.
    pub mounts: Vec<(PathBuf, Source)>,
    /// What criu calls standard input, output and error where they come from outside, as a pipe or a file of the host's:
    /// they are replaced by the restorer's own. Empty for the others.
    pub streams: Vec<String>,
}

/// Where a mount comes from on the host.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Source {
    /// The configuration's bind mount of the same destination.
    Bind,
    /// `/dev/null` over a masked file.
    Null,
    /// The container's directory in the v1 hierarchy of this name.
    Cgroup(String),
}

impl External {
    /// What the running container has: of the mounts that the configuration asks for, those that are there.
    pub(super) fn of(pid: Pid, spec: &Spec, cgroup: Option<&Cgroup>) -> Result<Self, Error> {
        let path = PathBuf::from(format!("/proc/{pid}/mountinfo"));
        let text = fs::read_to_string(&path).map_err(|source| Error::File { step: "reading", path, source })?;
        let streams = (0..3).map(|fd| stream(pid, fd, &text).unwrap_or_default());
        Ok(External { mounts: mounts(&text, spec, cgroup), streams: streams.collect() })
    }

    pub(super) fn save(&self, images: &Path) -> Result<(), Error> {
        let path = images.join(FILE);
        let text = serde_json::to_vec(self).map_err(|source| Error::Malformed { path: path.clone(), source })?;
        fs::write(&path, text).map_err(|source| Error::File { step: "writing", path, source })
    }

    pub(super) fn load(images: &Path) -> Result<Self, Error> {
        let path = images.join(FILE);
        let text = fs::read(&path).map_err(|source| Error::File { step: "reading", path: path.clone(), source })?;
        serde_json::from_slice(&text).map_err(|source| Error::Malformed { path, source })
    }

    /// `mnt[MOUNTPOINT]:COOKIE`, the mount point being its own cookie; `file[MOUNT:INODE]` for a stream that is a file.
    pub(super) fn dump_arguments(&self) -> Vec<String> {
        let mounts = self.mounts.iter().map(|(place, _)| format!("mnt[{0}]:{0}", place.display()));
        let files = self.streams().map(|(_, stream)| stream.to_owned()).filter(|stream| stream.starts_with("file["));
        mounts.chain(files).flat_map(|external| ["--external".to_owned(), external]).collect()
    }

    /// The streams from outside with their descriptors; one that is open twice comes once.
    fn streams(&self) -> impl Iterator<Item = (usize, &str)> {
        let first =
            |&(fd, stream): &(usize, &str)| !stream.is_empty() && !self.streams[..fd].iter().any(|s| s == stream);
        self.streams.iter().map(String::as_str).enumerate().filter(first)
    }

    /// `mnt[COOKIE]:ROOT`, and `fd[N]:pipe:[INODE]` or `fd[N]:file[MOUNT:INODE]` for each stream from outside.
    pub(super) fn restore_arguments(&self, spec: &Spec, bundle: &Path, cgroup: &Cgroup) -> Result<Vec<String>, Error> {
        let mut arguments = Vec::new();
        for (place, source) in &self.mounts {
            let host = match source {
                Source::Null => Some(PathBuf::from("/dev/null")),
                Source::Bind => {
                    let mount = spec.mounts.iter().rfind(|mount| normalised(&mount.destination) == *place);
                    mount.and_then(|mount| mount.source.as_ref()).map(|source| bundle.join(source))
                }
                Source::Cgroup(name) => {
                    cgroup.hierarchies().find(|hierarchy| hierarchy.name() == name).map(|own| own.directory())
                }
            };
            let why = "the checkpoint has a mount for which this configuration and host have no source";
            let host = host.ok_or(Error::Unsupported { field: "mounts", why })?;
            arguments.extend(["--external".into(), format!("mnt[{}]:{}", place.display(), host.display())]);
        }
        for (fd, stream) in self.streams() {
            arguments.extend(["--inherit-fd".into(), format!("fd[{fd}]:{stream}")]);
        }
        Ok(arguments)
    }
}

/// criu's name for a descriptor that comes from outside: `pipe:[INODE]`, or `file[MOUNT:INODE]` in hexadecimal for a file on a mount
/// that the container does not have (criu(8), `--external`).
fn stream(pid: Pid, fd: i32, mountinfo: &str) -> Option<String> {
    let path = format!("/proc/{pid}/fd/{fd}");
    let link = fs::read_link(&path).ok()?.display().to_string();
    if !link.starts_with('/') {
        return link.starts_with("pipe:").then_some(link);
    }
    let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}")).ok()?;
    let mount: u32 = info.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim().parse().ok()?;
    let own = mountinfo.lines().any(|line| line.split(' ').next() == Some(&mount.to_string()));
    let inode = fs::metadata(&path).ok()?.ino();
    (!own).then(|| format!("file[{mount:x}:{inode:x}]"))
}

/// The `net[INODE]:KEY` of a network namespace that the container joined by path.
pub(super) fn network_key(spec: &Spec) -> Result<Option<String>, Error> {
    let Some(path) = network_path(spec) else { return Ok(None) };
    let meta = fs::metadata(path).map_err(|source| Error::File { step: "looking at", path: path.into(), source })?;
    Ok(Some(format!("net[{}]:{NETWORK}", meta.ino())))
}

/// The path of the network namespace that is joined.
pub(super) fn network_path(spec: &Spec) -> Option<&Path> {
    let network = spec.linux.namespaces.iter().find(|namespace| namespace.kind == NamespaceType::Network)?;
    network.path.as_deref().filter(|path| !path.as_os_str().is_empty())
}

fn mounts(mountinfo: &str, spec: &Spec, cgroup: Option<&Cgroup>) -> Vec<(PathBuf, Source)> {
    let own_cgroups = spec.linux.namespaces.iter().any(|namespace| namespace.kind == NamespaceType::Cgroup);
    let is_bind = |place: &Path| {
        let bind = |option: &String| option == "bind" || option == "rbind";
        spec.mounts.iter().any(|mount| normalised(&mount.destination) == place && mount.options.iter().any(bind))
    };
    let mut found = Vec::new();
    for line in mountinfo.lines() {
        // proc_pid_mountinfo(5): … root mount-point options … - type source super-options
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let left: Vec<&str> = left.split(' ').collect();
        let (Some(&root), Some(&place), Some(kind)) = (left.get(3), left.get(4), right.split(' ').next()) else {
            continue;
        };
        let place = PathBuf::from(unescaped(place));
        let source = if is_bind(&place) {
            Source::Bind
        } else if root == "/null" && spec.linux.masked_paths.contains(&place) {
            Source::Null
        } else if kind == "cgroup" && !own_cgroups {
            let controllers = right.rsplit(' ').next().unwrap_or_default();
            // a named hierarchy without controllers shows as name=systemd
            let has =
                |word: &str| controllers.split(',').any(|have| have.strip_prefix("name=").unwrap_or(have) == word);
            let same = |name: &str| name.split(',').all(has);
            let hierarchy =
                cgroup.and_then(|cgroup| cgroup.hierarchies().find(|own| !own.name().is_empty() && same(own.name())));
            let Some(hierarchy) = hierarchy else { continue };
            Source::Cgroup(hierarchy.name().to_owned())
        } else {
            continue;
        };
        found.push((place, source));
    }
    found
}

/// A destination as the kernel shows it: absolute, without `.` and repeated slashes.
fn normalised(destination: &Path) -> PathBuf {
    Path::new("/").join(destination).components().collect()
}

/// mountinfo writes space, tab, newline and backslash as three octal digits.
fn unescaped(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (code, character)| text.replace(code, character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_comes_from_outside_is_external() {
        let config = br#"{"ociVersion":"1.3.0","linux":{"maskedPaths":["/proc/kcore","/proc/scsi"]},"mounts":[
            {"destination":"/proc","type":"proc"},
            {"destination":"/data dir/","source":"d","options":["rbind","ro"]}]}"#;
        let spec = crate::spec::parse(config, "c").unwrap();
        let mountinfo = "1 0 8:1 /r / rw - ext4 /dev/sda rw\n2 1 0:5 / /proc rw - proc proc rw\n\
            3 1 8:1 /d /data\\040dir ro - ext4 /dev/sda rw\n4 2 0:6 /null /proc/kcore rw - devtmpfs udev rw\n\
            5 2 0:7 / /proc/scsi ro - tmpfs tmpfs ro\n";
        let mounts = mounts(mountinfo, &spec, None);
        assert_eq!(mounts, [("/data dir".into(), Source::Bind), ("/proc/kcore".into(), Source::Null)]);
        let external = External { mounts, streams: vec!["".into(), "pipe:[7]".into(), "file[1a:2b]".into()] };
        let dumped: Vec<_> = external.dump_arguments().into_iter().skip(1).step_by(2).collect();
        assert_eq!(dumped, ["mnt[/data dir]:/data dir", "mnt[/proc/kcore]:/proc/kcore", "file[1a:2b]"]);
        let manager = crate::cgroup::Manager::Disabled;
        let cgroup = Cgroup::plan(&spec, "c", manager, false).unwrap();
        let arguments = external.restore_arguments(&spec, Path::new("/b"), &cgroup).unwrap();
        let expected = ["mnt[/data dir]:/b/d", "mnt[/proc/kcore]:/dev/null", "fd[1]:pipe:[7]", "fd[2]:file[1a:2b]"]
            .map(String::from);
        assert_eq!(arguments.into_iter().skip(1).step_by(2).collect::<Vec<_>>(), expected);
    }
}
