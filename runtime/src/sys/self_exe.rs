//! Keeps a container from writing to the host's `rtrun` through `/proc/PID/exe` (CVE-2019-5736).

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, SealFlag, fcntl, open};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::Mode;
use nix::sys::statvfs::{FsFlags, statvfs};
use rustix::mount::{OpenTreeFlags, open_tree};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

const OWN: &CStr = c"/proc/self/exe";

/// Why the binary can't be made unreachable.
#[derive(Debug, thiserror::Error)]
#[error("making rtrun's own binary unwritable for the container (CVE-2019-5736): {step}: {errno}")]
pub struct Error {
    step: &'static str,
    errno: Errno,
}

/// Returns at once when this process runs from a read-only mount or a sealed file; executes itself from one otherwise.
/// A command that joins namespaces with somebody in them calls this first.
///
/// # Errors
/// [`Error`] with the step that failed.
pub fn ensure_unwritable() -> Result<(), Error> {
    let step = |step| move |errno| Error { step, errno };
    let filesystem = statvfs(OWN).map_err(step("looking at its mount"))?;
    if filesystem.flags().contains(FsFlags::ST_RDONLY) {
        return Ok(());
    }
    let exe = open(OWN, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()).map_err(step("opening /proc/self/exe"))?;
    if fcntl(&exe, FcntlArg::F_GET_SEALS).is_ok_and(|seals| seals & SealFlag::F_SEAL_WRITE.bits() != 0) {
        return Ok(());
    }
    // A mount of our own costs three calls and no copy; without CAP_SYS_ADMIN it is a sealed copy in memory.
    let safe = match read_only_mount() {
        Err(Errno::EPERM | Errno::ENOSYS) => sealed_copy(exe).map_err(step("copying to a sealed memfd"))?,
        other => other.map_err(step("mounting it read-only"))?,
    };
    let arguments: Vec<CString> =
        std::env::args_os().filter_map(|argument| CString::new(argument.into_vec()).ok()).collect();
    let environment: Vec<CString> = std::env::vars_os()
        .filter_map(|(name, value)| {
            let mut text = name.into_vec();
            text.push(b'=');
            text.extend(value.into_vec());
            CString::new(text).ok()
        })
        .collect();
    let Err(errno) = nix::unistd::execveat(&safe, c"", &arguments, &environment, nix::fcntl::AtFlags::AT_EMPTY_PATH);
    Err(Error { step: "executing it again", errno })
}

fn read_only_mount() -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(rustix::fs::CWD, OWN, flags).map_err(|error| Errno::from_raw(error.raw_os_error()))?;
    let read_only = super::mount::MountAttr { set: libc::MOUNT_ATTR_RDONLY, ..Default::default() };
    super::mount::mount_setattr(tree.as_fd(), false, &read_only)?;
    Ok(tree)
}

fn sealed_copy(exe: OwnedFd) -> Result<OwnedFd, Errno> {
    let copy = memfd_create(c"rtrun", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    let mut copy = std::fs::File::from(copy);
    std::io::copy(&mut std::fs::File::from(exe), &mut copy).map_err(crate::sys::errno)?;
    let seals = SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_SEAL;
    fcntl(&copy, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(copy.into())
}
