//! Making a cgroup, limiting it, and the ways into it.

use super::devices::{self, Policy};
use super::setting::{Setting, write_all};
use super::tree::Made;
use super::{Cgroup, Entry, Error, Hierarchy, Manager, bpf, knob, systemd, tree, v1, v2};
use crate::spec::Resources;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::Pid;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

impl Cgroup {
    /// Makes the cgroup on every hierarchy and writes its limits. `init` is for systemd only, see
    /// [`Cgroup::needs_init_first`]. What was made is removed again on failure.
    ///
    /// An ordinary user who may not make it gets an empty [`Entry`] as long as `resources` limits nothing: the container
    /// then stays in his own cgroup.
    ///
    /// # Errors
    /// [`Error::InUse`] if processes are in it already, [`Error::Refused`] and [`Error::Unsupported`] naming the field,
    /// [`Error::Io`].
    pub fn create(&self, resources: Option<&Resources>, init: Option<Pid>) -> Result<Entry, Error> {
        let nothing = Resources::default();
        let limits = resources.unwrap_or(&nothing);
        let settings = self.settings(limits)?;
        let policy = if self.rootless { None } else { Some(Policy::of(resources)?) };
        if let Some(unit) = &self.unit {
            let init = init.ok_or(Error::NoInit)?;
            systemd::start(unit, init, self.rootless, limits, policy.as_ref(), self.unified)?;
        }
        let entry = self.make(limits, &settings, policy.as_ref());
        if let (Err(_), Some(unit)) = (&entry, &self.unit) {
            systemd::abandon(unit, self.rootless);
        }
        entry
    }

