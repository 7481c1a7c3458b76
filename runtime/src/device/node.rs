//! Device nodes of the host, and whether a container's user may open them.

use super::Error;
use crate::host::Host;
use crate::spec::{Device, DeviceRule, DeviceType, IdMapping, NamespaceType, Spec};
use rtrun_hooks::nearest;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// A character or block device of the host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Node {
    /// On the host; the same in the container.
    pub path: PathBuf,
    pub kind: DeviceType,
    pub major: u32,
    pub minor: u32,
    owner: Owner,
}

/// Who owns a file, and who may open it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Owner {
    uid: u32,
    gid: u32,
    mode: u32,
}

impl Node {
    /// The node at a path; symbolic links, as in /dev/serial/by-id, are followed.
    pub(super) fn read(host: &Host, path: &Path, asked: &str) -> Result<Node, Error> {
        let absent = |problem| Error::Absent { asked: asked.to_owned(), problem };
        let found = std::fs::metadata(host.path(path)).map_err(|error| {
            absent(match error.kind() {
                std::io::ErrorKind::NotFound => format!("no {} here{}", path.display(), proposal(host, path)),
                _ => format!("{}: {error}", path.display()),
            })
        })?;
        let kind = match found.file_type() {
            kind if kind.is_char_device() => DeviceType::Char,
            kind if kind.is_block_device() => DeviceType::Block,
            _ => return Err(absent(format!("{} is neither a character nor a block device", path.display()))),
        };
        Ok(Node {
            path: path.to_path_buf(),
            kind,
            major: libc::major(found.rdev()),
            minor: libc::minor(found.rdev()),
            owner: Owner { uid: found.uid(), gid: found.gid(), mode: found.mode() & 0o777 },
        })
    }

    /// Whether such a node is there.
    pub(super) fn is_there(host: &Host, path: &Path) -> bool {
        Node::read(host, path, "").is_ok()
    }

    /// What the ledger calls it: the number is the same whatever the node is called.
    pub(super) fn lease_name(&self) -> String {
        let kind = if self.kind == DeviceType::Block { "block" } else { "char" };
        format!("{kind} {}:{}", self.major, self.minor)
    }

    /// Its place in `/sys/dev`.
    pub(super) fn sysfs(&self) -> PathBuf {
        let kind = if self.kind == DeviceType::Block { "block" } else { "char" };
        PathBuf::from(format!("/sys/dev/{kind}/{}:{}", self.major, self.minor))
    }

    /// The node to make in a container: its user's own. In a user namespace the host's node is bound in its place, whose
    /// owner stays as it is.
    pub(super) fn device(&self, user: &User, read_only: bool) -> Device {
        let mode = if read_only { 0o440 } else { 0o660 };
        Device {
            path: self.path.clone(),
            kind: self.kind,
            major: self.major.into(),
            minor: self.minor.into(),
            file_mode: Some(mode),
            uid: Some(user.uid),
            gid: Some(user.gid),
        }
    }

    /// Leave to open it, not to make it: making one is allowed by the default rules and opens nothing.
    pub(super) fn rule(&self, read_only: bool) -> DeviceRule {
        DeviceRule {
            allow: true,
            kind: Some(self.kind),
            major: Some(self.major.into()),
            minor: Some(self.minor.into()),
            access: Some(if read_only { "r" } else { "rw" }.to_owned()),
        }
    }

    /// Refuses what the container's user could not open.
    pub(super) fn check_user(&self, user: &User, read_only: bool, asked: &str) -> Result<(), Error> {
        // Without a user namespace the node is made anew, for the user.
        if !user.in_user_namespace() || user.may_open(self.owner, read_only) {
            return Ok(());
        }
        let gid = user.host_ids().map_or(user.gid, |(_, groups)| groups.first().copied().unwrap_or(user.gid));
        let remedy = format!("`chgrp {gid} {} && chmod g+rw {0}`, or a udev rule that does so", self.path.display());
        Err(refusal(&self.path, self.owner, user, asked, remedy))
    }
}

/// Refuses a sysfs file that the container's user could not open: its owner can't be changed for one container.
pub(super) fn check_file(host: &Host, path: &Path, user: &User, read_only: bool, asked: &str) -> Result<(), Error> {
    let found = std::fs::metadata(host.path(path))
        .map_err(|source| crate::host::Error::Read { path: host.path(path), source })?;
    let owner = Owner { uid: found.uid(), gid: found.gid(), mode: found.mode() & 0o777 };
    if user.may_open(owner, read_only) {
        return Ok(());
    }
    let remedy = "run it as root without a user namespace, or bind the card to uio_pci_generic or vfio-pci, whose nodes can \
                  be given away";
    Err(refusal(path, owner, user, asked, remedy.to_owned()))
}

fn refusal(path: &Path, owner: Owner, user: &User, asked: &str, remedy: String) -> Error {
    Error::Ownership {
        asked: asked.to_owned(),
        path: path.to_path_buf(),
        owner: format!("{}:{}", owner.uid, owner.gid),
        mode: owner.mode,
        user: user.to_string(),
        remedy,
    }
}

fn proposal(host: &Host, path: &Path) -> String {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return String::new() };
    let names = host.names(folder).unwrap_or_default();
    match nearest(&name.to_string_lossy(), names.iter().map(String::as_str)) {
        "" => String::new(),
        name => format!("; did you mean {}?", folder.join(name).display()),
    }
}

