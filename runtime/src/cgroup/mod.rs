//! Control groups of a container: v1, hybrid and v2, made directly or through systemd.
//!
//! [`Cgroup::plan`] builds the paths once; the result lives in the container's state, so that later commands neither
//! detect nor search. A process enters by [`Entry`]: `CLONE_INTO_CGROUP` on v2, its own write to v1's `tasks` files.
//! Both avoid a write to `cgroup.procs`, which waits for an RCU grace period (5 to 15 ms).
//!
//! `linux.cgroupsPath` under cgroupfs: absolute is from the root of each hierarchy; relative is below the runtime's own
//! cgroup on v1, beside it on v2 (runc's rule); absent is `/rtrun/<id>`. Under systemd it is `slice:prefix:name`.

mod bpf;
mod create;
mod dbus;
mod describe;
mod devices;
mod error;
mod freezer;
mod knob;
pub(crate) mod layout;
mod partition;
mod path;
mod realtime;
mod setting;
mod stats;
mod systemd;
mod tree;
mod v1;
mod v2;

pub use dbus::BusError;
pub use describe::PlannedFile;
pub use error::Error;
pub use realtime::RealtimeGroup;
pub use stats::Stats;

use crate::spec::{Resources, Spec};
use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, write};
use serde::{Deserialize, Serialize};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Who makes the cgroup.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Manager {
    /// mkdir(2) on the hierarchies.
    Cgroupfs,
    /// A transient scope of systemd, over D-Bus.
    Systemd,
    /// No cgroup: the container stays in the caller's. Device rules are then not enforced.
    Disabled,
}

/// A mounted tree of cgroups and the container's place in it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Hierarchy {
    name: String,
    mountpoint: PathBuf,
    path: PathBuf,
}

impl Hierarchy {
    fn new(name: String, mountpoint: PathBuf) -> Self {
        Self { name, mountpoint, path: PathBuf::new() }
    }

    /// Its controllers as in `/proc/self/cgroup` (`cpu,cpuacct`), `systemd` for `name=systemd`, empty for v2.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the host has mounted it.
    #[must_use]
    pub fn mountpoint(&self) -> &Path {
        &self.mountpoint
    }

    /// The container's cgroup, relative to the mountpoint.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The container's directory on the host.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        self.mountpoint.join(&self.path)
    }

    fn has(&self, controller: &str) -> bool {
        self.name.split(',').any(|name| name == controller)
    }
}

/// A container's cgroup, in every hierarchy of the host.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Cgroup {
    manager: Manager,
    rootless: bool,
    unified: bool,
    hierarchies: Vec<Hierarchy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<path::Unit>,
}

/// How a process enters a cgroup.
#[derive(Debug, Default)]
pub struct Entry {
    /// v2 directory for `CLONE_INTO_CGROUP` (`clone(2)`), where there is a v2 tree.
    pub into: Option<OwnedFd>,
    /// v1 `tasks` files, open for writing.
    pub tasks: Vec<OwnedFd>,
}

impl Entry {
    /// Moves the calling thread, the only one of its process, into every v1 cgroup. Only write(2)s: fit for the time
    /// between clone(2) and execve(2).
    ///
    /// # Errors
    /// The index in [`Entry::tasks`] and what the kernel said.
    pub fn join(&self) -> Result<(), (usize, Errno)> {
        for (index, tasks) in self.tasks.iter().enumerate() {
            while let Err(errno) = write(tasks, b"0") {
                if errno != Errno::EINTR {
                    return Err((index, errno));
                }
            }
        }
        Ok(())
    }
}

