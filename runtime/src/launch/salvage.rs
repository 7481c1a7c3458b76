//! `delete --force` of a container whose state file can't be read: its configuration still names its cgroup, and everything
//! that runs in the container is in that.

use super::Error;
use super::delete::end;
use crate::cgroup::{Cgroup, Manager};
use crate::spec::Spec;
use crate::state::Store;

/// Ends what can be found of the container, removes its cgroup and its directory, and says what may be left.
///
/// # Errors
/// As [`super::delete`]: the directory stays, so that it can be tried again.
pub(super) fn delete(store: &Store, id: &str, warn: &mut dyn FnMut(String)) -> Result<(), Error> {
    let mut container = store.lock_malformed(id)?;
    container.state.cgroup = container.config().ok().and_then(|spec| cgroup_of(&spec, id));
    match container.cgroup() {
        Some(_) => warn(format!(
            "container {id}: its state can't be read: ended and removed by the cgroup that its config.json names, without \
             poststop hooks; a resctrl group or mounts on the host, if it had any, are left"
        )),
        None => warn(format!(
            "container {id}: its state can't be read, and no cgroup is found by its config.json: processes, cgroups and \
             mounts that it may have are left; look for them with `systemd-cgls` or below /sys/fs/cgroup"
        )),
    }
    end(&container)?;
    if let Some(cgroup) = container.cgroup() {
        cgroup.remove()?;
    }
    Ok(store.remove_malformed(id)?)
}

/// The cgroup as create planned it. A path that is relative to the cgroup of create's caller is not followed from another
/// place, where it could be somebody else's.
fn cgroup_of(spec: &Spec, id: &str) -> Option<Cgroup> {
    let rootless = !nix::unistd::geteuid().is_root();
    let fixed = spec.linux.cgroups_path.as_deref().is_none_or(|path| path.is_empty() || path.starts_with('/'));
    let planned = |manager| Cgroup::plan(spec, id, manager, rootless).ok().filter(Cgroup::exists);
    let direct = if fixed { planned(Manager::Cgroupfs) } else { None };
    direct.or_else(|| planned(Manager::Systemd))
}
