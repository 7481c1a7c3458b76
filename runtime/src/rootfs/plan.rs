use super::options::{self, Options};
use super::{Context, Cover, Error, Place, Rootfs, device, idmap, resolve, tree};
use crate::spec::{self, NamespaceType};
use crate::sys::mount::{MountAttr, mount_setattr};
use libc::{MS_PRIVATE, MS_SHARED, MS_SLAVE, MS_UNBINDABLE};
use nix::errno::Errno;
use std::cell::OnceCell;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// One mount of the configuration.
#[derive(Debug)]
pub(super) struct Mount {
    index: usize,
    /// The destination, relative to the root.
    pub target: PathBuf,
    pub options: Options,
    pub action: Action,
}

#[derive(Debug)]
pub(super) enum Action {
    Filesystem {
        kind: String,
        source: PathBuf,
    },
    /// A clone of `source`; `tree` is the parent's, for idmapped mounts and for a child without access.
    Bind {
        source: PathBuf,
        tree: Option<OwnedFd>,
    },
    Remount,
    Cgroup {
        unified: bool,
    },
}

impl Mount {
    /// The field with the destination in it, for errors.
    pub(super) fn subject(&self) -> String {
        format!("mounts[{}] (/{})", self.index, self.target.display())
    }

    /// Whether the mount gets read-only at the very end, since files are still made in it.
    pub(super) fn sealed_later(&self) -> bool {
        let makes_files = match &self.action {
            Action::Filesystem { kind, .. } => kind == "tmpfs" || self.target == Path::new("dev"),
            _ => false,
        };
        makes_files && self.options.whole() & libc::MOUNT_ATTR_RDONLY != 0
    }
}

impl Rootfs {
    /// Validates the configuration's filesystem and opens what the child can't. Called by the parent, before clone.
    ///
    /// # Errors
    /// [`Error`], naming the field.
    pub fn plan(context: &Context) -> Result<Rootfs, Error> {
        let spec = context.spec;
        let root = spec.root.as_ref().ok_or(Error::NoRoot)?;
        let path = existing_directory(context.bundle.join(&root.path))?;
        let propagation = spec.linux.rootfs_propagation.as_deref().map_or(Ok(None), propagation)?;
        let place = place(context, &path)?;
        let label = spec.linux.mount_label.clone().filter(|label| !label.is_empty());
        if label.is_some() && !Path::new("/sys/fs/selinux/enforce").exists() {
            return Err(Error::NoSelinux);
        }
        let mounts = spec.mounts.iter().enumerate();
        let mut mounts =
            mounts.map(|(index, mount)| plan_mount(context, index, mount)).collect::<Result<Vec<_>, _>>()?;
        let root_tree = match place {
            Place::Namespace if context.new_userns => detached(&path, true, false).ok(),
            // What is bound from the host would pass on what is mounted below it.
            Place::Host { .. } => {
                mounts.iter_mut().for_each(|mount| mount.options.propagation.insert(0, (MS_SLAVE, true)));
                None
            }
            Place::Namespace | Place::Nowhere => None,
        };
        Ok(Rootfs {
            readonly: root.readonly,
            root_tree,
            devices: if matches!(place, Place::Nowhere) { None } else { device::plan(context)? },
            place,
            no_pivot: context.no_pivot,
            in_user_namespace: context.new_userns,
            propagation,
            mounts,
            masked: spec.linux.masked_paths.clone(),
            readonly_paths: spec.linux.readonly_paths.clone(),
            null: OnceCell::new(),
            label,
            path,
        })
    }
}

fn existing_directory(path: PathBuf) -> Result<PathBuf, Error> {
    match nix::sys::stat::stat(&path) {
        Ok(stat) if stat.st_mode & libc::S_IFMT == libc::S_IFDIR => Ok(path),
        Ok(_) => Err(Error::Root { path, errno: Errno::ENOTDIR }),
        Err(errno) => Err(Error::Root { path, errno }),
    }
}