impl Cgroup {
    /// The cgroup's paths on this host's layout. Creates nothing.
    ///
    /// # Errors
    /// [`Error::Layout`] without cgroups, [`Error::Path`] for a bad `linux.cgroupsPath`, [`Error::Bus`] if an ordinary
    /// user's systemd is not reached.
    pub fn plan(spec: &Spec, id: &str, manager: Manager, rootless: bool) -> Result<Self, Error> {
        let path = spec.linux.cgroups_path.as_deref();
        let mut cgroup = Self { manager, rootless, unified: false, hierarchies: Vec::new(), unit: None };
        if manager == Manager::Disabled {
            return Ok(cgroup);
        }
        (cgroup.unified, cgroup.hierarchies) = layout::detect()?;
        let place = match manager {
            Manager::Systemd => {
                let unit = path::unit(path, id, rootless)?;
                let slice = systemd::manager_directory(rootless)?.join(path::slice_directory(&unit.slice)?);
                let directory = slice.join(&unit.name);
                cgroup.unit = Some(unit);
                path::Place::Absolute(directory)
            }
            _ => path::place(path, id, rootless)?,
        };
        let own = match place {
            path::Place::Absolute(_) => Vec::new(),
            path::Place::Relative(_) => layout::own()?,
        };
        for hierarchy in &mut cgroup.hierarchies {
            hierarchy.path = path::resolve(&place, &own, &hierarchy.name, &hierarchy.mountpoint)?;
        }
        Ok(cgroup)
    }

    /// Whether the init must live before [`Cgroup::create`]: systemd makes a scope around a process.
    #[must_use]
    pub fn needs_init_first(&self) -> bool {
        self.manager == Manager::Systemd
    }

    /// Whether the host has v2 alone.
    #[must_use]
    pub fn is_unified(&self) -> bool {
        self.unified
    }