/// Who in the container will open the devices.
#[derive(Clone, Debug, Default)]
pub(super) struct User {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
    overrides_permissions: bool,
    namespace: Namespace,
}

#[derive(Clone, Debug, Default)]
enum Namespace {
    /// The host's.
    #[default]
    None,
    /// Made by the container, with these maps.
    New(Vec<IdMapping>, Vec<IdMapping>),
    /// Another container's, whose maps the configuration doesn't tell.
    Joined,
}

impl User {
    /// The user of a configuration's process.
    pub(super) fn of(spec: &Spec) -> User {
        let process = spec.process.clone().unwrap_or_default();
        let effective = process.capabilities.unwrap_or_default().effective;
        let namespace = spec.linux.namespaces.iter().find(|namespace| namespace.kind == NamespaceType::User);
        User {
            uid: process.user.uid,
            gid: process.user.gid,
            groups: process.user.additional_gids,
            overrides_permissions: effective.iter().any(|name| name == "CAP_DAC_OVERRIDE"),
            namespace: match namespace.map(|namespace| &namespace.path) {
                None => Namespace::None,
                Some(Some(path)) if !path.as_os_str().is_empty() => Namespace::Joined,
                Some(_) => Namespace::New(spec.linux.uid_mappings.clone(), spec.linux.gid_mappings.clone()),
            },
        }
    }

    fn in_user_namespace(&self) -> bool {
        !matches!(self.namespace, Namespace::None)
    }

    /// uid and gids on the host; `None` where they can't be known.
    fn host_ids(&self) -> Option<(u32, Vec<u32>)> {
        let groups = std::iter::once(self.gid).chain(self.groups.iter().copied());
        match &self.namespace {
            Namespace::None => Some((self.uid, groups.collect())),
            Namespace::New(uids, gids) => {
                Some((mapped(uids, self.uid)?, groups.filter_map(|gid| mapped(gids, gid)).collect()))
            }
            Namespace::Joined => None,
        }
    }

    /// The kernel's rule (`path_resolution(7)`, Permissions): the first of owner, group and others that fits decides.
    fn may_open(&self, owner: Owner, read_only: bool) -> bool {
        let Some((uid, groups)) = self.host_ids() else { return true };
        let shift = match () {
            () if uid == owner.uid => 6,
            () if groups.contains(&owner.gid) => 3,
            () => 0,
        };
        let wanted = if read_only { 0o4 } else { 0o6 };
        let overrides = self.overrides_permissions && !self.in_user_namespace();
        overrides || owner.mode >> shift & wanted == wanted
    }
}

impl std::fmt::Display for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host_ids() {
            Some((uid, _)) if uid != self.uid => write!(f, "uid {} inside, {uid} on the host", self.uid),
            _ => write!(f, "uid {}", self.uid),
        }
    }
}

fn mapped(maps: &[IdMapping], id: u32) -> Option<u32> {
    let map = maps.iter().find(|map| id.checked_sub(map.container_id).is_some_and(|offset| offset < map.size))?;
    Some(map.host_id + (id - map.container_id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::parse;

    const ROOTS: Owner = Owner { uid: 0, gid: 0, mode: 0o600 };
    const GROUPS: Owner = Owner { uid: 0, gid: 1007, mode: 0o660 };

    fn user(json: &str) -> User {
        User::of(&parse(json.as_bytes(), "c").unwrap())
    }

    #[test]
    fn who_may_open_what() {
        let root = user(r#"{"ociVersion":"1.3.0","process":{"cwd":"/","user":{"uid":0,"gid":0}}}"#);
        assert!(root.may_open(ROOTS, false));
        let plain =
            user(r#"{"ociVersion":"1.3.0","process":{"cwd":"/","user":{"uid":5,"gid":5,"additionalGids":[1007]}}}"#);
        assert!(!plain.may_open(ROOTS, true) && plain.may_open(GROUPS, false));
        let mapped = user(
            r#"{"ociVersion":"1.3.0","process":{"cwd":"/","user":{"uid":0,"gid":7},
                "capabilities":{"effective":["CAP_DAC_OVERRIDE"]}},
                "linux":{"namespaces":[{"type":"user"}],
                "uidMappings":[{"containerID":0,"hostID":1000,"size":10}],
                "gidMappings":[{"containerID":0,"hostID":1000,"size":10}]}}"#,
        );
        assert!(!mapped.may_open(ROOTS, true), "a capability over the namespace is none over the host's files");
        assert!(mapped.may_open(GROUPS, false));
        assert_eq!(mapped.to_string(), "uid 0 inside, 1000 on the host");
        let joined =
            user(r#"{"ociVersion":"1.3.0","linux":{"namespaces":[{"type":"user","path":"/proc/7/ns/user"}]}}"#);
        assert!(joined.may_open(ROOTS, false), "what can't be known is left to the kernel");
    }

    #[test]
    fn nodes_of_this_machine() {
        let host = Host::default();
        let null = Node::read(&host, Path::new("/dev/null"), "x").unwrap();
        assert_eq!((null.lease_name().as_str(), null.sysfs().to_str()), ("char 1:3", Some("/sys/dev/char/1:3")));
        let error = Node::read(&host, Path::new("/dev/nul"), "/dev/nul").unwrap_err().to_string();
        assert_eq!(error, "device /dev/nul: no /dev/nul here; did you mean /dev/null?");
        let error = Node::read(&host, Path::new("/proc/version"), "x").unwrap_err().to_string();
        assert!(error.ends_with("is neither a character nor a block device"), "{error}");
    }
}