    fn make(&self, limits: &Resources, settings: &[Setting], policy: Option<&Policy>) -> Result<Entry, Error> {
        let mut made = Made::default();
        let mut joined = Vec::with_capacity(self.hierarchies.len());
        for hierarchy in &self.hierarchies {
            let dir = hierarchy.directory();
            // systemd has made it, and the init is in it.
            if self.unit.is_some() && dir.exists() {
                joined.push((hierarchy, dir));
                continue;
            }
            match made.make(&dir, &hierarchy.mountpoint, hierarchy.has("cpuset")) {
                Ok(()) => joined.push((hierarchy, dir)),
                Err(Error::Io { errno: errno @ (Errno::EACCES | Errno::EPERM | Errno::EROFS), path, .. })
                    if self.rootless =>
                {
                    if let Some(setting) = settings.first() {
                        return Err(undelegated(setting, &path, errno));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        self.limit(limits, settings, &joined)?;
        if let Some(policy) = policy {
            restrict_devices(policy, false, &joined)?;
        }
        let entry = enter(&joined, |dir| Ok(dir.into()))?;
        made.keep();
        Ok(entry)
    }

    /// Changes the limits of a running container. Device rules are changed only if some are given.
    ///
    /// # Errors
    /// As [`Cgroup::create`].
    pub fn apply(&self, resources: &Resources) -> Result<(), Error> {
        let mut resources = Cow::Borrowed(resources);
        if let Some(v2) = self.v2_tree().filter(|_| self.unified) {
            v2::check_memory(&v2.directory(), &resources)?;
            v2::complete_quota(&v2.directory(), &mut resources)?;
        }
        let resources = resources.as_ref();
        let settings = self.settings(resources)?;
        let joined = self.directories();
        let policy = match self.rootless || resources.devices.is_empty() {
            true => None,
            false => Some(Policy::of(Some(resources))?),
        };
        if let Some(unit) = &self.unit {
            systemd::update(unit, self.rootless, resources, policy.as_ref(), self.unified)?;
        }
        self.limit(resources, &settings, &joined)?;
        policy.map_or(Ok(()), |policy| restrict_devices(&policy, true, &joined))
    }

    /// The way in for a further process.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn entry(&self) -> Result<Entry, Error> {
        enter(&self.directories(), inhabited)
    }

    /// The way into the cgroup `sub` below the container's (`exec --cgroup`), which must exist in at least one hierarchy;
    /// where it does not exist, the container's own is entered.
    ///
    /// # Errors
    /// [`Error::Path`] for `..`, [`Error::Io`] if there is no such cgroup.
    pub fn entry_at(&self, sub: &str) -> Result<Entry, Error> {
        let sub = below(sub)?;
        if sub.as_os_str().is_empty() {
            return self.entry();
        }
        let mut found = false;
        let mut joined = self.directories();
        for (_, dir) in &mut joined {
            let below = dir.join(&sub);
            if below.is_dir() {
                found = true;
                *dir = below;
            }
        }
        match joined.first() {
            Some((_, dir)) if !found => {
                Err(Error::Io { step: "entering cgroup", path: dir.join(&sub), errno: Errno::ENOENT })
            }
            _ => enter(&joined, inhabited),
        }
    }

    /// Lets systemd move a process in, to where [`Cgroup::entry_at`] leads. An ordinary user may himself move none out of
    /// his login session, whose cgroup is not his: `clone(2)` into a cgroup is then EACCES.
    ///
    /// # Errors
    /// [`Error::Bus`], [`Error::Path`], [`Error::Io`].
    pub fn attach(&self, sub: &str, process: Pid) -> Result<(), Error> {
        let (Some(unit), Some(v2)) = (&self.unit, self.v2_tree()) else { return Ok(()) };
        let own = v2.directory();
        let place = inhabited(&own.join(below(sub)?))?;
        systemd::attach(unit, self.rootless, place.strip_prefix(&own).unwrap_or(Path::new("")), process)
    }

    /// The directories that exist: an ordinary user's container may have none.
    fn directories(&self) -> Vec<(&Hierarchy, PathBuf)> {
        let all = self.hierarchies.iter().map(|hierarchy| (hierarchy, hierarchy.directory()));
        all.filter(|(_, dir)| !self.rootless || dir.exists()).collect()
    }

    /// v1's files for the controllers that a v1 hierarchy has, v2's for the others.
    pub(super) fn settings(&self, resources: &Resources) -> Result<Vec<Setting>, Error> {
        let has_v1 = |setting: &Setting| self.controller(&setting.controller).is_some();
        let mut settings: Vec<Setting> = v1::settings(resources).into_iter().filter(has_v1).collect();
        settings.extend(v2::settings(resources).into_iter().filter(|setting| !has_v1(setting)));
        settings.extend(v2::unified(resources)?);
        if self.manager == Manager::Disabled {
            if let Some(setting) = settings.first() {
                return Err(Error::unsupported(setting.field.as_ref(), "cgroups are disabled by the caller"));
            }
        }
        Ok(settings)
    }

    fn limit(
        &self,
        resources: &Resources,
        settings: &[Setting],
        joined: &[(&Hierarchy, PathBuf)],
    ) -> Result<(), Error> {
        let for_v2 = |setting: &Setting| self.controller(&setting.controller).is_none();
        if let Some((v2, _)) = joined.iter().find(|(hierarchy, _)| hierarchy.name.is_empty()) {
            if self.unified || settings.iter().any(for_v2) {
                v2::enable_controllers(&v2.mountpoint, &v2.path)?;
            }
        }
        write_all(settings, |controller| directory_of(joined, controller))?;
        if let Some(dir) = directory_of(joined, "") {
            v2::check_partition(dir, resources)?;
        }
        let runtime = resources.cpu.as_ref().and_then(|cpu| cpu.realtime_runtime).filter(|&runtime| runtime > 0);
        match runtime {
            Some(runtime) => self.allow_realtime(runtime),
            None => Ok(()),
        }
    }
}

/// `exec --cgroup` as a path below the container's cgroup; empty for that itself.
fn below(sub: &str) -> Result<PathBuf, Error> {
    match sub.trim_start_matches('/') {
        "" | "." => Ok(PathBuf::new()),
        sub => super::path::checked(sub),
    }
}

/// An ordinary user asked for a limit and may make no cgroup.
fn undelegated(setting: &Setting, path: &Path, errno: Errno) -> Error {
    let reason = format!(
        "making cgroup {}: {errno}: not delegated to this user; use the systemd manager, or run below \
         `systemd-run --user --scope -p Delegate=yes`",
        path.display()
    );
    Error::unsupported(setting.field.as_ref(), reason)
}

/// Not for an ordinary user's container: it can open no device that he can't open himself, nor make one.
fn restrict_devices(policy: &Policy, in_use: bool, joined: &[(&Hierarchy, PathBuf)]) -> Result<(), Error> {
    if let Some((_, dir)) = joined.iter().find(|(hierarchy, _)| hierarchy.has("devices")) {
        return if in_use { devices::update_v1(dir, policy) } else { devices::write_v1(dir, policy) };
    }
    match directory_of(joined, "") {
        Some(dir) => bpf::restrict(dir, policy),
        None if joined.is_empty() || policy.is_open() => Ok(()),
        None => Err(Error::unsupported("linux.resources.devices", "this host has neither v1's devices nor a v2 tree")),
    }
}

/// The directory that has the controller: a v1 hierarchy's, else the v2 tree's.
fn directory_of<'a>(joined: &'a [(&Hierarchy, PathBuf)], controller: &str) -> Option<&'a Path> {
    let v1 = joined.iter().find(|(hierarchy, _)| !controller.is_empty() && hierarchy.has(controller));
    let found = v1.or_else(|| joined.iter().find(|(hierarchy, _)| hierarchy.name.is_empty()))?;
    Some(&found.1)
}

/// `within` says where below a v2 cgroup processes may be: in a new one, in itself.
fn enter(joined: &[(&Hierarchy, PathBuf)], within: fn(&Path) -> Result<PathBuf, Error>) -> Result<Entry, Error> {
    let mut entry = Entry { into: None, tasks: Vec::with_capacity(joined.len()) };
    for (hierarchy, dir) in joined {
        if hierarchy.name.is_empty() {
            entry.into = Some(directory(&within(dir)?)?);
        } else {
            let path = dir.join("tasks");
            let tasks = knob::open_for_writing(&path);
            entry.tasks.push(tasks.map_err(|errno| Error::Io { step: "opening", path, errno })?);
        }
    }
    Ok(entry)
}

fn directory(dir: &Path) -> Result<std::os::fd::OwnedFd, Error> {
    open(dir, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).map_err(|errno| Error::Io {
        step: "opening cgroup",
        path: dir.into(),
        errno,
    })
}

/// A v2 cgroup that gives controllers to its children takes no process itself: a container that made such children
/// (systemd inside) is entered where its first process is.
fn inhabited(dir: &Path) -> Result<PathBuf, Error> {
    if knob::read_text(dir.join("cgroup.subtree_control"))?.trim().is_empty() {
        return Ok(dir.into());
    }
    for child in knob::children(dir)? {
        if !tree::processes(&child)?.is_empty() {
            return inhabited(&child);
        }
    }
    Ok(dir.into())
}
