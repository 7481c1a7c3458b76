//! Idmapped mounts: the mapping is that of a user namespace made for it, or of the container's.

use super::plan::Mount;
use super::{Context, Error};
use crate::spec::{self, IdMapping};
use crate::sys::mount::{MountAttr, mount_setattr};
use nix::errno::Errno;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// The user namespace whose mapping the mount takes; none if it isn't idmapped.
pub(super) fn namespace(context: &Context, planned: &Mount, mount: &spec::Mount) -> Result<Option<OwnedFd>, Error> {
    let invalid = |reason: &str| Error::Invalid { subject: planned.subject(), reason: reason.to_owned() };
    let linux = &context.spec.linux;
    let (uids, gids) = match (mount.uid_mappings.is_empty(), mount.gid_mappings.is_empty(), context.userns_fd) {
        (true, true, _) if planned.options.idmap.is_none() => return Ok(None),
        (true, true, Some(joined)) => {
            let joined = joined.try_clone_to_owned();
            return joined.map(Some).map_err(|_| failed(planned, "duplicating its descriptor")(Errno::EMFILE));
        }
        (true, true, None) => (&linux.uid_mappings, &linux.gid_mappings),
        (false, false, _) => (&mount.uid_mappings, &mount.gid_mappings),
        _ => return Err(invalid("an idmapped mount needs both uidMappings and gidMappings")),
    };
    if uids.is_empty() || gids.is_empty() {
        return Err(invalid("idmap without mappings takes those of the container's user namespace, which it hasn't"));
    }
    make_namespace(planned, &lines(uids), &lines(gids)).map(Some)
}

/// Gives the detached clone its mapping.
pub(super) fn apply(mount: &Mount, source: &Path, tree: BorrowedFd, namespace: BorrowedFd) -> Result<(), Error> {
    let change = MountAttr { user_namespace: Some(namespace), ..MountAttr::default() };
    mount_setattr(tree, mount.options.idmap == Some(true), &change).map_err(|errno| Error::Idmap {
        subject: mount.subject(),
        origin: source.to_path_buf(),
        errno,
    })
}

fn lines(mappings: &[IdMapping]) -> String {
    mappings.iter().map(|map| format!("{} {} {}\n", map.container_id, map.host_id, map.size)).collect()
}

fn failed<'a>(mount: &'a Mount, step: &'static str) -> impl Fn(Errno) -> Error + 'a {
    move |errno| Error::IdmapNamespace { subject: mount.subject(), step, errno }
}

/// A process is needed to make a user namespace; it waits, does nothing, and ends when its pipe closes.
fn make_namespace(mount: &Mount, uids: &str, gids: &str) -> Result<OwnedFd, Error> {
    let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(failed(mount, "making a pipe"))?;
    let flags = libc::CLONE_NEWUSER | libc::SIGCHLD;
    // SAFETY: without CLONE_VM this is fork(2); the child makes only async-signal-safe calls and ends by _exit(2).
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    if pid == 0 {
        let mut byte = 0u8;
        // SAFETY: both descriptors are the child's own copies; the buffer is one live byte.
        unsafe {
            libc::close(writer.as_raw_fd());
            libc::read(reader.as_raw_fd(), (&raw mut byte).cast(), 1);
            libc::_exit(0);
        }
    }
    let pid = Errno::result(pid).map_err(failed(mount, "clone"))?;
    let opened = map_and_open(pid, uids, gids);
    drop(writer);
    let ended = waitpid(Pid::from_raw(pid as i32), None);
    let namespace = opened.map_err(|(step, errno)| failed(mount, step)(errno))?;
    ended.map_err(failed(mount, "waiting for its process"))?;
    Ok(namespace)
}

fn map_and_open(pid: i64, uids: &str, gids: &str) -> Result<OwnedFd, (&'static str, Errno)> {
    let told = |step| move |error: std::io::Error| (step, Errno::from_raw(error.raw_os_error().unwrap_or_default()));
    std::fs::write(format!("/proc/{pid}/uid_map"), uids).map_err(told("writing uid_map"))?;
    std::fs::write(format!("/proc/{pid}/gid_map"), gids).map_err(told("writing gid_map"))?;
    File::open(format!("/proc/{pid}/ns/user")).map(OwnedFd::from).map_err(told("opening it"))
}
