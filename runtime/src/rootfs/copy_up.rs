//! `tmpcopyup`: a tmpfs that starts with what its target held.

use super::plan::Mount;
use super::{Error, errno, tree};
use nix::errno::Errno;
use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Statx, StatxFlags, Uid, XattrFlags};
use std::collections::HashMap;
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Copies the contents of `from` into the still detached `to`: modes, owners, extended attributes, links.
pub(super) fn copy(mount: &Mount, from: BorrowedFd, to: BorrowedFd) -> Result<(), Error> {
    let mut copy = Copy { top: to, links: HashMap::new(), path: PathBuf::new() };
    let result = tree::stat(from).and_then(|stat| {
        copy.contents(from, to)?;
        own(to, c"", &stat, AtFlags::EMPTY_PATH)
    });
    result.map_err(|errno| Error::CopyUp { subject: mount.subject(), path: copy.path, errno })
}

struct Copy<'a> {
    top: BorrowedFd<'a>,
    /// Files with several links by inode, to where the first copy is.
    links: HashMap<(u32, u32, u64), PathBuf>,
    /// Of the entry at hand, below the top; stays at the one that failed.
    path: PathBuf,
}

impl Copy<'_> {
    fn contents(&mut self, from: BorrowedFd, to: BorrowedFd) -> Result<(), Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(from, c".", flags, Mode::empty()).map_err(errno)?;
        for entry in Dir::new(directory).map_err(errno)? {
            let entry = entry.map_err(errno)?;
            let name = entry.file_name();
            if name != c"." && name != c".." {
                self.path.push(OsStr::from_bytes(name.to_bytes()));
                self.entry(from, to, name)?;
                self.path.pop();
            }
        }
        Ok(())
    }

    fn entry(&mut self, from: BorrowedFd, to: BorrowedFd, name: &CStr) -> Result<(), Errno> {
        let stat = rustix::fs::statx(from, name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS).map_err(errno)?;
        let kind = FileType::from_raw_mode(stat.stx_mode.into());
        if self.linked(&stat, kind, to, name)? {
            return Ok(());
        }
        let mode = Mode::from_raw_mode(u32::from(stat.stx_mode) & 0o7777);
        match kind {
            FileType::Directory => {
                rustix::fs::mkdirat(to, name, mode).map_err(errno)?;
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
                let (source, copy) = (open(from, name, flags)?, open(to, name, flags)?);
                self.contents(source.as_fd(), copy.as_fd())?;
                finish(source.as_fd(), copy.as_fd(), &stat, mode)
            }
            FileType::RegularFile => {
                let source = open(from, name, OFlags::RDONLY | OFlags::NOFOLLOW)?;
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                let copy = rustix::fs::openat(to, name, flags, mode).map_err(errno)?;
                copy_bytes(&source, &copy)?;
                finish(source.as_fd(), copy.as_fd(), &stat, mode)
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(from, name, Vec::new()).map_err(errno)?;
                rustix::fs::symlinkat(&*target, to, name).map_err(errno)?;
                own(to, name, &stat, AtFlags::SYMLINK_NOFOLLOW)
            }
            _ => {
                let number = rustix::fs::makedev(stat.stx_rdev_major, stat.stx_rdev_minor);
                rustix::fs::mknodat(to, name, kind, mode, number).map_err(errno)?;
                own(to, name, &stat, AtFlags::SYMLINK_NOFOLLOW)
            }
        }
    }

    /// A further link of a copied file becomes a link to the copy.
    fn linked(&mut self, stat: &Statx, kind: FileType, to: BorrowedFd, name: &CStr) -> Result<bool, Errno> {
        if stat.stx_nlink < 2 || kind == FileType::Directory {
            return Ok(false);
        }
        let inode = (stat.stx_dev_major, stat.stx_dev_minor, stat.stx_ino);
        let Some(first) = self.links.get(&inode) else {
            self.links.insert(inode, self.path.clone());
            return Ok(false);
        };
        rustix::fs::linkat(self.top, first, to, name, AtFlags::empty()).map_err(errno)?;
        Ok(true)
    }
}

fn open(directory: BorrowedFd, name: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(directory, name, flags | OFlags::CLOEXEC, Mode::empty()).map_err(errno)
}

fn copy_bytes(from: &OwnedFd, to: &OwnedFd) -> Result<(), Errno> {
    const CHUNK: usize = 1 << 30;
    while rustix::fs::sendfile(to, from, None, CHUNK).map_err(errno)? > 0 {}
    Ok(())
}

/// Owner, then mode, since a change of owner clears set-user-ID; then attributes, since it clears capabilities too.
fn finish(from: BorrowedFd, to: BorrowedFd, stat: &Statx, mode: Mode) -> Result<(), Errno> {
    own(to, c"", stat, AtFlags::EMPTY_PATH)?;
    rustix::fs::fchmod(to, mode).map_err(errno)?;
    copy_attributes(from, to)
}

fn own(directory: BorrowedFd, name: impl AsRef<CStr>, stat: &Statx, flags: AtFlags) -> Result<(), Errno> {
    let (uid, gid) = (Uid::from_raw(stat.stx_uid), Gid::from_raw(stat.stx_gid));
    rustix::fs::chownat(directory, name.as_ref(), Some(uid), Some(gid), flags).map_err(errno)
}

/// Attributes that tmpfs or the user namespace doesn't allow are left out.
fn copy_attributes(from: BorrowedFd, to: BorrowedFd) -> Result<(), Errno> {
    for name in attribute_names(from)? {
        let length = rustix::fs::fgetxattr(from, &name, &mut [0u8; 0][..]).map_err(errno)?;
        let mut value = vec![0; length];
        let length = rustix::fs::fgetxattr(from, &name, &mut value[..]).map_err(errno)?;
        match rustix::fs::fsetxattr(to, &name, &value[..length], XattrFlags::empty()).map_err(errno) {
            Ok(()) | Err(Errno::EOPNOTSUPP | Errno::EPERM) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn attribute_names(file: BorrowedFd) -> Result<Vec<CString>, Errno> {
    let length = match rustix::fs::flistxattr(file, &mut [0u8; 0][..]).map_err(errno) {
        Err(Errno::EOPNOTSUPP) => 0,
        result => result?,
    };
    let mut names = vec![0; length];
    let length = if length == 0 { 0 } else { rustix::fs::flistxattr(file, &mut names[..]).map_err(errno)? };
    let names = names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.filter_map(|name| CString::new(name).ok()).collect())
}