fn propagation(value: &str) -> Result<Option<(u64, bool)>, Error> {
    let (kind, recursive) = match value {
        "" => return Ok(None),
        "shared" => (MS_SHARED, false),
        "rshared" => (MS_SHARED, true),
        "slave" => (MS_SLAVE, false),
        "rslave" => (MS_SLAVE, true),
        "private" => (MS_PRIVATE, false),
        "rprivate" => (MS_PRIVATE, true),
        "unbindable" => (MS_UNBINDABLE, false),
        "runbindable" => (MS_UNBINDABLE, true),
        _ => return Err(Error::Propagation { value: value.to_owned() }),
    };
    Ok(Some((kind, recursive)))
}

/// Refuses what can't be had without a mount namespace: changes of the host's own mounts, masks in which only a
/// namespace could hold the process, and any mount by a user namespace that doesn't own the host's.
fn place(context: &Context, root: &Path) -> Result<Place, Error> {
    let spec = context.spec;
    let linux = &spec.linux;
    if linux.namespaces.iter().any(|namespace| namespace.kind == NamespaceType::Mount) {
        return Ok(Place::Namespace);
    }
    let impossible = [
        ("linux.maskedPaths", !linux.masked_paths.is_empty()),
        ("linux.readonlyPaths", !linux.readonly_paths.is_empty()),
        ("linux.rootfsPropagation", linux.rootfs_propagation.as_deref().is_some_and(|kind| !kind.is_empty())),
    ];
    let possible = [
        ("mounts", !spec.mounts.is_empty()),
        ("linux.devices", !linux.devices.is_empty()),
        ("root.readonly", spec.root.as_ref().is_some_and(|root| root.readonly)),
    ];
    let first = |fields: &[(&'static str, bool)]| fields.iter().find(|(_, asked)| *asked).map(|(field, _)| *field);
    // Nothing that looks files up from `/` would see what lies over the host's own root.
    let is_hosts_root = || root.canonicalize().is_ok_and(|path| path == Path::new("/"));
    match (first(&impossible), first(&possible)) {
        (Some(field), _) => Err(Error::NoMountNamespace { field }),
        (None, Some(field)) if context.new_userns || is_hosts_root() => Err(Error::NoMountNamespace { field }),
        (None, Some(_)) => Cover::plan(root).map(|(cover, tree)| Place::Host { cover, tree }),
        (None, None) => Ok(Place::Nowhere),
    }
}

fn plan_mount(context: &Context, index: usize, mount: &spec::Mount) -> Result<Mount, Error> {
    let target = resolve::relative(&mount.destination);
    let options = options::parse(&mount.options);
    let kind = mount.kind.as_deref().unwrap_or_default();
    let mut planned = Mount { index, target, options, action: Action::Remount };
    let source = mount.source.clone().filter(|source| !source.as_os_str().is_empty());
    planned.action = match kind {
        _ if planned.options.bind.is_some() || kind == "bind" || kind == "rbind" => {
            planned.options.bind = Some(planned.options.bind.unwrap_or(kind == "rbind"));
            if !(mount.uid_mappings.is_empty() && mount.gid_mappings.is_empty()) {
                planned.options.idmap.get_or_insert(false);
            }
            plan_bind(context, &planned, mount, source)?
        }
        _ if planned.options.remount => Action::Remount,
        "" | "none" => return Err(planned.invalid("no filesystem type; give one, or the option bind or rbind")),
        "cgroup" => Action::Cgroup { unified: false },
        "cgroup2" => Action::Cgroup { unified: true },
        _ => Action::Filesystem { kind: kind.to_owned(), source: source.unwrap_or_else(|| kind.into()) },
    };
    check(&planned, kind)?;
    if kind == "devpts" && context.new_userns {
        drop_unmapped_group(&mut planned.options, &context.spec.linux.gid_mappings);
    }
    Ok(planned)
}

impl Mount {
    fn invalid(&self, reason: impl Into<String>) -> Error {
        Error::Invalid { subject: self.subject(), reason: reason.into() }
    }
}

fn check(mount: &Mount, kind: &str) -> Result<(), Error> {
    let is_bind = matches!(mount.action, Action::Bind { .. });
    resolve::check_proc(&mount.target, is_bind || kind == "proc")
        .map_err(|source| Error::Target { subject: mount.subject(), source })?;
    if mount.options.copy_up && kind != "tmpfs" {
        return Err(mount.invalid("tmpcopyup is for tmpfs"));
    }
    if mount.options.idmap.is_some() && !is_bind {
        return Err(mount.invalid("idmap and ridmap are for bind mounts"));
    }
    Ok(())
}

/// The group of terminals, 5 on most hosts, is dropped where the user namespace has no such group.
fn drop_unmapped_group(options: &mut Options, mappings: &[spec::IdMapping]) {
    let mapped = |gid: u32| mappings.iter().any(|map| gid >= map.container_id && gid - map.container_id < map.size);
    options.data.retain(|(key, value)| {
        let gid = value.as_deref().and_then(|value| value.parse().ok());
        mappings.is_empty() || key != "gid" || gid.is_none_or(mapped)
    });
}

fn plan_bind(
    context: &Context,
    planned: &Mount,
    mount: &spec::Mount,
    source: Option<PathBuf>,
) -> Result<Action, Error> {
    if planned.options.remount {
        return Ok(Action::Remount);
    }
    // The kernel ignores a filesystem's KEY=VALUE here, and callers give them; a flag that it would ignore is a typing
    // mistake, but for relabelling (z, Z), change of owners (U) and overlays (O), which were the caller's work.
    let is_unknown = |key: &str, value: &Option<String>| value.is_none() && !matches!(key, "z" | "Z" | "U" | "O");
    if let Some((key, _)) = planned.options.data.iter().find(|(key, value)| is_unknown(key, value)) {
        return Err(planned.invalid(format!("{key:?} is no option of a bind mount")));
    }
    let source = source.ok_or_else(|| planned.invalid("a bind mount needs a source"))?;
    let source = context.bundle.join(source);
    let recursive = planned.options.bind == Some(true);
    let mapping = idmap::namespace(context, planned, mount)?;
    let tree = match mapping {
        Some(mapping) => {
            let tree = detached(&source, recursive, planned.options.source_nofollow)
                .map_err(|errno| Error::Source { subject: planned.subject(), origin: source.clone(), errno })?;
            idmap::apply(planned, &source, tree.as_fd(), mapping.as_fd())?;
            Some(tree)
        }
        // A source that can't be opened here either is the child's error to tell.
        None if context.new_userns => detached(&source, recursive, planned.options.source_nofollow).ok(),
        None => None,
    };
    Ok(Action::Bind { source, tree })
}

/// A clone made by the parent: slave of its source, as the child's own mounts are, since it was cloned before them.
fn detached(source: &Path, recursive: bool, nofollow: bool) -> Result<OwnedFd, Errno> {
    let tree = tree::clone(source, recursive, nofollow)?;
    mount_setattr(tree.as_fd(), true, &MountAttr { propagation: MS_SLAVE, ..MountAttr::default() })?;
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devpts_keeps_its_group_only_where_it_is_mapped() {
        let mut options = options::parse(&["gid=5".to_owned(), "mode=0620".to_owned()]);
        drop_unmapped_group(&mut options, &[spec::IdMapping { container_id: 0, host_id: 1000, size: 10 }]);
        assert_eq!(options.data_string(), "gid=5,mode=0620");
        drop_unmapped_group(&mut options, &[spec::IdMapping { container_id: 0, host_id: 1000, size: 1 }]);
        assert_eq!(options.data_string(), "mode=0620");
    }
}
