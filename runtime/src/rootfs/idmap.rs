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
    let given;
    let (uids, gids) = match (mount.uid_mappings.is_empty(), mount.gid_mappings.is_empty()) {
        (true, true) => match (&planned.options.mapping, context.userns_fd) {
            _ if planned.options.idmap.is_none() => return Ok(None),
            (Some(text), _) => {
                given = parse(text, linux)
                    .ok_or_else(|| invalid("idmap= is not uids=FROM-TO-SIZE#…;gids=FROM-TO-SIZE#…"))?;
                (&given.0, &given.1)
            }
            (None, Some(joined)) => {
                let joined = joined.try_clone_to_owned();
                return joined.map(Some).map_err(|_| failed(planned, "duplicating its descriptor")(Errno::EMFILE));
            }
            (None, None) => (&linux.uid_mappings, &linux.gid_mappings),
        },
        (false, false) => (&mount.uid_mappings, &mount.gid_mappings),
        _ => return Err(invalid("an idmapped mount needs both uidMappings and gidMappings")),
    };
    if uids.is_empty() || gids.is_empty() {
        return Err(invalid("idmap without mappings takes those of the container's user namespace, which it hasn't"));
    }
    make_namespace(planned, &lines(uids), &lines(gids)).map(Some)
}

/// crun's `uids=0-1000-10#10-2000-5;gids=…`. An `@` before a triple means that its second number is one inside the
/// container's user namespace.
fn parse(text: &str, linux: &spec::Linux) -> Option<(Vec<IdMapping>, Vec<IdMapping>)> {
    let (mut uids, mut gids) = (Vec::new(), Vec::new());
    for part in text.split(';').filter(|part| !part.is_empty()) {
        let (kind, triples) = part.split_once('=')?;
        let (mappings, container) = match kind {
            "uids" => (&mut uids, &linux.uid_mappings),
            "gids" => (&mut gids, &linux.gid_mappings),
            _ => return None,
        };
        for triple in triples.split('#') {
            mappings.push(parse_triple(triple, container)?);
        }
    }
    Some((uids, gids))
}

fn parse_triple(text: &str, container: &[IdMapping]) -> Option<IdMapping> {
    let (relative, text) = text.strip_prefix('@').map_or((false, text), |text| (true, text));
    let mut numbers = text.split('-').map(|number| number.parse::<u32>().ok());
    let (container_id, host_id, size) = (numbers.next()??, numbers.next()??, numbers.next()??);
    if numbers.next().is_some() {
        return None;
    }
    if !relative {
        return Some(IdMapping { container_id, host_id, size });
    }
    let inside = |map: &&IdMapping| host_id >= map.container_id && host_id - map.container_id < map.size;
    let map = container.iter().find(inside)?;
    Some(IdMapping { container_id, host_id: map.host_id + (host_id - map.container_id), size })
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
    let told = |step| move |error: std::io::Error| (step, crate::sys::errno(error));
    std::fs::write(format!("/proc/{pid}/uid_map"), uids).map_err(told("writing uid_map"))?;
    std::fs::write(format!("/proc/{pid}/gid_map"), gids).map_err(told("writing gid_map"))?;
    File::open(format!("/proc/{pid}/ns/user")).map(OwnedFd::from).map_err(told("opening it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cruns_mappings_are_read() {
        let container = IdMapping { container_id: 0, host_id: 100_000, size: 65_536 };
        let linux = spec::Linux { uid_mappings: vec![container], ..spec::Linux::default() };
        let (uids, gids) = parse("uids=0-1-10#@10-5-10;gids=0-3-10", &linux).unwrap();
        assert_eq!(lines(&uids), "0 1 10\n10 100005 10\n");
        assert_eq!(lines(&gids), "0 3 10\n");
        assert!(parse("uids=0-1", &linux).is_none());
        assert!(parse("users=0-1-1", &linux).is_none());
    }
}