    /// Whether it is there, in any hierarchy.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.hierarchies.iter().any(|hierarchy| hierarchy.directory().exists())
    }

    /// Every hierarchy with the container's place in it; none with [`Manager::Disabled`].
    pub fn hierarchies(&self) -> impl Iterator<Item = &Hierarchy> {
        self.hierarchies.iter()
    }

    /// The hierarchies to show inside, with the container's place in each. A v1 hierarchy in which an ordinary user
    /// could make no cgroup has no place of the container's to show.
    pub fn visible(&self) -> impl Iterator<Item = &Hierarchy> {
        let made = |hierarchy: &&Hierarchy| self.unified || !self.rootless || hierarchy.directory().exists();
        self.hierarchies.iter().filter(made)
    }

    /// Fields of `resources` that are accepted and have no effect, as the kernel has dropped what they meant.
    #[must_use]
    pub fn ignored(resources: &Resources) -> &'static [&'static str] {
        let kernel = resources.memory.as_ref().and_then(|memory| memory.kernel);
        if kernel.is_some_and(|kernel| kernel > 0) { &["linux.resources.memory.kernel"] } else { &[] }
    }

    /// Raises the real-time budget (microseconds a period, `cpu.rt_runtime_us`) of the container and of each of its
    /// ancestors below the root, so that SCHED_FIFO and SCHED_RR are allowed in it. Nothing to do on kernels without
    /// `RT_GROUP_SCHED`, and on v2, which has no such knob.
    ///
    /// # Errors
    /// [`Error::Realtime`] where the kernel refuses.
    pub fn allow_realtime(&self, budget_us: i64) -> Result<(), Error> {
        match self.controller("cpu") {
            Some(cpu) => realtime::allow(&cpu.directory(), &cpu.mountpoint, budget_us),
            None => Ok(()),
        }
    }

    /// The real-time budget of the container's own cgroup: microseconds, and the period. `None` on kernels without
    /// `RT_GROUP_SCHED`, and on v2.
    #[must_use]
    pub fn realtime_budget(&self) -> Option<(i64, i64)> {
        let directory = self.controller("cpu")?.directory();
        let number = |name| knob::get(&directory.join(name)).ok()?.trim().parse().ok();
        Some((number("cpu.rt_runtime_us")?, number("cpu.rt_period_us")?))
    }

    /// Stops all tasks and returns when they are stopped.
    ///
    /// # Errors
    /// [`Error::NotFrozen`] after ten seconds, with the tasks running again; [`Error::Absent`] without a cgroup.
    pub fn freeze(&self) -> Result<(), Error> {
        self.set_frozen(true)
    }

    /// Lets the tasks run again.
    ///
    /// # Errors
    /// As [`Cgroup::freeze`].
    pub fn thaw(&self) -> Result<(), Error> {
        self.set_frozen(false)
    }

    fn set_frozen(&self, freeze: bool) -> Result<(), Error> {
        match (self.controller("freezer"), self.v2_tree()) {
            (Some(v1), _) => freezer::set_v1(&v1.directory(), freeze),
            (None, Some(v2)) => freezer::set_v2(&v2.directory(), freeze),
            (None, None) => Err(Error::Absent("no freezer")),
        }
    }

    /// Whether the tasks are stopped. False where there is no cgroup, or none any more.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn frozen(&self) -> Result<bool, Error> {
        let state = match (self.controller("freezer"), self.v2_tree()) {
            (Some(v1), _) => freezer::frozen_v1(&v1.directory()),
            (None, Some(v2)) => freezer::frozen_v2(&v2.directory()),
            (None, None) => return Ok(false),
        };
        match state {
            Err(Error::Io { errno: Errno::ENOENT | Errno::ENODEV, .. }) => Ok(false),
            state => state,
        }
    }

    /// The processes in the container's cgroup and below it, ascending. None where there is no cgroup.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn processes(&self) -> Result<Vec<Pid>, Error> {
        match self.main() {
            Some(hierarchy) => tree::processes(&hierarchy.directory()),
            None => Ok(Vec::new()),
        }
    }

    /// Sends `signal` to every process. SIGKILL goes by `cgroup.kill` where a v2 tree has it (Linux 5.14): no process can
    /// be forked past it. Otherwise the tasks are stopped meanwhile, and SIGKILL is repeated until none is left.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::NotFrozen`].
    pub fn kill(&self, signal: Signal) -> Result<(), Error> {
        if signal == Signal::SIGKILL {
            if let Some(v2) = self.v2_tree() {
                let path = v2.directory().join("cgroup.kill");
                match knob::set(&path, "1") {
                    Ok(()) if self.unified => return Ok(()),
                    Ok(()) => {
                        self.kill_each(signal)?;
                        // v1's freezer knows nothing of v2's kill.
                        return if self.frozen()? { self.thaw() } else { Ok(()) };
                    }
                    Err(Errno::ENOENT) => {}
                    Err(errno) => return Err(Error::Io { step: "writing", path, errno }),
                }
            }
        }
        let was_frozen = self.frozen()?;
        let stopped = !was_frozen && self.freeze().is_ok();
        let sent = self.kill_each(signal);
        // A frozen v1 task takes no signal before it is thawed.
        if stopped || (was_frozen && signal == Signal::SIGKILL) {
            self.thaw()?;
        }
        sent
    }

    fn kill_each(&self, signal: Signal) -> Result<(), Error> {
        for pid in self.processes()? {
            match nix::sys::signal::kill(pid, signal) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(errno) => return Err(Error::Io { step: "signalling", path: format!("/proc/{pid}").into(), errno }),
            }
        }
        Ok(())
    }

    /// What the container has used, from whichever hierarchies there are.
    ///
    /// # Errors
    /// [`Error::Absent`] without a cgroup, [`Error::Io`].
    pub fn stats(&self) -> Result<Stats, Error> {
        stats::read(self)
    }

    /// Removes the cgroup and those below it from every hierarchy. Returns when they are gone; processes that are dying
    /// are waited for, at most two seconds.
    ///
    /// # Errors
    /// [`Error::Io`] with EBUSY if processes are left; [`Error::Bus`] if systemd is not reached.
    pub fn remove(&self) -> Result<(), Error> {
        if let Some(unit) = &self.unit {
            systemd::stop(unit, self.rootless)?;
        }
        self.hierarchies.iter().try_for_each(|hierarchy| tree::remove(&hierarchy.directory()))
    }

    fn controller(&self, name: &str) -> Option<&Hierarchy> {
        self.hierarchies.iter().find(|hierarchy| !hierarchy.name.is_empty() && hierarchy.has(name))
    }

    fn v2_tree(&self) -> Option<&Hierarchy> {
        self.hierarchies.iter().find(|hierarchy| hierarchy.name.is_empty())
    }

    /// The hierarchy whose list of processes is believed: every process is in all of them. An ordinary user may have a
    /// cgroup in some only.
    fn main(&self) -> Option<&Hierarchy> {
        let known = ["freezer", "devices"].into_iter().find_map(|name| self.controller(name));
        match known {
            Some(hierarchy) if !self.rootless => Some(hierarchy),
            _ => self.hierarchies.iter().find(|hierarchy| hierarchy.directory().exists()),
        }
    }
}
